"""A device against the integers in Python."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from octavo.analysis.compare import quantize_inputs
from octavo.build import Build
from octavo.cli import tables
from octavo.cli.commands import samples_of
from octavo.cli.document import emit
from octavo.cli.progress import progress
from octavo.ir.graph import Array
from octavo.quant.observe import as_inputs
from octavo.verify import Verification, random_inputs, verify_build, write_firmware

__all__ = ["verify_folder", "write_board_files"]


def verify_folder(
    folder: Path,
    data: tuple[Path | None, int, Path | None],
    on: str | None,
    port: tuple[str | None, int, float],
    json: bool,
) -> None:
    """Verify and print; leaves with 1 when the device differs. ``data``: file, samples, configuration."""
    build = Build.open(folder)
    inputs = _inputs(build, *data)
    marks = len(next(iter(inputs.values()))) * (len(build.manifest["layers"]) + 1)
    name, baud, seconds = port
    with progress(f"verifying on {name or on or build.target.name}", marks) as advance:
        result = verify_build(build, inputs, on, name, baud, seconds, advance)
    if json:
        emit(_document(result))
    else:
        tables.verified(build, result)
    if not result.ok:
        raise typer.Exit(1)


def _inputs(build: Build, data: Path | None, samples: int, config: Path | None) -> dict[str, Array]:
    """Integers [N, ...] by input: of the data, or random ones."""
    if data is None:
        return random_inputs(build, samples)
    dataset = samples_of(data, config)
    chosen = dataset.some(min(samples, len(dataset))).inputs
    return quantize_inputs(build.model, as_inputs(build.model.graph, chosen))


def _document(result: Verification) -> dict[str, Any]:
    return {"ok": result.ok, **asdict(result), "stack_overflowed": result.stack_overflowed}


def write_board_files(folder: Path, output: Path, json: bool) -> None:
    """The protocol's C for a board."""
    write_firmware(Build.open(folder), output)
    if json:
        emit({"folder": str(output)})
    else:
        tables.written(output, {})
