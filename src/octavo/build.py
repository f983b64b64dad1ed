"""A folder that ``export`` wrote: open it, evaluate it, run it, profile it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from octavo.analysis.compare import Score, dequantize_outputs, quantize_inputs
from octavo.c.text import check_prefix
from octavo.device.emulator import DeviceRun, run_on_board
from octavo.device.host import HostModel, host_form
from octavo.errors import OctavoError
from octavo.formats.native import FILES as QUANTIZED_FILES
from octavo.formats.native import read_quantized
from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.lower.lower import IntegerModel, lower
from octavo.num.qparams import integer_limits
from octavo.quant.observe import Batch, as_inputs
from octavo.run.float_run import check_inputs, float_run, to_user_layout
from octavo.run.sample_bytes import pack, unpack
from octavo.targets import Target, load_target

__all__ = ["Build", "Evaluation", "LayerCount", "Profile", "RunResult", "evaluate", "profile", "run"]

MAX_MANIFEST_BYTES = 64 * 2**20
BATCH = 64


@dataclass(frozen=True)
class Build:
    """An opened folder: its manifest, its network and where its C lies."""

    folder: Path
    manifest: Mapping[str, Any]
    quantized: Quantized
    model: IntegerModel
    target: Target

    @property
    def c_dir(self) -> Path:
        """The library for firmware: C in ``src/``, the self-test in ``selftest/``."""
        return self.folder / str(self.manifest["name"])

    @staticmethod
    def open(folder: str | Path) -> Build:
        """Open a folder; OctavoError when it is not one or is damaged."""
        path = Path(folder)
        manifest_path = path / "manifest.json"
        try:
            if manifest_path.stat().st_size > MAX_MANIFEST_BYTES:
                raise ValueError("manifest.json is too large")
            manifest = json.loads(manifest_path.read_text())
            check_prefix(manifest["name"])
            target = load_target(path / "target.toml")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OctavoError(
                str(path), f"is not a folder that octavo compile wrote ({error})", "Run octavo compile first."
            ) from error
        _check_sums(path, manifest)
        quantized = read_quantized(path / "quantized")
        return Build(path, manifest, quantized, lower(quantized), target)


def _check_sums(folder: Path, manifest: Mapping[str, Any]) -> None:
    """OctavoError when the stored network is not the one that was written: a flipped bit would be another network."""
    sums = manifest.get("sha256")
    written = sums if isinstance(sums, dict) else {}
    for name in QUANTIZED_FILES:
        file = folder / "quantized" / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != written.get(f"quantized/{name}"):
            raise OctavoError(str(file), "is missing or not the file that was written", "Compile the model again.")


@dataclass(frozen=True)
class Evaluation:
    """Float against the target's integers on a data set; accuracies are None without labels."""

    float_accuracy: float | None
    integer_accuracy: float | None
    agreement: float
    sqnr_db: float
    samples: int


@dataclass(frozen=True)
class LayerCount:
    """Instructions of one kernel call."""

    name: str
    kernel: str
    source: str
    instructions: int


@dataclass(frozen=True)
class RunResult:
    """Outputs by name in the user's axis order; instruction counts when an emulated core ran."""

    outputs: dict[str, Array]
    instructions: int | None = None
    layers: tuple[LayerCount, ...] | None = None


@dataclass(frozen=True)
class Profile:
    """What one inference costs. Bytes are bytes, instructions are executed instructions (not cycles).

    On the host only the planned memory is known: instructions, code_bytes and stack_bytes are None.
    """

    instructions: int | None
    arena_bytes: int
    arena_lower_bound_bytes: int
    code_bytes: int | None
    model_bytes: int
    stack_bytes: int | None
    layers: tuple[dict[str, Any], ...]


