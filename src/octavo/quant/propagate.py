"""How means and standard deviations of the channels pass through each operator, without data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.num.normals import ClippedNormals
from octavo.ops import (
    NONE,
    Add,
    AveragePool2D,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Identity,
    Maximum,
    MaxPool2D,
    Mean,
    Minimum,
    Mul,
    Pad,
    Prelu,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Softmax,
    Sub,
    Transpose,
    TransposeConv2D,
    Unary,
)

__all__ = ["mean_product", "propagated"]

Vector = NDArray[np.float64]
States = Mapping[str, ClippedNormals]
_SAME = Identity | MaxPool2D | Pad | Requantize | ResizeBilinear | ResizeNearest
_POINTS = 513


def propagated(graph: Graph, node: Node, states: States) -> ClippedNormals:
    """What ``node`` gives when its inputs are as in ``states``; OctavoError where that cannot be told.

    1. A linear layer with moments (a folded batch norm) gives these, whatever its input.
    2. Another linear layer: mean W m + b, variance W^2 v, as if all inputs of a window were independent.
    3. Clips and Minimum, Maximum with a constant clip the normal variable, in closed form.
    4. Add and Sub: means and variances add, covariance is ignored. Mul: a product of independent variables.
    5. Pooling, Mean, Pad, resizing pass (an average is a normal variable of the same mean and, for want of better,
       variance; the mean of a maximum is not made larger); Reshape, Transpose, Slice and Concat move channels along.
    6. Functions of one element: mean and variance by quadrature over the normal density.
    """
    for kinds, rule in _RULES:
        if isinstance(node.op, kinds):
            state = rule(graph, node, states)
            if state is not None:
                clip = getattr(node.op, "activation", None)
                return state.clipped(clip.minimum, clip.maximum) if isinstance(clip, Clip) else state
    shapes = ", ".join(str(graph.types[value]) for value in node.inputs)
    raise OctavoError(
        node.source or node.name,
        f"{node.kind} of {shapes}: means and deviations cannot be told without data",
        "Calibrate with data.",
    )


def mean_product(graph: Graph, node: Node, weights: Vector, mean: Vector) -> Vector:
    """[C]: a linear layer's product of ``weights`` and its mean input ([C], or an image), averaged over positions.

    Linear: this is the mean of the products. Zeros of the padding count as what they are.
    """
    op: Any = replace(node.op, activation=NONE)  # type: ignore[type-var]
    shape = graph.types[node.inputs[0]].shape
    x = torch.from_numpy(np.array(np.broadcast_to(mean, shape), np.float64))
    zeros = torch.zeros(graph.types[node.outputs[0]].shape[-1], dtype=torch.float64)
    with torch.inference_mode():
        y = op.eval_float(x, torch.from_numpy(np.asarray(weights, np.float64)), zeros)
    return np.asarray(y.reshape(-1, y.shape[-1]).mean(0).numpy())


def _linear(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    bias = node.inputs[2]
    if bias in graph.moments:
        return ClippedNormals.of(*graph.moments[bias])
    if any(value not in graph.consts for value in node.inputs[1:]):
        return None
    x = states[node.inputs[0]]
    weights, added = (graph.consts[value].astype(np.float64) for value in node.inputs[1:])
    variance = mean_product(graph, node, weights**2, x.variance)
    return ClippedNormals.of(mean_product(graph, node, weights, x.mean) + added, np.sqrt(variance))


def _clip(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    assert isinstance(node.op, Clip)
    return states[node.inputs[0]].clipped(node.op.minimum, node.op.maximum)


def _operands(graph: Graph, node: Node, states: States) -> list[ClippedNormals | Vector] | None:
    """Both operands, constants as vectors [C]; None where a constant varies over more than the last axis."""
    channels = graph.types[node.outputs[0]].shape[-1]
    found: list[ClippedNormals | Vector] = []
    for value in node.inputs:
        if value in graph.consts:
            constant = graph.consts[value].astype(np.float64)
            if constant.ndim and constant.size != constant.shape[-1]:
                return None
            found.append(np.broadcast_to(constant.reshape(-1), (channels,)))
        else:
            found.append(states[value].part(np.arange(channels) % len(states[value].centre)))
    return found


def _clamp(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    match _operands(graph, node, states):
        case (ClippedNormals() as x, np.ndarray() as bound) | (np.ndarray() as bound, ClippedNormals() as x):
            return x.clipped(-np.inf, bound) if isinstance(node.op, Minimum) else x.clipped(bound, np.inf)
    return None


def _sum(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    sign = -1.0 if isinstance(node.op, Sub) else 1.0
    match _operands(graph, node, states):
        case ClippedNormals() as x, np.ndarray() as constant:
            return x.affine(1.0, sign * constant)
        case np.ndarray() as constant, ClippedNormals() as y:
            return y.affine(sign, constant)
        case ClippedNormals() as x, ClippedNormals() as y:
            y = y.affine(sign, 0.0)
            deviation = np.sqrt(x.variance + y.variance)
            bounds = _least(x) + _least(y), _most(x) + _most(y)
            return ClippedNormals.of(x.mean + y.mean, deviation, *bounds)
    return None


def _product(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    match _operands(graph, node, states):
        case (ClippedNormals() as x, np.ndarray() as factor) | (np.ndarray() as factor, ClippedNormals() as x):
            return x.affine(factor, 0.0)
        case ClippedNormals() as x, ClippedNormals() as y:
            variance = x.variance * y.variance + x.variance * y.mean**2 + y.variance * x.mean**2
            with np.errstate(invalid="ignore"):
                corners = [np.nan_to_num(a * b, nan=0.0, posinf=np.inf, neginf=-np.inf)
                           for a in (_least(x), _most(x)) for b in (_least(y), _most(y))]  # fmt: skip
            bounds = np.minimum.reduce(corners), np.maximum.reduce(corners)
            return ClippedNormals.of(x.mean * y.mean, np.sqrt(variance), *bounds)
    return None


def _least(x: ClippedNormals) -> Vector:
    return np.maximum(x.low, x.least)


def _most(x: ClippedNormals) -> Vector:
    return np.minimum(x.high, x.most)


def _same(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    kept = graph.types[node.inputs[0]].shape[-1] == graph.types[node.outputs[0]].shape[-1]
    return states[node.inputs[0]] if kept else None


def _average(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    last = len(graph.types[node.inputs[0]].shape) - 1
    if isinstance(node.op, Mean) and last in node.op.axes:
        return None
    x = states[node.inputs[0]]
    return ClippedNormals.of(x.mean, np.sqrt(x.variance), _least(x), _most(x))


def _mixture(x: ClippedNormals, channels: int) -> ClippedNormals:
    """Channels that become one: [n * channels] to [channels]."""
    means, variances = x.mean.reshape(-1, channels), x.variance.reshape(-1, channels)
    deviation = np.sqrt(variances.mean(0) + means.var(0))
    bounds = _least(x).reshape(-1, channels).min(0), _most(x).reshape(-1, channels).max(0)
    return ClippedNormals.of(means.mean(0), deviation, *bounds)


def _reshape(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    x, before = states[node.inputs[0]], graph.types[node.inputs[0]].shape
    channels, after = before[-1], graph.types[node.outputs[0]].shape[-1]
    if after == channels:
        return x
    if after % channels == 0 and after in np.multiply.accumulate(before[::-1]):
        return x.part(np.arange(after) % channels)
    return _mixture(x, after) if channels % after == 0 else None


def _transpose(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    assert isinstance(node.op, Transpose)
    return states[node.inputs[0]] if node.op.perm[-1] == len(node.op.perm) - 1 else None


def _slice(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    assert isinstance(node.op, Slice)
    op = node.op
    return states[node.inputs[0]].part(slice(op.begin[-1], op.end[-1], op.stride[-1]))


def _concat(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    assert isinstance(node.op, Concat)
    if any(value in graph.consts for value in node.inputs):
        return None
    parts = [states[value] for value in node.inputs]
    names = ("centre", "deviation", "low", "high", "least", "most")
    joined = ClippedNormals(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    last = len(graph.types[node.outputs[0]].shape) - 1
    return joined if node.op.axis == last else _mixture(joined, len(parts[0].centre))


def _function(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    op: Any = node.op
    x = states[node.inputs[0]]
    z = np.linspace(-8.0, 8.0, _POINTS)
    weight = np.exp(-0.5 * z * z)
    weight /= weight.sum()
    points = np.clip(x.centre + x.deviation * z[:, None], x.low, x.high)
    others = [torch.from_numpy(graph.consts[value].astype(np.float64)) for value in node.inputs[1:]]
    values = op.eval_float(torch.from_numpy(points), *others).numpy()
    if not np.isfinite(values).all():
        return None
    mean = weight @ values
    return ClippedNormals.of(mean, np.sqrt(weight @ (values - mean) ** 2), values.min(0), values.max(0))


def _softmax(graph: Graph, node: Node, states: States) -> ClippedNormals | None:
    classes = graph.types[node.outputs[0]].shape[-1]
    mean = np.full(classes, 1 / classes)
    return ClippedNormals.of(mean, np.sqrt(mean * (1 - mean)), 0.0, 1.0)


_Rule = Callable[[Graph, Node, States], ClippedNormals | None]
_RULES: tuple[tuple[Any, _Rule], ...] = (
    (Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv2D, _linear),
    (Clip, _clip),
    (Minimum | Maximum, _clamp),
    (Add | Sub, _sum),
    (Mul, _product),
    (_SAME, _same),
    (AveragePool2D | Mean, _average),
    (Reshape, _reshape),
    (Transpose, _transpose),
    (Slice, _slice),
    (Concat, _concat),
    (Softmax, _softmax),
    (Unary | Prelu, _function),
)
