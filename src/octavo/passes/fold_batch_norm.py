"""Folds affine functions of the channels into the weights of their neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Moments, Node
from octavo.ops import Conv2D, DepthwiseConv2D, FullyConnected, Pad, Reshape, TransposeConv2D
from octavo.ops.linear import over_weights
from octavo.passes.affine import Affine, affine_chain, affine_of
from octavo.passes.rewrite import Draft, sweep

__all__ = ["fold_batch_norm"]

_Linear = Conv2D | DepthwiseConv2D | TransposeConv2D | FullyConnected
Array64 = NDArray[np.float64]


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold BatchNorm, and Mul, Add, Sub, Neg with constants per channel, exactly; all in float64, stored in float32.

    1. After Conv2D, DepthwiseConv2D, TransposeConv2D or FullyConnected without an activation, which nothing else
       reads: scale into the output channels, shift into the bias, an activation goes along.
    2. Before one of them, if nothing but such operators reads it: scale into the input channels, shift into the
       bias. Where zeros pad the image (or a TransposeConv2D overlaps), only a shift of zero is exact.
    3. As 2, with padding, when one number v makes v * scale + shift = 0 in every channel: the image is padded by v.
    4. As 2, through the Reshape that flattens an image in front of a FullyConnected.
    5. Several affine functions in a row fold together. Those that have no such neighbour stay, for
       replace_batch_norm.

    A BatchNorm that folds as in 1 tells the moments of the layer's output (Graph.moments): the mean is beta, the
    standard deviation |gamma| sqrt(variance / (variance + epsilon)). Other affine functions that fold after it move
    them, folding before the layer leaves them as they are.

    A scale of zero (gamma = 0) leaves weights of zero; a tiny variance is scaled in float64; what float32 cannot
    hold is left alone.
    """
    linear_only = {
        value
        for value, readers in graph.consumers().items()
        if value not in graph.outputs and all(isinstance(reader.op, _Linear | Reshape) for reader in readers)
    }

    def rule(draft: Draft, node: Node) -> str | None:
        if isinstance(node.op, _Linear):
            return _folded_before(draft, node, linear_only)
        affine = affine_of(draft, node)
        return None if affine is None else _folded_after(draft, affine)

    return sweep(graph, rule)


def _parameters(draft: Draft, node: Node) -> tuple[Array64, Array64] | None:
    """Weights and bias of a linear operator, if they are constants."""
    values = draft.values(node.inputs[1:])
    return None if values is None else (values[0], values[1])


def _folded_after(draft: Draft, affine: Affine) -> str | None:
    node = draft.producer(affine.x)
    if node is None or not isinstance(node.op, _Linear) or not draft.read_once(affine.x):
        return None
    parameters = _parameters(draft, node)
    if parameters is None or not node.op.activation.is_none:
        return None
    weights, bias = parameters
    shape = [1] * weights.ndim
    shape[node.op.channel_axis] = affine.scale.size
    scaled = weights * affine.scale.reshape(shape)
    moments = affine.moments or affine.moved(draft.moments(node.inputs[2]))
    op = replace(node.op, activation=affine.activation)
    return _rebuilt(draft, node, op, scaled, bias * affine.scale + affine.shift, moments)


def _folded_before(draft: Draft, node: Node, linear_only: set[str]) -> str | None:
    """``node`` with the affine functions before it folded in: all of them if that is exact, else the last one."""
    value = node.inputs[0]
    made = draft.producer(value)
    if made is not None and isinstance(made.op, Reshape) and isinstance(node.op, FullyConnected):
        value = made.inputs[0]
    last = affine_of(draft, draft.producer(value))
    if last is None or not {node.inputs[0], value} <= linear_only or not last.activation.is_none:
        return None
    for affine in (affine_chain(draft, last), last):
        if draft.shape(affine.x) != draft.shape(value):
            continue
        x, seen = affine.x, affine
        if value != node.inputs[0] and made is not None:
            tiled = _tiled(affine, draft.shape(value), draft.shape(node.inputs[0]))
            if tiled is None:
                return None
            x, seen = draft.add(made.op, [affine.x], made), tiled
        folded = _folded_into(draft, node, seen, x)
        if folded is not None:
            return folded
    return None


def _tiled(affine: Affine, image: tuple[int, ...], flat: tuple[int, ...]) -> Affine | None:
    """The function on the features of a flattened image, if these are whole pixels."""
    size = flat[-1]
    trailing = np.multiply.accumulate(image[::-1])
    if size not in trailing or size % image[-1]:
        return None
    repeat = size // image[-1]
    return replace(affine, scale=np.tile(affine.scale, repeat), shift=np.tile(affine.shift, repeat))


def _folded_into(draft: Draft, node: Node, affine: Affine, x: str) -> str | None:
    op, parameters = node.op, _parameters(draft, node)
    assert isinstance(op, _Linear)
    if parameters is None:
        return None
    weights, bias = parameters
    if isinstance(op, TransposeConv2D) and affine.shift.any():
        return None
    if isinstance(op, Conv2D | DepthwiseConv2D) and any(op.padding) and affine.shift.any():
        border = _border(affine)
        if border is None:
            return None
        top, bottom, left, right = op.padding
        x = draft.add(Pad((0, top, left, 0), (0, bottom, right, 0), border), [x], node)
        op = replace(op, padding=(0, 0, 0, 0))
    scale, shift = over_weights(op, affine.scale, weights.shape), over_weights(op, affine.shift, weights.shape)
    axes = tuple(axis for axis in range(weights.ndim) if axis != op.channel_axis)
    moved = replace(node, inputs=(x, *node.inputs[1:]))
    moments = draft.moments(node.inputs[2])
    return _rebuilt(draft, moved, op, weights * scale, bias + (weights * shift).sum(axis=axes), moments)


def _border(affine: Affine) -> float | None:
    """The number that the function turns into zero in every channel."""
    if not affine.scale.all():
        return None
    zeros = -affine.shift / affine.scale
    return float(np.float32(zeros[0])) if np.allclose(zeros, zeros[0], rtol=1e-6, atol=0.0) else None


def _rebuilt(
    draft: Draft, node: Node, op: _Linear, weights: Array64, bias: Array64, moments: Moments | None
) -> str | None:
    """The linear operator with new weights, unless float32 cannot hold them."""
    largest = float(np.finfo(np.float32).max)
    if np.abs(weights).max(initial=0.0) > largest or np.abs(bias).max(initial=0.0) > largest:
        return None
    inputs = [node.inputs[0], draft.const(weights, node.inputs[1]), draft.const(bias, node.inputs[2])]
    if moments is not None:
        draft.set_moments(inputs[2], moments)
    return draft.add(op, inputs, node)
