"""Readers of layers with parameters, windows and arithmetic."""

from __future__ import annotations

import numpy as np

from octavo.formats.tflite.parse import DAMAGED
from octavo.formats.tflite.step import Step, encoding
from octavo.ir.graph import Array
from octavo.ops import (
    NONE,
    Add,
    AveragePool2D,
    Clip,
    Conv2D,
    DepthwiseConv2D,
    Div,
    FullyConnected,
    LeakyRelu,
    LogSoftmax,
    Maximum,
    MaxPool2D,
    Mean,
    Minimum,
    Mul,
    Op,
    Prelu,
    Reshape,
    Softmax,
    Sub,
    Sum,
    TransposeConv2D,
)

__all__ = [
    "conv2d",
    "depthwise_conv2d",
    "divide",
    "elementwise",
    "fully_connected",
    "leaky_relu",
    "plain",
    "pool2d",
    "prelu",
    "reduce",
    "softmax",
    "transpose_conv2d",
    "with_clip",
]

_ACTIVATIONS = {0: NONE, 1: Clip(0.0), 2: Clip(-1.0, 1.0), 3: Clip(0.0, 6.0)}
_SAME = 0
_BIAS_TOLERANCE = 0.02
_MAX_STRIDE = 2**16

Quad = tuple[int, int, int, int]


def plain(step: Step, op: Op) -> None:
    """An operator of one tensor without attributes of the file."""
    step.finish(op, [step.x()])


def _activation(step: Step) -> Clip:
    code = step.option("FusedActivationFunction")
    if code not in _ACTIVATIONS:
        raise step.refuse(f"has the fused activation {code}", "Use RELU, RELU6, RELU_N1_TO_1 or a separate operator.")
    return _ACTIVATIONS[code]


def _pair(step: Step, height: str, width: str, default: int = 1) -> tuple[int, int]:
    pair = step.option(height, default), step.option(width, default)
    if not all(1 <= value <= _MAX_STRIDE for value in pair):
        raise step.refuse(f"has {height} {pair[0]} and {width} {pair[1]}")
    return pair


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TFLite's SAME: ceil(size / stride) outputs, the odd element at the end."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _padding(step: Step, shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int],
             dilation: tuple[int, int] = (1, 1)) -> Quad:  # fmt: skip
    if len(shape) != 4:
        raise step.refuse(f"has an input of shape {list(shape)}, four axes are needed")
    if step.option("Padding") != _SAME:
        return 0, 0, 0, 0
    (top, bottom), (left, right) = (_same(*sizes) for sizes in zip(shape[1:3], kernel, stride, dilation, strict=True))
    return top, bottom, left, right


def _weights(step: Step, position: int, rank: int, channel_axis: int) -> tuple[str, tuple[int, ...]]:
    """The weights as a graph constant, and their shape."""
    values, tensor = step.real(position), step.tensor(position)
    if values.ndim != rank or 0 in values.shape:
        raise step.refuse(f"has weights of shape {list(values.shape)}, {rank} axes are needed")
    if step.reading.quantized:
        params = encoding(tensor, step.where)
        if params.zero_point.any() or (params.per_channel and tensor.axis != channel_axis):
            why = f"weights {tensor.name[:80]} have a zero point, or scales along another axis than {channel_axis}"
            raise step.refuse(why, "Convert the model with symmetric int8 weights (the converter's default).")
    return step.add_const(values, position), values.shape


def _bias(step: Step, position: int, channels: int, x: str, weights: str) -> str:
    """The bias as a constant; of an int8 model in float64, in the exact scale of the accumulator."""
    hint = f"{step.out().name.split(';')[0][:80]}/bias"
    if not step.has(position):
        return step.reading.builder.const(np.zeros(channels, np.float32), hint)
    stored, tensor = step.array(position), step.tensor(position)
    if stored.size != channels:
        raise step.refuse(f"has {stored.size} biases for {channels} channels")
    stored = stored.reshape(channels)
    if not step.reading.quantized:
        return step.add_const(step.real(position).reshape(channels), position)
    if stored.dtype != np.int32:
        raise step.refuse(f"has a bias of type {tensor.type}", "Convert the model with an int32 bias.")
    qparams = step.reading.qparams
    scale = qparams[x].scale.astype(np.float64) * qparams[weights].scale.astype(np.float64)
    if tensor.quantized:
        off = np.abs(tensor.scale.astype(np.float64) / scale - 1) if tensor.scale.size in (1, scale.size) else [np.inf]
        if np.max(off) > _BIAS_TOLERANCE:
            why = f"the scale of its bias {tensor.name[:80]} is not the product of the input's and the weights' scale"
            raise step.refuse(why, DAMAGED)
    return step.add_const(stored.astype(np.float64) * scale, position, tensor.name.split(";")[0][:80])


