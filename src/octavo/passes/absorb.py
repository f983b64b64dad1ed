"""High-bias absorption: what a ReLU always lets through moves from one layer's bias into the next one's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Node
from octavo.ops import AveragePool2D, Clip, Identity, MaxPool2D, Mean, Minimum, Reshape, ResizeBilinear, ResizeNearest
from octavo.ops.linear import over_weights
from octavo.passes.links import Linear, Link, channel_clips, find_links

__all__ = ["Absorbed", "Absorption", "absorb_biases"]

Vector = NDArray[np.float64]
_SHIFTED = Identity | MaxPool2D | Mean | Reshape | ResizeBilinear | ResizeNearest


@dataclass(frozen=True)
class Absorbed:
    """What moved out of one layer: in how many channels, by at most how much.

    ``share`` is the expected share of the layer's outputs that are no longer exact, those below what moved, and
    ``error`` their expected excess over all outputs of the channels that moved.
    """

    source: str
    channels: int
    largest: float
    share: float
    error: float


@dataclass(frozen=True)
class Absorption:
    """The graph, what was absorbed, and what could not be (source of the first layer, reason)."""

    graph: Graph
    absorbed: tuple[Absorbed, ...]
    left: tuple[tuple[str, str], ...]


def absorb_biases(graph: Graph, spread: float = 3.0) -> Absorption:
    """Move c = max(0, mean - spread * deviation) of a ReLU layer's bias into the next layer's.

    Nagel et al. 2019, Data-Free Quantization, section 4.1.3.
    relu(y) = relu(y - c) + c where y >= c, and W (r + c) + b = W r + (W c + b). For y below c the new network gives c:
    this pass is NOT exact. For a normal y and spread 3 that is 0.135 % of the outputs. Activations become smaller by
    c, so that their range is less wide; after equalization, whose large factors make high biases, that helps most.

    Means and deviations are Graph.moments, which follow. A clip from above (ReLU6, Minimum) moves along exactly.
    Nothing is absorbed where zeros pad the second layer's input (they would have to become -c), and what could
    not be absorbed is listed with its reason.
    """
    links, reasons = find_links(graph)
    left = list(reasons)
    absorbed: list[Absorbed] = []
    for link in links:
        source = link.first.source or link.first.name
        if link.first.inputs[2] not in graph.moments:
            left.append((source, "it has no batch-norm statistics"))
            continue
        mean, deviation = graph.moments[link.first.inputs[2]]
        amount = np.minimum(np.maximum(mean - spread * deviation, 0.0), _ceiling(graph, link))
        if not amount.any():
            continue
        refusal = _refusal(graph, link)
        if refusal is not None:
            left.append((source, refusal))
            continue
        absorbed.append(_affected(source, amount, mean, deviation))
        graph = _moved(graph, link, amount)
    return Absorption(graph, tuple(absorbed), tuple(left))


def _refusal(graph: Graph, link: Link) -> str | None:
    """Why a link's bias cannot move."""
    steps = link.between
    clip = getattr(link.first.op, "activation", None)
    if isinstance(clip, Clip) and clip.is_none and steps and isinstance(steps[0].op, Clip):
        clip, steps = steps[0].op, steps[1:]
    if not isinstance(clip, Clip) or clip.minimum != 0:
        return "it has no ReLU"
    for node in steps:
        pooled = isinstance(node.op, AveragePool2D) and not (any(node.op.padding) and node.op.count_include_pad)
        if not (isinstance(node.op, _SHIFTED | Minimum) or pooled):
            return f"{node.kind} ({node.source or node.name}) does not let a shift of each channel through"
    if any(getattr(link.second.op, "padding", ())):
        return f"zeros pad the input of {link.second.source or link.second.name}: absorption would shift its border"
    return None


def _limits(graph: Graph, link: Link) -> list[tuple[Node, Vector]]:
    """Finite upper bounds of the link's clips, and constants of its Minimum, by node."""
    found: list[tuple[Node, Vector]] = []
    for node in (link.first, *link.between):
        clip = node.op if isinstance(node.op, Clip) else getattr(node.op, "activation", None)
        if isinstance(clip, Clip) and math.isfinite(clip.maximum):
            found.append((node, np.full(link.channels, clip.maximum)))
        if isinstance(node.op, Minimum):
            (name,) = (value for value in node.inputs if value in graph.consts)
            constant = graph.consts[name].astype(np.float64).reshape(-1)
            found.append((node, np.broadcast_to(constant, (link.channels,))))
    return found


def _ceiling(graph: Graph, link: Link) -> Vector:
    bounds = [bound for _, bound in _limits(graph, link)]
    lowest: Vector = np.minimum.reduce([np.full(link.channels, np.inf), *bounds])
    return np.asarray(np.maximum(lowest, 0.0))


def _affected(source: str, amount: Vector, mean: Vector, deviation: Vector) -> Absorbed:
    """P(y < c) over all channels, and E max(c - max(y, 0), 0) over those that moved, for normal y."""
    z = (amount - mean) / np.maximum(deviation, 1e-300)
    varies = (amount > 0) & (deviation > 0)
    below = np.where(varies, torch.special.ndtr(torch.from_numpy(z)).numpy(), 0.0)
    density = np.exp(-0.5 * np.clip(z, -40, 40) ** 2) / math.sqrt(2 * math.pi)
    excess = np.where(varies, (amount - mean) * below + deviation * density, 0.0)
    moved = int((amount > 0).sum())
    return Absorbed(source, moved, float(amount.max()), float(below.mean()), float(excess.sum() / moved))


def _moved(graph: Graph, link: Link, amount: Vector) -> Graph:
    """The graph with ``amount`` taken from the first layer's bias and its clips, and given to the second's."""
    first, second = link.first, link.second
    assert isinstance(second.op, Linear)
    consts = dict(graph.consts)
    weights = consts[second.inputs[1]].astype(np.float64)
    axes = tuple(axis for axis in range(weights.ndim) if axis != second.op.channel_axis)
    gain = (weights * over_weights(second.op, amount, weights.shape)).sum(axis=axes)
    consts[first.inputs[2]] = _stored(consts[first.inputs[2]].astype(np.float64) - amount)
    consts[second.inputs[2]] = _stored(consts[second.inputs[2]].astype(np.float64) + gain)
    types, bounds = dict(graph.types), {}
    for node, bound in _limits(graph, link):
        if isinstance(node.op, Minimum):
            (name,) = (value for value in node.inputs if value in consts)
            shape = (1,) * (len(types[node.outputs[0]].shape) - 1) + (-1,)
            consts[name] = _stored((bound - amount).reshape(shape))
            types[name] = type(types[name])(tuple(consts[name].shape), "float32")
        else:
            bounds[node.name] = np.zeros(link.channels), bound - amount
    mean, deviation = graph.moments[first.inputs[2]]
    moments = {**graph.moments, first.inputs[2]: (mean - amount, deviation)}
    return channel_clips(graph.with_(consts=consts, types=types, moments=moments), bounds)


def _stored(array: Vector) -> NDArray[np.float32]:
    stored = array.astype(np.float32)
    stored.setflags(write=False)
    return stored
