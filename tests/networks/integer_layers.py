"""Random integer layers side by side in one model: what kernel variants are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Node, TensorType
from octavo.lower.lower import IntegerModel
from octavo.num.fixed_point import quantize_multipliers
from octavo.num.qparams import QParams, integer_limits
from octavo.ops.base import IntegerOp
from octavo.ops.half.rounding import random_halves
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.elementwise import QAdd, add_parameters
from octavo.ops.integer.fully_connected import QFullyConnected
from octavo.ops.integer.mean import QMean, mean_parameters
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D

__all__ = [
    "Layer",
    "add",
    "apart",
    "average_pool",
    "convolution",
    "depthwise",
    "fully_connected",
    "in_int4",
    "in_log2",
    "max_pool",
    "mean",
    "random_inputs",
    "side_by_side",
]

Layer = tuple[IntegerOp, Sequence[TensorType], Sequence[NDArray[np.generic]], tuple[int, ...]]
"""An operator, the types of its activations, its constants, and the shape of its output."""


def _window(rng: np.random.Generator, size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(padding before, output size) along an axis, with padding of any kind after."""
    before, after = (int(v) for v in rng.integers(0, kernel, 2))
    if size + before + after < kernel:
        before = kernel - 1
        after = max(0, kernel - size - before)
    return before, (size + before + after - kernel) // stride + 1


def _limits(rng: np.random.Generator) -> dict[str, int]:
    """Zero points and clamp: ReLU from the zero point, the whole byte, or anything."""
    zero_in, zero_out = (int(v) for v in rng.integers(-128, 128, 2))
    kind = rng.integers(0, 4)
    low, high = [(-128, 127), (zero_out, 127), (0, 127), (int(rng.integers(-128, 0)), int(rng.integers(1, 128)))][kind]
    zero_out = 0 if kind == 2 else (-128 if kind == 1 and rng.integers(0, 2) else zero_out)
    low = zero_out if kind == 1 else low
    return {"input_zero_point": zero_in, "output_zero_point": zero_out, "act_min": low, "act_max": max(low, high)}


