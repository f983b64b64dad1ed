"""What may have gone wrong in a layer from which statistics no longer match: each suspicion is tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from octavo.diagnosis.moments import LayerFit, fit_of, fits, moment_nodes
from octavo.ir.graph import Graph, Node
from octavo.ops import NONE, Clip, Conv2D, DepthwiseConv2D
from octavo.pipeline.samples import Samples

__all__ = ["Repair", "everywhere", "repairs"]

_BEHIND, _EARLY = 3, 6
_RELUS = {"ReLU6": Clip(0.0, 6.0), "ReLU": Clip(0.0)}
_BETTER = 0.75


@dataclass(frozen=True)
class Repair:
    """A change of one layer with which the layers behind it fit their batch norms better.

    ``before`` and ``after`` are the mean scores of octavo.diagnosis.moments of that layer and the next ones.
    """

    node: Node
    kind: str
    detail: str
    graph: Graph
    before: float
    after: float


def everywhere(graph: Graph, samples: Samples) -> list[Repair]:
    """ReLU for ReLU6 or the other way in the whole network, where its first six layers then fit better.

    An exporter that loses a clip loses all of them. Layer by layer it would not stand out: each is a little off.
    """
    before: float | None = None
    found = []
    for name, clip in _RELUS.items():
        nodes = [node for node in graph.nodes if _activation(node) in _RELUS.values() and _activation(node) != clip]
        if not nodes:
            continue
        if before is None:
            before = fit_of(fits(graph, samples, _EARLY))
        changed = _with(graph, nodes, clip)
        after = fit_of(fits(changed, samples, _EARLY))
        if after < _BETTER * before:
            detail = f"with {name} behind it and {len(nodes) - 1} others"
            found.append(Repair(nodes[0], "activation", detail, changed, before, after))
    return sorted(found, key=lambda repair: repair.after)


def repairs(graph: Graph, samples: Samples, rows: list[LayerFit], suspect: int) -> list[Repair]:
    """Every change of the suspected layer, and of what feeds it, that makes the layers from it on fit; best first."""
    nodes = moment_nodes(graph)
    stop = min(suspect + _BEHIND, len(nodes))
    before = fit_of(rows[suspect:stop])
    found = []
    for node, kind, detail, changed in _suspicions(graph, nodes[suspect]):
        after = fit_of(fits(changed, samples, stop)[suspect:])
        if after < _BETTER * before:
            found.append(Repair(node, kind, detail, changed, before, after))
    return sorted(found, key=lambda repair: repair.after)


def _suspicions(graph: Graph, layer: Node) -> Iterator[tuple[Node, str, str, Graph]]:
    """The layer's own weights and padding, and the activation of the node that feeds it."""
    yield from _weights(graph, layer)
    yield from _padding(graph, layer)
    feeding = graph.producers().get(layer.inputs[0])
    own = None if feeding is None else _activation(feeding)
    if feeding is None or own is None:
        return
    for name, clip in (*_RELUS.items(), ("no activation", NONE)):
        if clip != own:
            yield feeding, "activation", f"with {name} behind it", _with(graph, [feeding], clip)


def _activation(node: Node) -> Clip | None:
    own = getattr(node.op, "activation", None)
    return own if isinstance(own, Clip) else None


def _with(graph: Graph, nodes: list[Node], clip: Clip) -> Graph:
    names = {node.name for node in nodes}
    changed = [
        replace(node, op=replace(node.op, activation=clip)) if node.name in names else node  # type: ignore[type-var]
        for node in graph.nodes
    ]
    return graph.with_(nodes=tuple(changed))


def _weights(graph: Graph, node: Node) -> Iterator[tuple[Node, str, str, Graph]]:
    name = node.inputs[1]
    weights = graph.consts.get(name)
    if weights is None or not isinstance(node.op, Conv2D | DepthwiseConv2D):
        return
    orders = {"rows and columns of its kernel exchanged": (0, 2, 1, 3), "inputs and outputs exchanged": (3, 1, 2, 0)}
    for detail, order in orders.items():
        other = weights.transpose(order)
        if other.shape == weights.shape and not np.array_equal(other, weights):
            consts = {**graph.consts, name: np.ascontiguousarray(other)}
            yield node, "transposed weights", f"with {detail}", graph.with_(consts=consts)


def _padding(graph: Graph, node: Node) -> Iterator[tuple[Node, str, str, Graph]]:
    """The padding of one more row and column moved to the other end."""
    op = node.op
    if not isinstance(op, Conv2D | DepthwiseConv2D):
        return
    top, bottom, left, right = op.padding
    if (top, left) != (bottom, right):
        other = (bottom, top, right, left)
        nodes = tuple(replace(n, op=replace(op, padding=other)) if n is node else n for n in graph.nodes)
        yield node, "padding", f"padded (top, bottom, left, right) by {other}", graph.with_(nodes=nodes)
