"""The network against the one it was made from: the first layer that computes something else, and what is other in it.

Nodes are paired in order, by operator and by the shape of what they give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import torch

from octavo.analysis.compare import Score
from octavo.diagnosis.score import Quality, logits_of, quality_of
from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ops import NONE, Clip
from octavo.pipeline.samples import Samples
from octavo.quant.mixed.sensitivities import watched
from octavo.run.float_run import float_run

__all__ = ["Difference", "Divergence", "compared", "mended"]

_SAME_DB = 60.0
_FEW = 16
_ORDERS = {"rows and columns": (0, 2, 1, 3), "inputs and outputs": (3, 1, 2, 0)}


@dataclass(frozen=True)
class Difference:
    """A node that computes another function of the same inputs than the reference's node does.

    ``kind`` is that of the cause, ``detail`` what is other in words; ``sqnr_db`` is that of its output, both nodes
    given the reference's values.
    """

    node: Node
    other: Node
    kind: str
    detail: str
    sqnr_db: float


@dataclass(frozen=True)
class Divergence:
    """The network's output against the reference's, and the nodes that are to blame, first to last."""

    quality: Quality
    differences: tuple[Difference, ...]
    paired: int
    unpaired: int


def compared(graph: Graph, reference: Graph, samples: Samples) -> Divergence:
    """Both float networks on the same samples; nodes are compared where the outputs differ."""
    if [graph.types[v].shape for v in graph.inputs] != [reference.types[v].shape for v in reference.inputs]:
        raise OctavoError(
            f"reference {reference.name}",
            "takes other inputs than the network",
            "Give the network that this one was made from.",
        )
    given = _named(reference, graph, samples)
    expected = logits_of(reference, watched(reference)[0], given)
    got = logits_of(graph, watched(graph)[0], samples)
    if got.shape != expected.shape:
        raise OctavoError(
            f"reference {reference.name}", "has another first output", "Give the network that this one was made from."
        )
    found = quality_of(expected, got, samples.labels)
    if found.sqnr_db >= _SAME_DB:
        return Divergence(found, (), 0, 0)
    pairs = _pairs(graph, reference)
    few = given.take(np.arange(min(_FEW, len(given))))
    differences = _differences(graph, reference, pairs, few)
    return Divergence(found, tuple(differences), len(pairs), len(graph.nodes) - len(pairs))


def _named(reference: Graph, graph: Graph, samples: Samples) -> Samples:
    names = dict(zip(graph.inputs, reference.inputs, strict=True))
    return Samples({names[name]: array for name, array in samples.inputs.items()}, samples.labels)


def _pairs(graph: Graph, reference: Graph) -> list[tuple[Node, Node]]:
    """Nodes that stand at the same place: the longest common parts of both lists of operators."""
    mine, theirs = ([(node.kind, g.types[node.outputs[0]].shape) for node in g.nodes] for g in (graph, reference))
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    return [(graph.nodes[a + i], reference.nodes[b + i]) for a, b, size in blocks for i in range(size)]


def _differences(graph: Graph, reference: Graph, pairs: list[tuple[Node, Node]], samples: Samples) -> list[Difference]:
    """Every pair given the reference's values: what is wrong before does not hide what is wrong behind."""
    partner = {other.name: node for node, other in pairs}
    found: list[Difference] = []
    values: dict[str, torch.Tensor] = {}
    last = {value: index for index, node in enumerate(reference.nodes) for value in node.inputs}

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        values[name] = value
        other = makers.get(name)
        if other is not None:
            if other.name in partner:
                difference = _difference(graph, reference, partner[other.name], other, values)
                found.extend([difference] if difference else [])
            for read in set(other.inputs):
                if last.get(read) == places[other.name] and read not in reference.consts:
                    values.pop(read, None)
        return value

    makers = reference.producers()
    places = {node.name: index for index, node in enumerate(reference.nodes)}
    with torch.inference_mode():
        float_run(reference, samples.inputs, tap)
    return found