def _constants(
    rng: np.random.Generator, shape: tuple[int, ...], channels: int, axis: int, per_channel: int
) -> list[NDArray[np.generic]]:
    """Weights, bias, multiplier and shift; now and then a dead channel, and one without a multiplier."""
    w = rng.integers(-127, 128, shape).astype(np.int8)
    fan_in = max(w.size // channels, 1)
    bias = rng.integers(-(2**13), 2**13, channels).astype(np.int32)
    reach = rng.uniform(0.2, 3.0, channels if per_channel else 1) / (60 * np.sqrt(fan_in))
    # Powers of two meet ties.
    reach = np.exp2(np.round(np.log2(reach))) if rng.integers(0, 3) == 0 else reach
    multiplier, shift = quantize_multipliers(reach)
    if per_channel and channels > 2 and rng.integers(0, 2):
        dead, silent = rng.choice(channels, 2, replace=False)
        np.moveaxis(w, axis, 0)[dead] = 0
        bias[dead] = rng.choice([-1, 1]) * (2**30 - int(rng.integers(0, 2**20)))
        multiplier[dead], shift[dead] = 2**30 + int(rng.integers(0, 2**30)), -27
        multiplier[silent], shift[silent] = 0, 0
    return [w, bias, multiplier, shift]


def convolution(rng: np.random.Generator, kernel: tuple[int, int] | None = None) -> Layer:
    """Channels 1 to 67, kernels 1 to 7, strides 1 to 3, any padding."""
    kh, kw = kernel or tuple(int(v) for v in rng.integers(1, 8, 2))
    h, w = (int(v) for v in rng.integers(1, 11, 2))
    in_c, out_c = (int(v) for v in rng.choice([*range(1, 68), 4, 8, 16, 32, 64], 2))
    sh, sw = (1, 1) if kernel == (1, 1) and rng.integers(0, 2) else (int(v) for v in rng.integers(1, 4, 2))
    top, out_h = _window(rng, h, kh, sh)
    left, out_w = _window(rng, w, kw, sw)
    per_channel = int(rng.integers(0, 2))
    op = QConv2D(
        h, w, in_c, out_h, out_w, out_c, kh, kw, sh, sw, 1, 1, top, left, 1, per_channel, **_limits(rng)
    )  # fmt: skip
    constants = _constants(rng, (out_c, kh, kw, in_c), out_c, 0, per_channel)
    return op, [TensorType((1, h, w, in_c), "int8")], constants, (1, out_h, out_w, out_c)


def depthwise(rng: np.random.Generator, kernel: tuple[int, int] | None = None) -> Layer:
    """Channels 1 to 67, kernels 1 to 7, strides 1 to 3, any padding; now and then planes larger than a band."""
    kh, kw = kernel or tuple(int(v) for v in rng.integers(1, 8, 2))
    h, w = (int(v) for v in rng.integers(1, 11, 2))
    if rng.integers(0, 4) == 0:
        h, w = 40, 24
    c = int(rng.integers(1, 68)) if h < 40 else int(rng.integers(1, 6))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    top, out_h = _window(rng, h, kh, sh)
    left, out_w = _window(rng, w, kw, sw)
    per_channel = int(rng.integers(0, 2))
    op = QDepthwiseConv2D(
        h, w, c, out_h, out_w, c, kh, kw, sh, sw, 1, 1, top, left, 1, per_channel, **_limits(rng)
    )  # fmt: skip
    constants = _constants(rng, (1, kh, kw, c), c, 3, per_channel)
    return op, [TensorType((1, h, w, c), "int8")], constants, (1, out_h, out_w, c)


def apart(rng: np.random.Generator) -> Layer:
    """A convolution with groups, dilation or both, or a depthwise one of several outputs a channel."""
    kind = int(rng.integers(0, 4))
    groups = 1 if kind == 0 else int(rng.integers(2, 6))
    inside, outside = (1, int(rng.integers(2, 5))) if kind == 3 else (int(v) for v in rng.integers(1, 18, 2))
    dilation_h, dilation_w = (1, 1) if kind == 1 else (int(v) for v in rng.integers(1, 4, 2))
    dilation_h += kind == 0 and dilation_w == 1
    (h, w), (kh, kw), (sh, sw) = ((int(v) for v in rng.integers(*ends, 2)) for ends in ((1, 11), (1, 5), (1, 3)))
    top, out_h = _window(rng, h, (kh - 1) * dilation_h + 1, sh)
    left, out_w = _window(rng, w, (kw - 1) * dilation_w + 1, sw)
    in_c, out_c, per_channel = groups * inside, groups * outside, int(rng.integers(0, 2))
    shapes = (h, w, in_c, out_h, out_w, out_c, kh, kw, sh, sw, dilation_h, dilation_w, top, left)
    moving, out = [TensorType((1, h, w, in_c), "int8")], (1, out_h, out_w, out_c)
    if kind == 3:
        multiplied = QDepthwiseConv2D(*shapes, outside, per_channel, **_limits(rng))
        return multiplied, moving, _constants(rng, (1, kh, kw, out_c), out_c, 3, per_channel), out
    op = QConv2D(*shapes, groups, per_channel, **_limits(rng))
    return op, moving, _constants(rng, (out_c, kh, kw, inside), out_c, 0, per_channel), out


def fully_connected(rng: np.random.Generator) -> Layer:
    """1 to 3 rows, up to 700 features, sometimes with sums beyond 2^23."""
    rows, size_in, size_out = int(rng.integers(1, 4)), int(rng.integers(1, 700)), int(rng.integers(1, 40))
    per_channel = int(rng.integers(0, 2))
    constants = _constants(rng, (size_out, size_in), size_out, 0, per_channel)
    if rng.integers(0, 3) == 0:
        constants[0] = np.where(constants[0] < 0, -127, 127).astype(np.int8)
    op = QFullyConnected(rows, size_in, size_out, per_channel, **_limits(rng))
    shape = (1, size_in) if rows == 1 else (1, rows, size_in)
    return op, [TensorType(shape, "int8")], constants, (*shape[:-1], size_out)


def add(rng: np.random.Generator) -> Layer:
    """Of one shape, with scales that differ by up to a hundred."""
    shape = (1, *(int(v) for v in rng.integers(1, 9, 3)))
    scales = rng.uniform(0.01, 0.2, 3) * rng.choice([1, 1, 10], 3)
    if rng.integers(0, 3) == 0:
        scales = np.exp2(np.round(np.log2(scales)))
    encodings = [
        QParams("int8", np.array([s], np.float32), np.array([z]))
        for s, z in zip(scales, rng.integers(-128, 128, 3), strict=True)
    ]
    h, w, c = shape[1:]
    strides = (h * w * c, h * w * c, w * c, c, 1)
    limits = _limits(rng)
    fields = add_parameters(*encodings)
    low, high = limits["act_min"], limits["act_max"]
    op = QAdd((1, *shape), strides, strides, act_min=low, act_max=high, **fields)
    return op, [TensorType(shape, "int8")] * 2, [], shape


def average_pool(rng: np.random.Generator) -> Layer:
    """Windows of 1 to 7, strides 1 to 3, any padding, counted or not."""
    pool, (image,), _, shape = max_pool(rng)
    counted, zero_point = int(rng.integers(0, 2)), int(rng.integers(-128, 128))
    op = QAveragePool2D(**asdict(pool), count_include_pad=counted, input_zero_point=zero_point)
    return op, [image], [], shape


def max_pool(rng: np.random.Generator) -> Layer:
    """Windows of 1 to 7, strides 1 to 3, any padding."""
    h, w, kh, kw = (int(v) for v in rng.integers((1, 1, 1, 1), (11, 11, 8, 8)))
    c = int(rng.integers(1, 68))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    top, out_h = _window(rng, h, kh, sh)
    left, out_w = _window(rng, w, kw, sw)
    limits = _limits(rng)
    op = QMaxPool2D(h, w, c, out_h, out_w, kh, kw, sh, sw, top, left, limits["act_min"], limits["act_max"])
    return op, [TensorType((1, h, w, c), "int8")], [], (1, out_h, out_w, c)


def mean(rng: np.random.Generator) -> Layer:
    """Over 2 to 700 pixels of up to three images, channels 4 to 67, scales that differ by up to two."""
    outer, reduced, inner = (int(v) for v in rng.integers((1, 2, 4), (4, 80, 68)))
    if rng.integers(0, 4) == 0:
        reduced = int(rng.integers(200, 701))
    scales = (0.1 * np.exp2(rng.uniform(-1, 1, 2))).astype(np.float32)
    if rng.integers(0, 3) == 0:
        scales[1] = scales[0]
    x, y = (
        QParams("int8", np.array([s]), np.array([z])) for s, z in zip(scales, rng.integers(-128, 128, 2), strict=True)
    )
    shape = (1, outer, inner)
    op = QMean(outer, reduced, inner, (0, 0, *shape), **mean_parameters(x, y, reduced))
    return op, [TensorType((1, outer, reduced, inner), "int8")], [], shape


def in_int4(rng: np.random.Generator, layer: Layer) -> Layer:
    """A linear layer with weights of four bits: most of them in [-7, 7]."""
    return _with_weights(layer, rng.integers(-7, 8, layer[2][0].shape))


def in_log2(rng: np.random.Generator, layer: Layer) -> Layer:
    """A linear layer whose weights are powers of two, or 0, with a 64 among them."""
    sizes = np.where(rng.integers(0, 8, layer[2][0].shape) == 0, 0, 2 ** rng.integers(0, 7, layer[2][0].shape))
    sizes.reshape(-1)[0] = 64
    return _with_weights(layer, sizes * rng.choice([-1, 1], sizes.shape))


def _with_weights(layer: Layer, weights: NDArray[np.int64]) -> Layer:
    """The layer with other weights and the same dead channels."""
    op, moving, (before, *rest), shape = layer
    return op, moving, [np.where(_dead(op, before), 0, weights).astype(np.int8), *rest], shape


def _dead(op: IntegerOp, weights: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a channel of the output has no weights but zeros."""
    axis = 3 if isinstance(op, QDepthwiseConv2D) else 0
    others = tuple(i for i in range(weights.ndim) if i != axis)
    return np.asarray((weights == 0).all(axis=others, keepdims=True))


def side_by_side(layers: Sequence[Layer]) -> IntegerModel:
    """A model with an input (or two) and an output for each layer."""
    nodes, inputs, outputs = [], [], []
    types: dict[str, TensorType] = {}
    consts: dict[str, NDArray[np.generic]] = {}
    for i, (op, moving, constants, shape) in enumerate(layers):
        names = [f"x{i}_{j}" for j in range(len(moving))]
        fixed = [f"c{i}_{j}" for j in range(len(constants))]
        types |= dict(zip(names, moving, strict=True)) | {f"y{i}": TensorType(shape, op.dtype)}
        consts |= dict(zip(fixed, constants, strict=True))
        types |= {n: TensorType(v.shape, str(v.dtype)) for n, v in zip(fixed, constants, strict=True)}
        nodes.append(Node(f"layer{i}", op, (*names, *fixed), (f"y{i}",), f"layer{i}"))
        inputs += names
        outputs.append(f"y{i}")
    graph = Graph("layers", tuple(inputs), tuple(outputs), tuple(nodes), types, consts)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.int64)
    return IntegerModel(graph, {name: QParams(types[name].dtype, one, zero) for name in graph.activations()})


def random_inputs(model: IntegerModel, count: int, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Random samples [count, ...], the first all of the smallest number and the second all of the largest."""
    made: dict[str, NDArray[np.generic]] = {}
    for name in model.graph.inputs:
        type_ = model.graph.types[name]
        low, high = integer_limits(type_.dtype)
        shape = (count, *type_.shape[1:])
        half = type_.dtype == "float16"
        x = random_halves(rng, shape) if half else rng.integers(low, high + 1, shape).astype(type_.dtype)
        x[0], x[1] = low, high
        made[name] = x
    return made
