"""Puts clips into the operators before them."""

from __future__ import annotations

import math
from dataclasses import replace

from octavo.ir.graph import Graph, Node
from octavo.ops import Add, Clip, Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Mul, Sub, TransposeConv2D
from octavo.passes.ranges import bounds
from octavo.passes.rewrite import Draft, sweep

__all__ = ["composed", "fuse_activation"]

_FUSABLE = {(0.0, math.inf), (0.0, 6.0), (-1.0, 1.0)}
_WITH_ACTIVATION = Conv2D | DepthwiseConv2D | TransposeConv2D | FullyConnected | Add | Sub | Mul


def fuse_activation(graph: Graph) -> Graph:
    """Merge clips with each other and with what they follow.

    1. A Clip that cannot cut anything, by the range of its input, goes away.
    2. Clip after Clip becomes one Clip.
    3. A Clip to (0, inf), (0, 6) or (-1, 1) becomes the activation of the Conv2D, DepthwiseConv2D, TransposeConv2D,
       FullyConnected, Add, Sub or Mul before it, if that has none and nothing else reads it.
    4. The same through a MaxPool2D in between, with which a Clip commutes.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    clip = node.op
    if not isinstance(clip, Clip) or clip.is_none:
        return None
    (x,) = node.inputs
    low, high = bounds(draft, x)
    if clip.minimum <= low and high <= clip.maximum:
        return x
    inner = draft.producer(x)
    if inner is not None and isinstance(inner.op, Clip):
        return draft.add(composed(inner.op, clip), list(inner.inputs), node)
    if inner is not None and isinstance(inner.op, MaxPool2D) and draft.read_once(x):
        fused = _fused(draft, inner.inputs[0], clip)
        return None if fused is None else draft.add(inner.op, [fused], inner)
    return _fused(draft, x, clip)


def composed(first: Clip, then: Clip) -> Clip:
    """One Clip for two: the bounds of the first, clipped by the second."""

    def clipped(bound: float) -> float:
        return min(max(bound, then.minimum), then.maximum)

    return Clip(clipped(first.minimum), clipped(first.maximum))


def _fused(draft: Draft, value: str, clip: Clip) -> str | None:
    """``value`` computed again with the clip as its activation, or None."""
    node = draft.producer(value)
    if node is None or not isinstance(node.op, _WITH_ACTIVATION) or not draft.read_once(value):
        return None
    if not node.op.activation.is_none or (clip.minimum, clip.maximum) not in _FUSABLE:
        return None
    return draft.add(replace(node.op, activation=clip), list(node.inputs), node)
