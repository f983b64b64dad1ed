"""Calibration: run batches through the float graph and keep a streaming statistic of every activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.statistics import STATISTICS, Range, Statistic
from octavo.run.float_run import check_inputs, float_run, to_graph_layout

__all__ = ["Batch", "Progress", "as_inputs", "observe"]

Batch = Mapping[str, Array] | Array | torch.Tensor | tuple[Any, ...] | list[Any]
Progress = Callable[[int], None]


def as_inputs(graph: Graph, batch: Batch) -> dict[str, Array]:
    """A batch as the user gives it (array, tensor, sequence or mapping) by input name, in the graph's axis order."""
    if isinstance(batch, Mapping):
        named = dict(batch)
    else:
        parts: list[Any] = list(batch) if isinstance(batch, (tuple, list)) else [batch]
        if len(parts) != len(graph.inputs):
            raise OctavoError(
                f"data for {graph.name}",
                f"has {len(parts)} parts, the network has the inputs {', '.join(graph.inputs)}",
                "Give one array per input, or a mapping from input names to arrays.",
            )
        named = dict(zip(graph.inputs, parts, strict=True))
    arrays: dict[str, Array] = {}
    for name in graph.inputs:
        if name not in named:
            raise OctavoError(f"input {name}", f"is missing; got {sorted(named)}", "Give every input of the network.")
        value = named[name]
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        _check_user_shape(graph, name, array)
        arrays[name] = to_graph_layout(graph, name, array)
    check_inputs(graph, arrays)
    return arrays


def _check_user_shape(graph: Graph, name: str, array: Array) -> None:
    """Shapes are judged in the user's own axis order, so that the message speaks of it."""
    shape = graph.types[name].shape
    perm = graph.layouts.get(name, tuple(range(len(shape))))
    expected = tuple(shape[perm.index(axis)] for axis in range(len(shape)))
    if array.ndim != len(expected) or array.shape[1:] != expected[1:] or array.shape[0] < 1:
        raise OctavoError(
            f"input {name}",
            f"the data have shape {list(array.shape)}, the network takes [N, {', '.join(map(str, expected[1:]))}]",
            "Give samples as the network takes them, with the batch on axis 0.",
        )
    if array.dtype.kind not in "fiub":
        raise OctavoError(f"input {name}", f"the data have dtype {array.dtype}", "Give numbers.")


def observe(
    graph: Graph, batches: Iterable[Batch], ranges: str = "moving-average", progress: Progress | None = None
) -> dict[str, Range]:
    """The range (low, high) of every activation over ``batches``.

    ``ranges`` names the statistic (``minmax`` or ``moving-average``). Memory does not grow with the number of
    batches. ``progress(samples)`` is called after each batch. Raises OctavoError for an unknown statistic, no data,
    a shape that does not match, or a value that becomes NaN or infinite.
    """
    if ranges not in STATISTICS:
        raise OctavoError(f"ranges {ranges}", "is unknown", f"Use one of {', '.join(sorted(STATISTICS))}.")
    statistics: dict[str, Statistic] = {}
    watched = set(graph.activations())

    def tap(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name in watched:
            statistics[name] = statistics.get(name, STATISTICS[ranges]()).update(tensor)
        return tensor

    samples = 0
    with torch.inference_mode():
        for batch in batches:
            inputs = as_inputs(graph, batch)
            float_run(graph, inputs, tap)
            count = next(iter(inputs.values())).shape[0]
            samples += count
            if progress is not None:
                progress(count)
    if samples == 0:
        raise OctavoError("calibration data", "holds no samples", "Give at least one sample, better a hundred or more.")
    found = {name: statistic.range for name, statistic in statistics.items()}
    sources = {output: node.source or node.name for node in graph.nodes for output in node.outputs}
    for name in graph.activations():
        if not all(map(math.isfinite, found[name])):
            raise OctavoError(
                sources.get(name, f"input {name}"),
                "gives NaN or Inf on the calibration data",
                "Check the calibration data and the float model at this node.",
            )
    return found