def evaluate(
    build: Build, inputs: Batch, labels: Array | None = None, progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Run the float network and the target's integers over the same samples [N, ...].

    The integers come from C for this machine: byte by byte those of the C in the folder, which ``run`` runs, and
    sooner. SQNR and agreement are of the first output. ``progress(samples)`` is called batch by batch.
    """
    graph = build.quantized.graph
    named = as_inputs(graph, inputs)
    count = check_inputs(graph, named)
    if labels is not None:
        if labels.shape != (count,):
            raise OctavoError("labels", f"have shape {list(labels.shape)} for {count} samples", "Give one per sample.")
        classes = graph.types[graph.outputs[0]].size
        if labels.min() < 0 or labels.max() >= classes:
            raise OctavoError("labels", f"are not in 0 to {classes - 1}", "Number the classes as the network does.")
    score = Score()
    first, model = graph.outputs[0], build.model.graph
    with host_form(build.model) as host, torch.inference_mode():
        for start in range(0, count, BATCH):
            part = {name: array[start : start + BATCH] for name, array in named.items()}
            expected = float_run(graph, part)[first].numpy()
            integers = quantize_inputs(build.model, part)
            outputs = unpack(model, model.outputs, host.run(pack(model, model.inputs, integers)))
            got = dequantize_outputs(build.model, outputs)[first]
            score.update(expected, got, None if labels is None else labels[start : start + BATCH])
            if progress is not None:
                progress(len(expected))
    known = score.labelled > 0
    return Evaluation(
        score.reference_right / count if known else None,
        score.candidate_right / count if known else None,
        score.agreement,
        score.sqnr_db,
        count,
    )


def run(build: Build, inputs: Batch, on: str = "host", raw: bool = False) -> RunResult:
    """Run samples [N, ...] through the compiled C on the host or on an emulated core.

    Inputs and outputs are floats in the user's axis order, or with ``raw`` the network's own integers.
    """
    graph = build.model.graph
    if raw:
        integers = _raw_inputs(build, inputs)
    else:
        integers = quantize_inputs(build.model, as_inputs(graph, inputs))
    joined = pack(graph, graph.inputs, integers)
    device: DeviceRun | None = None
    if on == "host":
        with HostModel(build.c_dir) as host:
            out = host.run(joined)
    else:
        device = run_on_board(build.c_dir, load_target(on), joined)
        out = device.outputs
    outputs = unpack(graph, graph.outputs, out)
    values = outputs if raw else dequantize_outputs(build.model, outputs)
    result = {name: to_user_layout(graph, name, value) for name, value in values.items()}
    if device is None:
        return RunResult(result)
    return RunResult(result, device.total_instructions, _layer_counts(build, device))


def _raw_inputs(build: Build, inputs: Batch) -> dict[str, Array]:
    named = as_inputs(build.model.graph, inputs)
    for name, array in named.items():
        dtype = build.model.graph.types[name].dtype
        low, high = integer_limits(dtype)
        if array.dtype.kind not in "iu" or array.min() < low or array.max() > high:
            raise OctavoError(
                f"input {name}", f"raw data are {array.dtype}, not {dtype}", f"Give {dtype}, or leave out --raw."
            )
    return {name: array.astype(build.model.graph.types[name].dtype) for name, array in named.items()}


def _layer_counts(build: Build, device: DeviceRun) -> tuple[LayerCount, ...]:
    rows = build.manifest["layers"]
    return tuple(
        LayerCount(row["name"], row["kernel"], row["source"], count)
        for row, count in zip(rows, device.layer_instructions, strict=True)
    )


def profile(build: Build, on: str | None = None) -> Profile:
    """Run one sample on an emulated core and count instructions and bytes; with ``host``, count bytes alone."""
    planned = (int(build.manifest["arena_bytes"]), int(build.manifest["arena_lower_bound_bytes"]))
    if on == "host":
        rows = tuple({**row, "instructions": None} for row in build.manifest["layers"])
        return Profile(None, *planned, None, int(build.manifest["model_bytes"]), None, rows)
    graph = build.model.graph
    zeros = {name: np.zeros((1, *graph.types[name].shape[1:]), graph.types[name].dtype) for name in graph.inputs}
    device = run_on_board(build.c_dir, load_target(on or build.target.name), pack(graph, graph.inputs, zeros))
    layers = tuple(
        {**row, "instructions": count}
        for row, count in zip(build.manifest["layers"], device.layer_instructions, strict=True)
    )
    return Profile(
        device.total_instructions,
        *planned,
        device.code_bytes,
        device.model_bytes,
        device.stack_bytes,
        layers,
    )
