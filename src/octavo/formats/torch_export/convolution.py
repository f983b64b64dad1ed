"""Convolutions, matrix products and batch normalisation."""

from __future__ import annotations

import numpy as np

from octavo.formats.torch_export.call import Call, channels_first, channels_last, pair, spatial
from octavo.ir.graph import Array
from octavo.ops import BatchNorm, Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D
from octavo.ops.window import Pair, Quad

__all__ = ["addmm", "batch_norm", "conv", "conv_transpose", "convolution", "linear", "matmul"]


def _filters(call: Call) -> tuple[Array, int]:
    """Weights with two spatial axes, and how many the model has."""
    weights = call.const("weight")
    if weights.ndim not in (3, 4):
        raise call.refuse(f"has weights of shape {list(weights.shape)}", "Only 1-D and 2-D convolutions are supported.")
    if len(call.shape(call.x("input"))) != weights.ndim:
        raise call.refuse("its input has no batch axis", "Give inputs with a batch on axis 0.")
    return (weights[:, :, None, :] if weights.ndim == 3 else weights), weights.ndim - 2


def _bias(call: Call, count: int) -> str:
    bias = call.const("bias") if call.given("bias") else np.zeros(count)
    return call.constant(bias, call.names.get("bias", f"{call.hint}.bias"))


def _margins(call: Call, name: str, rank: int) -> Pair:
    rows, columns = pair(call.arg(name, 0), rank)
    return (0, columns) if rank == 1 else (rows, columns)


def _padding(call: Call, kernel: Pair, dilation: Pair, rank: int) -> Quad:
    """Explicit padding; 'same' puts the odd pixel at the end, as torch does."""
    mode = call.arg("padding", 0)
    if mode == "valid":
        return (0, 0, 0, 0)
    if mode == "same":
        rows, columns = (d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
        return (rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
    rows, columns = _margins(call, "padding", rank)
    return (rows, rows, columns, columns)


def conv(call: Call) -> str:
    """conv1d, conv2d: plain, grouped, or depthwise when each group has one input channel."""
    weights, rank = _filters(call)
    x, groups = call.x("input"), int(call.arg("groups", 1))
    stride, dilation = pair(call.arg("stride", 1), rank), pair(call.arg("dilation", 1), rank)
    padding = _padding(call, (weights.shape[2], weights.shape[3]), dilation, rank)
    bias, name = _bias(call, weights.shape[0]), call.names.get("weight", "")
    if groups > 1 and groups == call.shape(x)[1]:
        w = call.constant(weights.transpose(1, 2, 3, 0), name)
        return spatial(call, x, lambda i: call.add(DepthwiseConv2D(stride, padding, dilation), [i, w, bias], "conv"))
    w = call.constant(weights.transpose(0, 2, 3, 1), name)
    return spatial(call, x, lambda i: call.add(Conv2D(stride, padding, dilation, groups), [i, w, bias], "conv"))


def conv_transpose(call: Call) -> str:
    """conv_transpose1d, conv_transpose2d without groups and dilations."""
    weights, rank = _filters(call)
    if int(call.arg("groups", 1)) != 1 or pair(call.arg("dilation", 1), rank) != (1, 1):
        raise call.refuse("is grouped or dilated", "Use a transposed convolution with groups = 1 and dilation = 1.")
    (rows, columns), (below, beside) = _margins(call, "padding", rank), _margins(call, "output_padding", rank)
    op = TransposeConv2D(pair(call.arg("stride", 1), rank), (rows, rows - below, columns, columns - beside))
    w, bias = call.constant(weights.transpose(1, 2, 3, 0), call.names.get("weight", "")), _bias(call, weights.shape[1])
    return spatial(call, call.x("input"), lambda i: call.add(op, [i, w, bias], "conv"))


def convolution(call: Call) -> str:
    """The general form of both."""
    return conv_transpose(call) if call.arg("transposed", False) else conv(call)


def _connected(call: Call, x: str, matrix: Array, name: str, bias: Array | None) -> str:
    """x @ matrix.T + bias, with matrix [out, in]."""
    count = matrix.shape[0]
    row = np.broadcast_to(np.zeros(1) if bias is None else bias.reshape(-1), (count,))
    b = call.constant(row, call.names.get("bias", f"{call.hint}.bias"))
    return call.add(FullyConnected(), [x, call.constant(matrix, name), b])


def linear(call: Call) -> str:
    """linear."""
    bias = call.const("bias") if call.given("bias") else None
    return _connected(call, call.x("input"), call.const("weight"), call.names.get("weight", ""), bias)


def _matrix(call: Call, name: str) -> Array:
    matrix = call.const(name)
    if matrix.ndim != 2:
        raise call.refuse(f"multiplies by a constant of shape {list(matrix.shape)}", "Use a matrix of two axes.")
    return matrix


def addmm(call: Call) -> str:
    """beta * bias + alpha * (x @ matrix) with constants for bias and matrix."""
    matrix = _matrix(call, "mat2").T * call.number("alpha", 1.0)
    bias = call.const("self") * call.number("beta", 1.0)
    if bias.ndim > 1 and set(bias.shape[:-1]) != {1}:
        raise call.refuse(f"adds a bias of shape {list(bias.shape)}", "Use one bias an output.")
    return _connected(call, call.x("mat1"), matrix, call.names.get("mat2", ""), bias)


def matmul(call: Call) -> str:
    """mm and matmul of an activation and a constant matrix."""
    second = "mat2" if "mat2" in call.arguments else "other"
    return _connected(call, call.x("self"), _matrix(call, second).T, call.names.get(second, ""), None)


def batch_norm(call: Call) -> str:
    """batch_norm at inference, over axis 1."""
    if call.arg("training", False) or not call.given("running_mean"):
        raise call.refuse("takes its statistics from the batch", "Export in eval mode, with running statistics.")
    x = call.x("input")
    rank = len(call.shape(x))
    mean = call.const("running_mean")
    defaults = {"weight": np.ones_like(mean), "bias": np.zeros_like(mean)}
    parameters = []
    for name in ("weight", "bias", "running_mean", "running_var"):
        array = call.const(name) if call.given(name) or name not in defaults else defaults[name]
        parameters.append(call.constant(array, call.names.get(name, f"{call.hint}.{name}")))
    op = BatchNorm(call.number("eps", 1e-5))
    if rank == 2:
        return call.add(op, [x, *parameters])
    image = call.transpose(x, channels_last(rank), "nhwc")
    return call.transpose(call.add(op, [image, *parameters], "norm"), channels_first(rank))