def conv2d(step: Step) -> None:
    """CONV_2D: weights [O, KH, KW, I / groups]."""
    x, shape = step.x(), step.shape()
    weights, (channels, kernel_h, kernel_w, depth) = _weights(step, 1, 4, 0)
    stride, dilation = _pair(step, "StrideH", "StrideW"), _pair(step, "DilationHFactor", "DilationWFactor")
    padding = _padding(step, shape, (kernel_h, kernel_w), stride, dilation)
    if shape[3] % depth:
        raise step.refuse(f"has weights for {depth} channels on an input with {shape[3]}")
    op = Conv2D(stride, padding, dilation, shape[3] // depth, _activation(step))
    step.finish(op, [x, weights, _bias(step, 2, channels, x, weights)])


def depthwise_conv2d(step: Step) -> None:
    """DEPTHWISE_CONV_2D: weights [1, KH, KW, C * multiplier]."""
    x, shape = step.x(), step.shape()
    weights, (_, kernel_h, kernel_w, channels) = _weights(step, 1, 4, 3)
    stride, dilation = _pair(step, "StrideH", "StrideW"), _pair(step, "DilationHFactor", "DilationWFactor")
    padding = _padding(step, shape, (kernel_h, kernel_w), stride, dilation)
    op = DepthwiseConv2D(stride, padding, dilation, _activation(step))
    step.finish(op, [x, weights, _bias(step, 2, channels, x, weights)])


def transpose_conv2d(step: Step) -> None:
    """TRANSPOSE_CONV: output shape, weights [O, KH, KW, I], input, optional bias."""
    size, x, shape = step.ints(0), step.x(2), step.shape(2)
    weights, (channels, *kernel, _) = _weights(step, 1, 4, 0)
    stride = _pair(step, "StrideH", "StrideW")
    if len(size) != 4 or len(shape) != 4:
        raise step.refuse(f"has the output shape {list(size)} for an input of shape {list(shape)}")
    sides: list[int] = []
    for axis in (0, 1):
        out, k, s = size[axis + 1], kernel[axis], stride[axis]
        before = _same(out, k, s, 1)[0] if step.option("Padding") == _SAME else 0
        sides += [before, (shape[axis + 1] - 1) * s + k - before - out]
    top, bottom, left, right = sides
    op = TransposeConv2D(stride, (top, bottom, left, right), _activation(step))
    step.finish(op, [x, weights, _bias(step, 3, channels, x, weights)])


def fully_connected(step: Step) -> None:
    """FULLY_CONNECTED: weights [O, I]; the input becomes [-1, I] unless it keeps its axes."""
    if step.option("WeightsFormat"):
        raise step.refuse("has shuffled weights", "Convert the model with the default weights format.")
    x, shape = step.x(), step.shape()
    weights, (channels, features) = _weights(step, 1, 2, 0)
    size = int(np.prod(shape, dtype=np.int64))
    if size % features:
        raise step.refuse(f"has weights for {features} features on an input of shape {list(shape)}")
    rows = (size // features, features)
    if not step.option("KeepNumDims") and shape != rows:
        x = step.emit(Reshape(rows), [x], x)
    step.finish(FullyConnected(_activation(step)), [x, weights, _bias(step, 2, channels, x, weights)])


def pool2d(step: Step, kind: type[AveragePool2D] | type[MaxPool2D]) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    kernel, stride = _pair(step, "FilterHeight", "FilterWidth"), _pair(step, "StrideH", "StrideW")
    padding = _padding(step, step.shape(), kernel, stride)
    with_clip(step, kind(kernel, stride, padding), [step.x()])


def with_clip(step: Step, op: Op, inputs: list[str]) -> None:
    """An operator without an activation of its own, followed by the file's."""
    activation = _activation(step)
    if activation.is_none:
        step.finish(op, inputs)
        return
    inner = step.emit(op, inputs, inputs[0])
    step.finish(activation, [inner])


def _operands(step: Step) -> list[str]:
    """Both inputs with the same number of axes: constants are reshaped, values get a Reshape."""
    rank = max(len(step.shape(0)), len(step.shape(1)))
    operands = []
    for position in (0, 1):
        shape = step.shape(position)
        full = (1,) * (rank - len(shape)) + shape
        if step.is_const(position):
            operands.append(step.add_const(step.real(position).reshape(full), position))
        else:
            x = step.x(position)
            operands.append(x if shape == full else step.emit(Reshape(full), [x], x))
    return operands


def elementwise(step: Step, kind: type[Add] | type[Sub] | type[Mul] | type[Maximum] | type[Minimum]) -> None:
    """ADD, SUB, MUL with a fused activation; MAXIMUM and MINIMUM."""
    fused = kind(_activation(step)) if kind in (Add, Sub, Mul) else kind()
    step.finish(fused, _operands(step))


def divide(step: Step) -> None:
    """DIV: by a constant it is a product."""
    if step.reading.quantized:
        raise step.refuse("divides in integers, which is not supported", "Leave this step to the host.")
    activation = _activation(step)
    if not step.is_const(1):
        a, b = _operands(step)
        inner = step.emit(Div(), [a, b], a) if not activation.is_none else ""
        step.finish(activation, [inner]) if inner else step.finish(Div(), [a, b])
        return
    divisor: Array = step.real(1)
    if (divisor == 0).any():
        raise step.refuse("divides by zero", "Repair the model's constants.")
    rank = max(len(step.shape(0)), divisor.ndim)
    full = (1,) * (rank - divisor.ndim) + divisor.shape
    factor = step.add_const((1.0 / divisor.astype(np.float64)).astype(np.float32).reshape(full), 1)
    x, shape = step.x(0), step.shape(0)
    if len(shape) < rank:
        x = step.emit(Reshape((1,) * (rank - len(shape)) + shape), [x], x)
    step.finish(Mul(activation), [x, factor])


def reduce(step: Step, kind: type[Mean] | type[Sum]) -> None:
    """MEAN and SUM over constant axes."""
    rank = len(step.shape())
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in step.ints(1)}))
    step.finish(kind(axes, bool(step.option("KeepDims"))), [step.x()])


