"""Convolutions, matrix products and batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from octavo.formats.onnx.call import Call, channels_first, channels_last, spatial
from octavo.ir.graph import Array
from octavo.ops import Add, BatchNorm, Conv2D, DepthwiseConv2D, FullyConnected, Reshape, TransposeConv2D
from octavo.ops.window import Pair, Quad

__all__ = ["batch_normalization", "conv", "conv_transpose", "gemm", "matmul", "same_padding", "window_pairs"]


def window_pairs(call: Call, attribute: str, rank: int) -> Pair:
    """A pair (height, width) of positive ints from an attribute with one entry a spatial axis; height 1 in 1-D."""
    values = call.operation.integers(attribute, (1,) * rank) or ()
    if len(values) != rank or min(values) < 1:
        raise ValueError(f"attribute {attribute} is {list(values)}, it needs {rank} positive entries")
    return (1, values[0]) if rank == 1 else (values[0], values[1])


def explicit_padding(call: Call, rank: int) -> Quad:
    """(top, bottom, left, right) from the ``pads`` attribute."""
    pads = call.operation.integers("pads", (0,) * (2 * rank)) or ()
    if len(pads) != 2 * rank or min(pads) < 0:
        raise ValueError(f"attribute pads is {list(pads)}, it needs {2 * rank} entries that are not negative")
    return (0, 0, pads[0], pads[1]) if rank == 1 else (pads[0], pads[2], pads[1], pads[3])


def same_padding(size: Pair, kernel: Pair, stride: Pair, dilation: Pair, upper: bool) -> Quad:
    """Padding with which the output has ceil(size / stride) pixels; the odd one at the end if ``upper``."""
    sides: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        small, large = total // 2, total - total // 2
        sides += [small, large] if upper else [large, small]
    return sides[0], sides[1], sides[2], sides[3]


def window_padding(call: Call, size: Pair, kernel: Pair, stride: Pair, dilation: Pair, rank: int) -> Quad:
    """Padding by ``auto_pad`` or ``pads``."""
    mode = call.operation.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return explicit_padding(call, rank)
    if mode == "VALID":
        return (0, 0, 0, 0)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return same_padding(size, kernel, stride, dilation, mode == "SAME_UPPER")
    raise ValueError(f"attribute auto_pad is {mode!r}")


def _filters(call: Call) -> tuple[Array, int]:
    """Weights with two spatial axes, and how many the file has."""
    weights = call.const(1, "weights")
    if weights.ndim not in (3, 4) or 0 in weights.shape:
        why = f"its weights have shape {list(weights.shape)}"
        raise call.refuse(why, "Only 1-D and 2-D convolutions are supported.")
    rank = weights.ndim - 2
    kernel = call.operation.integers("kernel_shape")
    if kernel is not None and kernel != weights.shape[2:]:
        raise ValueError(f"kernel_shape {list(kernel)} differs from the weights {list(weights.shape)}")
    if len(call.shape(call.x())) != weights.ndim:
        raise ValueError(f"input {list(call.shape(call.x()))} and weights {list(weights.shape)} differ in rank")
    return (weights[:, :, None, :] if rank == 1 else weights), rank


def _bias(call: Call, index: int, count: int) -> str:
    bias = call.optional(index, "bias")
    if bias is None:
        return call.constant(np.zeros(count), f"{call.hint}.bias")
    if bias.shape != (count,):
        raise ValueError(f"bias {list(bias.shape)} does not match {count} output channels")
    return call.constant(bias, call.name_of(index))


def _image_size(call: Call) -> Pair:
    shape = call.shape(call.x())
    return (1, shape[2]) if len(shape) == 3 else (shape[2], shape[3])


def conv(call: Call) -> str:
    """Conv: plain, grouped, or depthwise when each group has one input channel."""
    weights, rank = _filters(call)
    x, groups = call.x(), call.operation.integer("group", 1)
    stride, dilation = window_pairs(call, "strides", rank), window_pairs(call, "dilations", rank)
    kernel = (weights.shape[2], weights.shape[3])
    padding = window_padding(call, _image_size(call), kernel, stride, dilation, rank)
    channels = call.shape(x)[1]
    if groups < 1 or weights.shape[1] * groups != channels or weights.shape[0] % groups:
        raise ValueError(f"weights {list(weights.shape)} do not match {channels} channels in {groups} groups")
    bias = _bias(call, 2, weights.shape[0])
    if groups == channels and groups > 1:
        w = call.constant(weights.transpose(1, 2, 3, 0), call.name_of(1))
        return spatial(call, x, lambda i: call.add(DepthwiseConv2D(stride, padding, dilation), [i, w, bias], "conv"))
    w = call.constant(weights.transpose(0, 2, 3, 1), call.name_of(1))
    return spatial(call, x, lambda i: call.add(Conv2D(stride, padding, dilation, groups), [i, w, bias], "conv"))


def _transposed_padding(call: Call, size: Pair, kernel: Pair, stride: Pair, rank: int) -> Quad:
    """(top, bottom, left, right) of a ConvTranspose; the bottom and right ones less the output padding."""
    extra = call.operation.integers("output_padding", (0,) * rank) or ()
    wanted = call.operation.integers("output_shape")
    mode = call.operation.text("auto_pad", "NOTSET")
    if len(extra) != rank or min(extra) < 0 or (wanted is not None and len(wanted) not in (rank, rank + 2)):
        raise ValueError("output_padding or output_shape has a wrong length")
    extra = (0, *extra) if rank == 1 else extra
    if wanted is None and mode in ("NOTSET", "VALID"):
        top, bottom, left, right = explicit_padding(call, rank) if mode == "NOTSET" else (0, 0, 0, 0)
        return top, bottom - extra[0], left, right - extra[1]
    if wanted is None:
        target: Sequence[int] = [n * s for n, s in zip(size, stride, strict=True)]
    else:
        target = (1, wanted[-1]) if rank == 1 else wanted[-2:]
    sides: list[int] = []
    for n, k, s, e, t in zip(size, kernel, stride, extra, target, strict=True):
        total = (n - 1) * s + e + k - t
        start = total // 2 if mode == "SAME_UPPER" else total - total // 2
        sides += [start, total - start - e]
    return sides[0], sides[1], sides[2], sides[3]


def conv_transpose(call: Call) -> str:
    """ConvTranspose without groups and dilations."""
    weights, rank = _filters(call)
    x = call.x()
    stride = window_pairs(call, "strides", rank)
    if call.operation.integer("group", 1) != 1 or window_pairs(call, "dilations", rank) != (1, 1):
        raise call.refuse("is grouped or dilated", "Use a transposed convolution with group = 1 and dilations of 1.")
    if weights.shape[0] != call.shape(x)[1]:
        raise ValueError(f"weights {list(weights.shape)} do not match {call.shape(x)[1]} channels")
    padding = _transposed_padding(call, _image_size(call), (weights.shape[2], weights.shape[3]), stride, rank)
    bias = _bias(call, 2, weights.shape[1])
    w = call.constant(weights.transpose(1, 2, 3, 0), call.name_of(1))
    return spatial(call, x, lambda i: call.add(TransposeConv2D(stride, padding), [i, w, bias], "conv"))


def _matrix(call: Call, index: int) -> Array:
    matrix = call.const(index, "weight matrix")
    if matrix.ndim > 2 and set(matrix.shape[:-2]) == {1}:
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim != 2:
        raise call.refuse(f"its weights have shape {list(matrix.shape)}", "Use a weight matrix of two axes.")
    return matrix


def gemm(call: Call) -> str:
    """Gemm: alpha * x @ B + beta * C with a constant B."""
    matrix, x = _matrix(call, 1), call.x()
    if call.operation.integer("transA", 0):
        raise call.refuse("it would mix the batch axis (axis 0) with other axes", "Export the layer with transA = 0.")
    alpha, beta = call.operation.number("alpha", 1.0), call.operation.number("beta", 1.0)
    matrix = matrix if call.operation.integer("transB", 0) else matrix.T
    if len(call.shape(x)) != 2:
        raise ValueError(f"input {list(call.shape(x))} must have rank 2")
    w = call.constant(matrix.astype(np.float32) * np.float32(alpha), call.name_of(1))
    count = matrix.shape[0]
    if not call.given(2) or call.is_const(2):
        term = call.optional(2, "bias")
        term = np.zeros(count) if term is None else beta * term.astype(np.float64)
        if term.ndim > 2 or (term.ndim == 2 and term.shape[0] != 1):
            raise ValueError(f"bias {list(term.shape)} does not match {count} outputs")
        bias = call.constant(np.broadcast_to(term.reshape(-1), (count,)), f"{call.hint}.bias")
        return call.add(FullyConnected(), [x, w, bias])
    if beta != 1.0:
        raise call.refuse("scales a computed bias by beta", "Export the layer with beta = 1.")
    zeros = call.constant(np.zeros(count), f"{call.hint}.bias")
    return call.add(Add(), [call.add(FullyConnected(), [x, w, zeros], "product"), call.x(2)])


def matmul(call: Call) -> str:
    """MatMul with a constant right side."""
    if call.is_const(0) or not call.is_const(1):
        raise call.refuse(
            "multiplies two computed tensors, or has its constant on the left",
            "Only a computed left side and a constant right side are supported (a fully connected layer).",
        )
    vector = call.const(1, "weights")
    x = call.x()
    if vector.ndim == 1 and len(call.shape(x)) > 1:
        w = call.constant(vector.reshape(1, -1), call.name_of(1))
        y = call.add(FullyConnected(), [x, w, call.constant(np.zeros(1), f"{call.hint}.bias")], "product")
        return call.add(Reshape(call.shape(y)[:-1]), [y])
    matrix = _matrix(call, 1)
    if vector.ndim > len(call.shape(x)):
        raise ValueError(f"input {list(call.shape(x))} has fewer axes than the weights {list(vector.shape)}")
    w = call.constant(matrix.T, call.name_of(1))
    return call.add(FullyConnected(), [x, w, call.constant(np.zeros(matrix.shape[1]), f"{call.hint}.bias")])


def batch_normalization(call: Call) -> str:
    """BatchNormalization at inference, over axis 1."""
    x, rank = call.x(), len(call.shape(call.x()))
    if call.operation.integer("training_mode", 0) or call.operation.integer("spatial", 1) != 1 or rank < 2:
        raise call.refuse("normalises with statistics of the batch", "Export the model in inference mode.")
    if len([name for name in call.operation.outputs if name]) > 1:
        raise call.refuse("returns statistics of the batch", "Export the model in inference mode.")
    params = [call.constant(call.const(i, "parameter"), call.name_of(i)) for i in range(1, 5)]
    op = BatchNorm(call.operation.number("epsilon", 1e-5))
    if rank == 2:
        return call.add(op, [x, *params])
    image = call.transpose(x, channels_last(rank), "nhwc")
    return call.transpose(call.add(op, [image, *params], "norm"), channels_first(rank))
