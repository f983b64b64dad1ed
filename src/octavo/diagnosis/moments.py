"""Whether layers give what training saw: their outputs' statistics against those of the batch norms that folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.diagnosis.case import source_of
from octavo.ir.graph import Graph, Node
from octavo.num.channels import ChannelMoments
from octavo.ops import NONE
from octavo.pipeline.samples import Samples
from octavo.quant.statistics import spread
from octavo.run.float_run import float_run

__all__ = ["LayerFit", "fit_of", "fits", "moment_nodes", "unfused"]

_CAP = 3.0
_FAINT, _VARIED = 1e-3, 0.1


@dataclass(frozen=True)
class LayerFit:
    """How far a layer's output, before its activation, is from its batch norm's statistics.

    ``score`` is the mean over channels of |mean - expected| / deviation + |ln(deviation / expected)|, each channel at
    most 3; on typical samples it is a few tenths. ``dead`` counts channels that varied in training (not the faintest)
    and whose weights are all zero; that a channel is constant on a few samples says nothing.
    """

    layer: str
    source: str
    score: float
    shift: float
    stretch: float
    dead: int
    channels: int


def moment_nodes(graph: Graph) -> list[Node]:
    """The layers whose batch norm is known, in order."""
    return [node for node in graph.nodes if _bias(node) in graph.moments]


def _bias(node: Node) -> str:
    index = getattr(node.op, "bias", None)
    return "" if index is None else node.inputs[index]


def unfused(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """The graph with the activations of layers with moments as nodes of their own, and by value the layer's name."""
    nodes: list[Node] = []
    types, watch = dict(graph.types), {}
    for node in graph.nodes:
        op: Any = node.op
        if _bias(node) not in graph.moments:
            nodes.append(node)
            continue
        output = node.outputs[0]
        if op.activation == NONE:
            nodes.append(node)
            watch[output] = node.name
            continue
        linear = f"{output}.linear"
        while linear in types:
            linear += "_"
        types[linear] = types[output]
        watch[linear] = node.name
        nodes.append(Node(node.name, replace(op, activation=NONE), node.inputs, (linear,), node.source))
        nodes.append(Node(f"{linear}.clip", op.activation, (linear,), (output,), node.source))
    return graph.with_(nodes=tuple(nodes), types=types), watch


def fits(graph: Graph, samples: Samples, first: int | None = None) -> list[LayerFit]:
    """Every layer with moments, in order, or only the ``first`` of them (nothing behind them runs)."""
    whole, watch = unfused(graph)
    if first is not None:
        watch = dict(list(watch.items())[:first])
        last = max((i for i, node in enumerate(whole.nodes) if node.outputs[0] in watch), default=-1)
        whole = whole.with_(nodes=whole.nodes[: last + 1], outputs=tuple(watch))
    seen: dict[str, ChannelMoments] = {}

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        if name in watch:
            found = ChannelMoments.of(spread(value))
            seen[name] = seen[name].merge(found) if name in seen else found
        return value

    with torch.inference_mode():
        for batch in samples.batches():
            float_run(whole, batch, tap)
    nodes = {node.name: node for node in graph.nodes}
    return [_fit(graph, nodes[layer], seen[value]) for value, layer in watch.items()]


def _fit(graph: Graph, node: Node, seen: ChannelMoments) -> LayerFit:
    mean, deviation = graph.moments[_bias(node)]
    kept = deviation > _FAINT * max(float(np.median(deviation)), 1e-30)
    found = np.sqrt(seen.variance)
    shift = np.abs(seen.mean - mean)[kept] / deviation[kept]
    stretch = np.abs(np.log(np.maximum(found[kept], 1e-12) / deviation[kept]))
    dead = int((_silent(graph, node) & (deviation > _VARIED * float(np.median(deviation)))).sum())
    parts: list[NDArray[np.float64]] = [np.minimum(shift + stretch, _CAP), np.minimum(shift, _CAP), stretch]
    score, moved, stretched = (float(part.mean()) if part.size else 0.0 for part in parts)
    return LayerFit(node.name, source_of(node), score, moved, min(stretched, _CAP), dead, int(kept.sum()))


def _silent(graph: Graph, node: Node) -> NDArray[np.bool_]:
    """The output channels whose weights are all zero."""
    op: Any = node.op
    weights = graph.consts[node.inputs[op.weight]]
    rest = tuple(axis for axis in range(weights.ndim) if axis != op.channel_axis)
    return np.asarray((weights == 0).all(axis=rest))


def fit_of(rows: Sequence[LayerFit]) -> float:
    """One number for a network: the mean of its layers' scores."""
    return float(np.mean([row.score for row in rows])) if rows else 0.0