def softmax(step: Step, kind: type[Softmax] | type[LogSoftmax]) -> None:
    """SOFTMAX (its beta is a factor before it) and LOG_SOFTMAX."""
    x = step.x()
    beta = step.real_option("Beta", 1.0) if kind is Softmax else 1.0
    if beta != 1.0 and step.reading.quantized:
        raise step.refuse(f"has beta {beta}", "Use a softmax with beta 1.")
    if beta != 1.0:
        factor = np.full((1,) * len(step.shape()), beta, np.float32)
        x = step.emit(Mul(), [x, step.reading.builder.const(factor, "beta")], x)
    step.finish(kind(), [x])


def leaky_relu(step: Step) -> None:
    """LEAKY_RELU."""
    step.finish(LeakyRelu(step.real_option("Alpha", 0.0)), [step.x()])


def prelu(step: Step) -> None:
    """PRELU with one slope, or one a channel."""
    alpha, shape = step.real(1), step.shape()
    if alpha.size not in (1, shape[-1]) or alpha.shape[-1:] not in ((alpha.size,), ()):
        why = f"has slopes of shape {list(alpha.shape)} for an input of shape {list(shape)}"
        raise step.refuse(why, "Share the slopes over the image axes (shared_axes=[1, 2] in Keras).")
    step.finish(Prelu(), [step.x(), step.add_const(alpha.reshape(-1), 1)])