def _difference(
    graph: Graph, reference: Graph, node: Node, other: Node, values: Mapping[str, torch.Tensor]
) -> Difference | None:
    expected = values[other.outputs[0]]
    if len(node.inputs) != len(other.inputs):
        return Difference(node, other, "layer differs", "it reads other inputs", -np.inf)
    arguments = []
    for mine, theirs in zip(node.inputs, other.inputs, strict=True):
        if mine in graph.consts:
            arguments.append(torch.from_numpy(np.array(graph.consts[mine])))
        else:
            arguments.append(values[theirs])
    op: Any = node.op
    try:
        got = op.eval_float(*arguments)
    except RuntimeError:
        return Difference(node, other, "layer differs", "its constants have other shapes", -np.inf)
    score = Score()
    score.update(expected.flatten(1).numpy(), got.flatten(1).numpy())
    if score.sqnr_db >= _SAME_DB:
        return None
    kind, detail = _what(graph, reference, node, other)
    return Difference(node, other, kind, detail, score.sqnr_db)


def _what(graph: Graph, reference: Graph, node: Node, other: Node) -> tuple[str, str]:
    """The kind of cause and the words for it, from the attributes and the constants of both nodes."""
    mine, theirs = vars(node.op), vars(other.op)
    changed = [key for key in theirs if mine.get(key) != theirs[key]]
    if "padding" in changed:
        sides = "(top, bottom, left, right)"
        return "padding", f"it pads {sides} by {mine['padding']}, the original by {theirs['padding']}"
    if "activation" in changed:
        own, other_own = _name(mine["activation"]), _name(theirs["activation"])
        return "activation", f"its activation is {own}, the original's {other_own}"
    if changed:
        values = ", ".join(f"{key} {mine.get(key)} for {theirs[key]}" for key in changed)
        return "layer differs", f"it has {values}"
    for a, b in zip(node.inputs, other.inputs, strict=True):
        if a in graph.consts and not np.array_equal(graph.consts[a], reference.consts[b]):
            return _constants(graph.consts[a], reference.consts[b])
    return "layer differs", "its function is another"


def _constants(mine: Array, theirs: Array) -> tuple[str, str]:
    scale = float(np.abs(theirs).max()) or 1.0
    for name, order in _ORDERS.items():
        if mine.ndim == 4 and theirs.transpose(order).shape == mine.shape:
            if np.abs(theirs.transpose(order) - mine).max() < 1e-4 * scale:
                return "transposed weights", f"its weights have {name} exchanged"
    if mine.ndim == 2 and mine.T.shape == theirs.shape and np.abs(mine.T - theirs).max() < 1e-4 * scale:
        return "transposed weights", "its weights have inputs and outputs exchanged"
    if mine.shape != theirs.shape:
        return "layer differs", f"its weights are {list(mine.shape)}, the original's {list(theirs.shape)}"
    dead = _dead(mine) & ~_dead(theirs)
    if dead.any():
        return "dead channels", f"{int(dead.sum())} of its {dead.size} channels are zero, in the original they are not"
    return "layer differs", "its weights are others"


def _dead(weights: Array) -> Array:
    """The channels, along either end of the axes, whose weights are all zero."""
    axis = weights.ndim - 1 if weights.ndim == 4 and weights.shape[0] == 1 else 0
    rest = tuple(i for i in range(weights.ndim) if i != axis)
    return np.asarray((weights == 0).all(axis=rest)) if rest else np.asarray(weights == 0)


def _name(clip: Any) -> str:
    if clip == NONE:
        return "none"
    if isinstance(clip, Clip) and clip.minimum == 0:
        return "ReLU" if np.isinf(clip.maximum) else f"ReLU{clip.maximum:g}"
    return str(clip)


def mended(graph: Graph, reference: Graph, differences: tuple[Difference, ...]) -> Graph:
    """The network with the original's operator and constants in every node that differs, where shapes allow it."""
    nodes, consts, types = {node.name: node for node in graph.nodes}, dict(graph.consts), dict(graph.types)
    for found in differences:
        node, other = found.node, found.other
        if len(node.inputs) != len(other.inputs):
            continue
        inputs = []
        for mine, theirs in zip(node.inputs, other.inputs, strict=True):
            if theirs not in reference.consts:
                inputs.append(mine)
                continue
            name = f"{mine}.original"
            while name in types:
                name += "_"
            consts[name], types[name] = reference.consts[theirs], reference.types[theirs]
            inputs.append(name)
        nodes[node.name] = Node(node.name, other.op, tuple(inputs), node.outputs, node.source)
    return graph.with_(nodes=tuple(nodes[node.name] for node in graph.nodes), consts=consts, types=types)
