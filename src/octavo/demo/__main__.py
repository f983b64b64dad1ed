"""``python -m octavo.demo``: a trained network becomes integer C, is measured here and on an emulated core."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

import octavo
from octavo.demo import commands, show
from octavo.demo.samples import Samples, load_network, load_samples
from octavo.errors import OctavoError

__all__ = ["main"]

_SHOWN = 3


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0 when everything that can run here did."""
    parser = argparse.ArgumentParser(prog="python -m octavo.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/demo"), help="folder to write")
    parser.add_argument("--target", default="cortex-m4", help="the core to compile for and to emulate")
    options = parser.parse_args(arguments)
    console = Console()
    started = time.monotonic()
    try:
        _demo(console, options.output, options.target)
    except OctavoError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error.where}: {error.why}. {error.remedy}", highlight=False)
        return 1
    console.print(f"\n[dim]Done in {time.monotonic() - started:.0f} s.[/]")
    return 0


def _demo(console: Console, folder: Path, target: str) -> None:
    samples = load_samples()
    _compile(console, samples, folder, target)
    data, images = _write_data(samples, folder / "samples")
    board = _board(console, target)

    with console.status("Running the compiled C on this computer ..."):
        evaluation = commands.evaluate(folder, data)
        answers = commands.run(folder, images, images.with_name("answers_host.npy"), "host")
    if board is not None:
        with console.status(f"Running the same C on an emulated {board} ..."):
            on_board = commands.run(folder, images, images.with_name(f"answers_{board}.npy"), board)
        if not np.array_equal(answers, on_board):
            raise OctavoError(f"emulated {board}", "gives other bytes than this computer", "Please report this.")
        console.print(f"[green]✓[/] ran on an emulated {board}: the same bytes as on this computer")
    with console.status("Counting ..."):
        profile = commands.profile(folder, board or "host")

    console.print()
    shown = samples.inputs[:_SHOWN]
    console.print(show.pictures(shown, answers, samples.labels[:_SHOWN], samples.class_names))
    for table in (
        show.results_table(evaluation, profile, board),
        show.heaviest_table(profile),
        show.files_table(folder),
    ):
        console.print()
        console.print(table)


def _compile(console: Console, samples: Samples, folder: Path, target: str) -> None:
    """The five lines of the README."""
    batches = np.array_split(samples.calibration, 4)
    with console.status("Importing, quantizing and compiling ..."):
        graph = octavo.load(load_network(), (torch.from_numpy(samples.calibration[:1]),))
        qgraph = octavo.quantize(graph, calibration=batches, target=target)
        difference = octavo.compare(graph, qgraph, samples.calibration)
        octavo.export(qgraph, folder)
    console.print(f"[green]✓[/] imported a PyTorch network, quantized it on {len(samples.calibration)} images")
    console.print(str(difference), style="dim", highlight=False)
    console.print(f"[green]✓[/] compiled it for {target} into [cyan]{folder}[/]")


def _write_data(samples: Samples, folder: Path) -> tuple[Path, Path]:
    """The test images as ``octavo eval`` and the first few as ``octavo run`` read them."""
    folder.mkdir(parents=True, exist_ok=True)
    data, images = folder / "test.npz", folder / "images.npy"
    np.savez(data, inputs=samples.inputs, labels=samples.labels)
    np.save(images, samples.inputs[:_SHOWN])
    return data, images


def _board(console: Console, target: str) -> str | None:
    """The core to emulate, or None with one line that says what to install."""
    tools = commands.missing_tools(target)
    if not tools:
        return target
    missing, packages = " and ".join(tools), " ".join(tools.values())
    if os.environ.get("OCTAVO_REQUIRE_DEVICE") == "1":
        raise OctavoError(
            "emulated core", f"{missing} not found although OCTAVO_REQUIRE_DEVICE=1", f"Install {packages}."
        )
    console.print(f"[yellow]·[/] no emulated core: {missing} not found (apt install {packages})")
    return None


if __name__ == "__main__":
    sys.exit(main())
