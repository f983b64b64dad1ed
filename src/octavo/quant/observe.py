"""Calibration: run batches through the float graph and keep streaming statistics of every activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.formats import AFFINE, ActivationFormat
from octavo.num.statistics import Range
from octavo.quant.ranges import find_ranges
from octavo.quant.statistics import TensorStatistics
from octavo.run.float_run import check_inputs, float_run, to_graph_layout

__all__ = ["Batch", "Observation", "Progress", "as_inputs", "observe"]

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


@dataclass(frozen=True)
class Observation:
    """What calibration saw: statistics by activation, over ``samples`` samples (0 where no data were used).

    ``notes`` say of activations what the user should know of how their statistics came about.
    """

    statistics: Mapping[str, TensorStatistics]
    samples: int
    notes: Mapping[str, str] = field(default_factory=dict)

    def ranges(self, method: str, format: ActivationFormat = AFFINE) -> dict[str, Range]:
        """The range of every activation by a method of octavo.quant.ranges."""
        found = find_ranges(method)(list(self.statistics.values()), format)
        return dict(zip(self.statistics, found, strict=True))


def observe(
    graph: Graph, batches: Iterable[Batch], progress: Progress | None = None, detail: bool = True
) -> Observation:
    """Run ``batches`` through the float graph, once, and keep streaming statistics of every activation.

    Without ``detail`` only extremes are kept, which minmax and moving-average need. Memory does not grow with the
    number of batches. ``progress(samples)`` is called after each batch. Raises OctavoError for no data, a shape that
    does not match, or a value that becomes NaN or infinite.
    """
    statistics = {name: TensorStatistics() for name in graph.activations()}
    logits = _logits(graph)

    def tap(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name in statistics:
            statistics[name] = statistics[name].update(tensor, detail, name in logits)
        return tensor

    samples = 0
    with torch.inference_mode():
        for batch in batches:
            inputs = as_inputs(graph, batch)
            float_run(graph, inputs, tap)
            count = next(iter(inputs.values())).shape[0]
            samples += count
            _refuse_non_finite(graph, statistics)
            if progress is not None:
                progress(count)
    if samples == 0:
        raise OctavoError("calibration data", "holds no samples", "Give at least one sample, better a hundred or more.")
    return Observation(statistics, samples)


def _logits(graph: Graph) -> set[str]:
    """The outputs, and what a final softmax reads in place of its own, through reshapes."""
    producers = graph.producers()
    found: set[str] = set()
    for value in graph.outputs:
        found.add(value)
        while value in producers and producers[value].kind in ("Softmax", "Reshape"):
            if producers[value].kind == "Softmax":
                found.discard(value)
            value = producers[value].inputs[0]
            found.add(value)
    return found


def _refuse_non_finite(graph: Graph, statistics: Mapping[str, TensorStatistics]) -> None:
    sources = {output: node.source or node.name for node in graph.nodes for output in node.outputs}
    for name, entry in statistics.items():
        if not all(map(math.isfinite, entry.minmax.range)):
            raise OctavoError(
                sources.get(name, f"input {name}"),
                "gives NaN or Inf on the calibration data",
                "Check the calibration data and the float model at this node.",
            )
