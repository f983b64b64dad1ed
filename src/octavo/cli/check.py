"""octavo check: whether and how well a network fits a target, and the network that fits it better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from octavo import api
from octavo.cli import tables
from octavo.cli.document import emit
from octavo.errors import OctavoError
from octavo.files import replace_file
from octavo.formats.onnx import write_onnx
from octavo.formats.tflite import write_tflite
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.npu import adapt, align, check
from octavo.npu.support import Support
from octavo.npu.vela import HINT, Vela, has_vela, run_vela
from octavo.num.formats import find_format
from octavo.targets import Target, load_target

__all__ = ["Changes", "check_model", "find_support", "vela_of"]

_SAMPLES = 4


@dataclass(frozen=True)
class Changes:
    """What was rewritten and padded, by layer, and the largest relative difference of the outputs."""

    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)
    difference: float = 0.0


def check_model(
    model: Path,
    target: str,
    format: str | None,
    wanted: tuple[bool, bool],
    output: Path | None,
    vela: bool,
    json: bool,
) -> None:
    """Print the findings, with ``wanted`` (adapt, align) also those after it; ``output`` is the changed network."""
    support = find_support(load_target(target), format)
    if output is not None and output.suffix != ".onnx":
        raise OctavoError(str(output), "is no .onnx file", "Give a path that ends in .onnx.")
    loaded = api.load(model)
    graph = loaded.graph if isinstance(loaded, Quantized) else loaded
    if any(wanted) and isinstance(loaded, Quantized):
        raise OctavoError(
            str(model), "is quantized, and only float networks are rewritten", "Give the float model it was made from."
        )
    before, after, changes = check(graph, support), None, None
    if any(wanted):
        changed, changes = _changed(graph, support, wanted)
        after = check(changed, support)
        if output is not None:
            data = write_onnx(changed)
            replace_file(output, lambda aside: aside.write_bytes(data))
    said, note = _vela(loaded, support.target) if vela else (None, "")
    if json:
        document = {"model": graph.name, **before.document(), "vela": None if said is None else vars(said)}
        document |= {"after": None if after is None else after.document(), "changes": _document(changes)}
        emit({**document, "output": None if output is None else str(output)})
        return
    tables.checked(graph.name, before, note if after is None else "", None if after is not None else said)
    if after is not None and changes is not None:
        tables.changed(changes.steps, changes.added, changes.difference, output)
        tables.checked(f"{graph.name}, changed", after, note, said)


def find_support(target: Target, format: str | None) -> Support:
    """The target in a number format that it has: the first of its own where none is given."""
    found = find_format(format or target.formats[0])
    if found.name not in target.formats:
        raise OctavoError(
            f"format {found.name}", f"is not among those of {target.name}", f"Use one of {', '.join(target.formats)}."
        )
    return Support(target, found)


def _changed(graph: Graph, support: Support, wanted: tuple[bool, bool]) -> tuple[Graph, Changes]:
    """Channels first: what rewrites cut into slices has no common channels any more."""
    steps: Mapping[str, tuple[str, ...]] = {}
    added: Mapping[str, int] = {}
    difference = 0.0
    if wanted[1]:
        aligned = align(graph, support)
        graph, added, difference = aligned.graph, aligned.added, aligned.difference
    if wanted[0]:
        adapted = adapt(graph, support)
        steps, difference = adapted.steps, max(difference, adapted.difference)
        graph = adapted.graph
    return graph, Changes(steps, added, difference)


def _document(changes: Changes | None) -> dict[str, Any] | None:
    if changes is None:
        return None
    rewrites = {name: list(steps) for name, steps in changes.steps.items()}
    return {"rewrites": rewrites, "channels_added": dict(changes.added), "difference": changes.difference}


def _vela(loaded: Graph | Quantized, target: Target) -> tuple[Vela | None, str]:
    """What Vela says of the network as it was given, or why it says nothing."""
    if target.accelerator is None or not target.accelerator.vela:
        return None, ""
    if not has_vela():
        return None, HINT
    return vela_of(loaded, target.accelerator.vela), ""


def vela_of(loaded: Graph | Quantized, configuration: str) -> Vela:
    """Vela on the exported .tflite; a float network is quantized on noise, which changes no shape and no weight."""
    if not isinstance(loaded, Quantized):
        rng = np.random.default_rng(0)
        samples = {name: _noise(loaded, name, rng) for name in loaded.inputs}
        loaded = api.quantize(loaded, samples, ranges="minmax", weight_ranges="minmax", equalization="none")
    return run_vela(write_tflite(loaded), configuration)


def _noise(graph: Graph, name: str, rng: np.random.Generator) -> Any:
    shape = graph.types[name].shape
    user = [shape[place] for place in np.argsort(graph.layouts.get(name, range(len(shape))))]
    return rng.normal(size=(_SAMPLES, *user[1:])).astype(np.float32)
