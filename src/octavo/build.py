"""A folder that ``export`` wrote: open it, evaluate it, run it, profile it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from octavo.analysis.compare import Score, dequantize_outputs, quantize_inputs
from octavo.c.text import check_prefix
from octavo.device.cost import Cost, costs, total
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
from octavo.targets import Target, available_targets, load_target

__all__ = [
    "Build",
    "Evaluation",
    "LayerCount",
    "Profile",
    "RunResult",
    "evaluate",
    "profile",
    "profiled_target",
    "run",
]

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
            if "models" in manifest:
                raise ValueError("it is a bundle")
            if not isinstance(manifest["name"], str):
                raise TypeError("its name is no text")
            check_prefix(manifest["name"])
            target = load_target(path / "target.toml")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
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

    On the host only the planned memory is known: instructions, code_bytes and stack_bytes are None. Cycles,
    milliseconds and microjoules are estimates by the target's tables, whose assumptions ``assumptions`` holds; they are
    None where ``notes`` say why. The bytes read and written are those that loads and stores moved. ``layers`` has the
    manifest's rows with the same keys for each layer, and the executed instructions by kind (``mix``).
    """

    instructions: int | None
    arena_bytes: int
    arena_lower_bound_bytes: int
    code_bytes: int | None
    model_bytes: int
    stack_bytes: int | None
    layers: tuple[dict[str, Any], ...]
    estimated_cycles: int | None = None
    estimated_ms: float | None = None
    estimated_microjoules: float | None = None
    flash_bytes_read: int | None = None
    ram_bytes_read: int | None = None
    ram_bytes_written: int | None = None
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


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
        device = run_on_board(build.c_dir, profiled_target(build, on), joined)
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
        good = array.dtype == dtype if dtype == "float16" else array.dtype.kind in "iu"
        if not good or not (array.min() >= low and array.max() <= high):
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
    """Run one sample on an emulated core, count instructions and bytes, estimate cycles; on ``host``, bytes alone."""
    planned = (int(build.manifest["arena_bytes"]), int(build.manifest["arena_lower_bound_bytes"]))
    if (on or build.target.name) == "host":
        rows = tuple({**row, "instructions": None, **_NO_COST} for row in build.manifest["layers"])
        return Profile(None, *planned, None, int(build.manifest["model_bytes"]), None, rows)
    graph = build.model.graph
    zeros = {name: np.zeros((1, *graph.types[name].shape[1:]), graph.types[name].dtype) for name in graph.inputs}
    target = profiled_target(build, on)
    rows = build.manifest["layers"]
    device = run_on_board(build.c_dir, target, pack(graph, graph.inputs, zeros), trace_layers=len(rows))
    parts = costs(device.trace, target.cycles) if device.trace is not None else ()
    per_layer = [_cost_row(part, target) for part in parts[1:-1]] or [dict(_NO_COST)] * len(rows)
    layers = tuple(
        {**row, "instructions": count, **cost}
        for row, count, cost in zip(rows, device.layer_instructions, per_layer, strict=True)
    )
    whole = _cost_row(total(parts), target) if parts else dict(_NO_COST)
    del whole["mix"]
    return Profile(
        device.total_instructions,
        *planned,
        device.code_bytes,
        device.model_bytes,
        device.stack_bytes,
        layers,
        assumptions=_assumptions(target),
        notes=_notes(target, device.untraced),
        **whole,
    )


def profiled_target(build: Build, on: str | None) -> Target:
    """The target by name or path; the one compiled for, as its folder describes it, where none or no other is named."""
    own = on is None or (on == build.target.name and on not in available_targets())
    return build.target if own else load_target(str(on))


_NO_COST: Mapping[str, Any] = MappingProxyType(
    {
        "mix": None,
        "estimated_cycles": None,
        "estimated_ms": None,
        "estimated_microjoules": None,
        "flash_bytes_read": None,
        "ram_bytes_read": None,
        "ram_bytes_written": None,
    }
)


def _cost_row(cost: Cost, target: Target) -> dict[str, Any]:
    cycles = None if cost.cycles is None else round(cost.cycles)
    ms = None if cycles is None or target.cycles is None else cycles * 1e3 / target.cycles.clock_hz
    energy = None if cycles is None or target.energy is None else cycles * target.energy.picojoules_per_cycle * 1e-6
    return {
        "mix": dict(cost.mix),
        "estimated_cycles": cycles,
        "estimated_ms": ms,
        "estimated_microjoules": energy,
        "flash_bytes_read": cost.moved.flash_read,
        "ram_bytes_read": cost.moved.ram_read,
        "ram_bytes_written": cost.moved.ram_written,
    }


def _assumptions(target: Target) -> dict[str, Any]:
    """What the estimates rest on, for people and programs."""
    said: dict[str, Any] = {}
    if target.cycles is not None:
        said = {"cycles": target.cycles.source, "clock_hz": target.cycles.clock_hz, "flash_wait_states": 0}
    if target.energy is not None:
        said |= {
            "energy": target.energy.source,
            "microamperes_per_megahertz": target.energy.microamperes_per_megahertz,
            "volts": target.energy.volts,
            "picojoules_per_cycle": target.energy.picojoules_per_cycle,
        }
    return said


def _notes(target: Target, untraced: str) -> tuple[str, ...]:
    notes = [f"no cycles, energy or moved bytes: {untraced}"] if untraced else []
    for name, table in (("cycles", target.cycles), ("energy", target.energy)):
        if table is None and not untraced:
            notes.append(f"no estimate of {name}: target {target.name} has no table [{name}]")
    return tuple(notes)
