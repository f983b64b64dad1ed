"""How each of our float operators is written in ONNX (opset 18); the table is at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from octavo import ops
from octavo.errors import OctavoError
from octavo.formats.onnx.sheet import Sheet, axis_order, is_trivial
from octavo.ir.graph import Node
from octavo.ops.window import Quad

__all__ = ["EMIT"]

Emitter = Callable[[Sheet, Node, Any], str]


def _ints(sheet: Sheet, values: list[int], hint: str) -> str:
    return sheet.constant(np.array(values, dtype=np.int64), hint)


def _rank(sheet: Sheet, value: str) -> int:
    return len(sheet.graph.types[value].shape)


def _simple(op_type: str, *attributes: str) -> Emitter:
    """One ONNX node with the same inputs; ``attributes`` have the same names as the operator's fields."""

    def emit(sheet: Sheet, node: Node, op: Any) -> str:
        given = {name: getattr(op, name) for name in attributes}
        return sheet.put(op_type, [sheet.value(v) for v in node.inputs], f"{node.outputs[0]}.float", **given)

    return emit


def _clip(sheet: Sheet, name: str, clip: ops.Clip, hint: str) -> str:
    """A clip, a Relu, or nothing."""
    if clip.is_none:
        return name
    if (clip.minimum, clip.maximum) == (0.0, math.inf):
        return sheet.put("Relu", [name], f"{hint}.relu")
    limits = [
        sheet.constant(np.array(limit, dtype=np.float32), f"{hint}.limit") if math.isfinite(limit) else ""
        for limit in (clip.minimum, clip.maximum)
    ]
    return sheet.put("Clip", [name, *(limits if limits[1] else limits[:1])], f"{hint}.clip")


def _activated(inner: Emitter) -> Emitter:
    """The operator, then its fused activation."""
    return lambda sheet, node, op: _clip(sheet, inner(sheet, node, op), op.activation, node.outputs[0])


def _pads(padding: Quad) -> list[int]:
    return [padding[0], padding[2], padding[1], padding[3]]


def _conv(sheet: Sheet, node: Node, op: ops.Conv2D) -> str:
    inputs = [sheet.value(node.inputs[0]), sheet.weights(node.inputs[1], (0, 3, 1, 2)), sheet.bias(node)]
    return sheet.put(
        "Conv", inputs, f"{node.outputs[0]}.float",
        strides=op.stride, pads=_pads(op.padding), dilations=op.dilation, group=op.groups,
    )  # fmt: skip


def _depthwise(sheet: Sheet, node: Node, op: ops.DepthwiseConv2D) -> str:
    inputs = [sheet.value(node.inputs[0]), sheet.weights(node.inputs[1], (3, 0, 1, 2)), sheet.bias(node)]
    return sheet.put(
        "Conv", inputs, f"{node.outputs[0]}.float",
        strides=op.stride, pads=_pads(op.padding), dilations=op.dilation,
        group=sheet.graph.types[node.inputs[0]].shape[3],
    )  # fmt: skip


def _transposed(sheet: Sheet, node: Node, op: ops.TransposeConv2D) -> str:
    top, bottom, left, right = op.padding
    extra = [max(-bottom, 0), max(-right, 0)]
    if extra[0] >= max(op.stride[0], 1) or extra[1] >= max(op.stride[1], 1):
        raise OctavoError(
            node.source or node.name,
            f"extends its output by {extra}, which ONNX allows only below the stride {list(op.stride)}",
            "Pad the output with a layer of its own.",
        )
    inputs = [sheet.value(node.inputs[0]), sheet.weights(node.inputs[1], (3, 0, 1, 2)), sheet.bias(node)]
    return sheet.put(
        "ConvTranspose", inputs, f"{node.outputs[0]}.float",
        strides=op.stride, pads=[top, left, max(bottom, 0), max(right, 0)], output_padding=extra,
    )  # fmt: skip


def _fully_connected(sheet: Sheet, node: Node, op: ops.FullyConnected) -> str:
    x, output = sheet.channels_last(node.inputs[0]), node.outputs[0]
    rank = _rank(sheet, node.inputs[0])
    if rank == 2:
        inputs = [x, sheet.weights(node.inputs[1], (0, 1)), sheet.bias(node)]
        return sheet.put("Gemm", inputs, f"{output}.float", transB=1)
    product = sheet.put("MatMul", [x, sheet.weights(node.inputs[1], (1, 0))], f"{output}.product")
    y = sheet.put("Add", [product, sheet.bias(node)], f"{output}.float")
    return sheet.transpose(y, axis_order(rank), output)


def _batch_norm(sheet: Sheet, node: Node, op: ops.BatchNorm) -> str:
    gamma, beta, mean, variance = (sheet.graph.consts[name].astype(np.float64) for name in node.inputs[1:])
    scale = gamma / np.sqrt(variance + op.epsilon)
    shape = (-1, 1, 1) if _rank(sheet, node.inputs[0]) == 4 else (-1,)
    factors = [
        sheet.constant(array.astype(np.float32).reshape(shape), f"{node.name}.{part}")
        for array, part in ((scale, "factor"), (beta - mean * scale, "offset"))
    ]
    product = sheet.put("Mul", [sheet.value(node.inputs[0]), factors[0]], f"{node.outputs[0]}.scaled")
    return sheet.put("Add", [product, factors[1]], f"{node.outputs[0]}.float")


def _prelu(sheet: Sheet, node: Node, op: ops.Prelu) -> str:
    name = node.inputs[1]
    wide = _rank(sheet, node.inputs[0]) == 4 and sheet.graph.consts[name].size > 1
    slope = sheet.weights(name, (0,), (-1, 1, 1) if wide else (-1,))
    return sheet.put("PRelu", [sheet.value(node.inputs[0]), slope], f"{node.outputs[0]}.float")


def _pool(op_type: str) -> Emitter:
    def emit(sheet: Sheet, node: Node, op: Any) -> str:
        counted = {"count_include_pad": int(op.count_include_pad)} if op_type == "AveragePool" else {}
        return sheet.put(
            op_type, [sheet.value(node.inputs[0])], f"{node.outputs[0]}.float",
            kernel_shape=op.kernel, strides=op.stride, pads=_pads(op.padding), **counted,
        )  # fmt: skip

    return emit


def _reduce(op_type: str) -> Emitter:
    def emit(sheet: Sheet, node: Node, op: Any) -> str:
        rank, output = _rank(sheet, node.inputs[0]), node.outputs[0]
        order = axis_order(rank)
        axes = _ints(sheet, sorted(order.index(axis) for axis in op.axes), f"{output}.axes")
        inputs = [sheet.value(node.inputs[0]), axes]
        y = sheet.put(op_type, inputs, f"{output}.float", keepdims=int(op.keepdims))
        if op.keepdims:
            return y
        left = [axis for axis in order if axis not in op.axes]
        wanted = [sorted(left)[axis] for axis in axis_order(len(left))]
        return sheet.transpose(y, [left.index(axis) for axis in wanted], output)

    return emit


def _softmax(op_type: str) -> Emitter:
    def emit(sheet: Sheet, node: Node, op: Any) -> str:
        rank = _rank(sheet, node.inputs[0])
        axis = axis_order(rank).index(rank - 1)
        return sheet.put(op_type, [sheet.value(node.inputs[0])], f"{node.outputs[0]}.float", axis=axis)

    return emit


def _concat(sheet: Sheet, node: Node, op: ops.Concat) -> str:
    axis = axis_order(_rank(sheet, node.outputs[0])).index(op.axis)
    return sheet.put("Concat", [sheet.value(v) for v in node.inputs], f"{node.outputs[0]}.float", axis=axis)


def _pad(sheet: Sheet, node: Node, op: ops.Pad) -> str:
    order, output = axis_order(_rank(sheet, node.outputs[0])), node.outputs[0]
    pads = _ints(sheet, [side[axis] for side in (op.before, op.after) for axis in order], f"{output}.pads")
    value = sheet.constant(np.array(op.value, dtype=np.float32), f"{output}.value")
    return sheet.put("Pad", [sheet.value(node.inputs[0]), pads, value], f"{output}.float")


def _slice(sheet: Sheet, node: Node, op: ops.Slice) -> str:
    order, output = axis_order(_rank(sheet, node.outputs[0])), node.outputs[0]
    axes = list(range(1, len(order)))
    lists = [[field[order[axis]] for axis in axes] for field in (op.begin, op.end)]
    lists += [axes, [op.stride[order[axis]] for axis in axes]]
    parts = [_ints(sheet, values, f"{output}.bounds") for values in lists]
    return sheet.put("Slice", [sheet.value(node.inputs[0]), *parts], f"{output}.float")


def _reshape(sheet: Sheet, node: Node, op: ops.Reshape) -> str:
    source, output = node.inputs[0], node.outputs[0]
    before = axis_order(_rank(sheet, source))
    after = axis_order(len(op.shape))
    x = sheet.value(source) if is_trivial(sheet.graph.types[source].shape, before) else sheet.channels_last(source)
    shape = [op.shape[axis] for axis in after] if is_trivial(op.shape, after) else list(op.shape)
    y = sheet.put("Reshape", [x, _ints(sheet, [0, *shape[1:]], f"{output}.shape")], f"{output}.float")
    return y if is_trivial(op.shape, after) else sheet.transpose(y, after, output)


def _transpose(sheet: Sheet, node: Node, op: ops.Transpose) -> str:
    order = axis_order(len(op.perm))
    perm = [order.index(op.perm[axis]) for axis in order]
    return sheet.put("Transpose", [sheet.value(node.inputs[0])], f"{node.outputs[0]}.float", perm=perm)


def _target(sheet: Sheet, node: Node, size: tuple[int, int]) -> list[str]:
    """Inputs ``scales`` and ``sizes`` of a Resize: scales where float32 holds them exactly, else computed sizes.

    (The attribute ``axes`` would be simpler, but ONNX Runtime's layout optimizer mishandles it.)
    """
    output, shape = node.outputs[0], sheet.graph.types[node.inputs[0]].shape
    scales = [size[0] / shape[1], size[1] / shape[2]]
    if all(float(np.float32(scale)) == scale for scale in scales):
        return [sheet.constant(np.array([1, 1, *scales], dtype=np.float32), f"{output}.scales")]
    kept = sheet.put("Shape", [sheet.value(node.inputs[0])], f"{output}.kept", end=2)
    parts = [kept, _ints(sheet, list(size), f"{output}.size")]
    return ["", sheet.put("Concat", parts, f"{output}.sizes", axis=0)]


def _resize(mode: str) -> Emitter:
    def emit(sheet: Sheet, node: Node, op: Any) -> str:
        output = node.outputs[0]
        coordinates = "align_corners" if op.align_corners else "half_pixel" if op.half_pixel_centers else "asymmetric"
        nearest = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
        rule = {"nearest_mode": nearest} if mode == "nearest" else {}
        target = _target(sheet, node, op.size)
        return sheet.put(
            "Resize", [sheet.value(node.inputs[0]), "", *target], f"{output}.float",
            mode=mode, coordinate_transformation_mode=coordinates, **rule,
        )  # fmt: skip

    return emit


def _square(sheet: Sheet, node: Node, op: ops.Square) -> str:
    x = sheet.value(node.inputs[0])
    return sheet.put("Mul", [x, x], f"{node.outputs[0]}.float")


def _rsqrt(sheet: Sheet, node: Node, op: ops.Rsqrt) -> str:
    root = sheet.put("Sqrt", [sheet.value(node.inputs[0])], f"{node.outputs[0]}.root")
    return sheet.put("Reciprocal", [root], f"{node.outputs[0]}.float")


def _silu(sheet: Sheet, node: Node, op: ops.Silu) -> str:
    x = sheet.value(node.inputs[0])
    return sheet.put("Mul", [x, sheet.put("Sigmoid", [x], f"{node.outputs[0]}.gate")], f"{node.outputs[0]}.float")


def _gelu(sheet: Sheet, node: Node, op: ops.Gelu) -> str:
    """x * (0.5 + 0.5 * g): g = erf(x / sqrt 2), or tanh(sqrt(2 / pi) * (x + 0.044715 x^3))."""
    x, out = sheet.value(node.inputs[0]), node.outputs[0]

    def number(value: float) -> str:
        return sheet.constant(np.array(value, dtype=np.float32), f"{out}.number")

    if op.approximate:
        square = sheet.put("Mul", [x, x], f"{out}.square")
        term = sheet.put("Mul", [square, number(0.044715 * math.sqrt(2 / math.pi))], f"{out}.term")
        factor = sheet.put("Add", [term, number(math.sqrt(2 / math.pi))], f"{out}.factor")
        gate = sheet.put("Tanh", [sheet.put("Mul", [x, factor], f"{out}.argument")], f"{out}.tanh")
    else:
        gate = sheet.put("Erf", [sheet.put("Mul", [x, number(math.sqrt(0.5))], f"{out}.argument")], f"{out}.erf")
    half = sheet.put("Mul", [gate, number(0.5)], f"{out}.half")
    return sheet.put("Mul", [x, sheet.put("Add", [half, number(0.5)], f"{out}.gate")], f"{out}.float")


def _mish(sheet: Sheet, node: Node, op: ops.Mish) -> str:
    x, out = sheet.value(node.inputs[0]), node.outputs[0]
    gate = sheet.put("Tanh", [sheet.put("Softplus", [x], f"{out}.softplus")], f"{out}.gate")
    return sheet.put("Mul", [x, gate], f"{out}.float")


def _limits(sheet: Sheet, node: Node, op: ops.Clip) -> str:
    clipped = _clip(sheet, sheet.value(node.inputs[0]), op, node.outputs[0])
    return clipped if not op.is_none else _same(sheet, node, op)


def _same(sheet: Sheet, node: Node, op: Any) -> str:
    """The input itself: what changes is the encoding that follows."""
    return sheet.value(node.inputs[0])


EMIT: Mapping[type[Any], Emitter] = {
    ops.Abs: _simple("Abs"),
    ops.Add: _activated(_simple("Add")),
    ops.AveragePool2D: _pool("AveragePool"),
    ops.BatchNorm: _batch_norm,
    ops.Clip: _limits,
    ops.Concat: _concat,
    ops.Conv2D: _activated(_conv),
    ops.DepthwiseConv2D: _activated(_depthwise),
    ops.Div: _simple("Div"),
    ops.Elu: _simple("Elu", "alpha"),
    ops.Erf: _simple("Erf"),
    ops.Exp: _simple("Exp"),
    ops.FullyConnected: _activated(_fully_connected),
    ops.Gelu: _gelu,
    ops.HardSigmoid: _simple("HardSigmoid", "alpha", "beta"),
    ops.HardSwish: _simple("HardSwish"),
    ops.Identity: _same,
    ops.LeakyRelu: _simple("LeakyRelu", "alpha"),
    ops.Log: _simple("Log"),
    ops.LogSoftmax: _softmax("LogSoftmax"),
    ops.MaxPool2D: _pool("MaxPool"),
    ops.Maximum: _simple("Max"),
    ops.Mean: _reduce("ReduceMean"),
    ops.Minimum: _simple("Min"),
    ops.Mish: _mish,
    ops.Mul: _activated(_simple("Mul")),
    ops.Neg: _simple("Neg"),
    ops.Pad: _pad,
    ops.Prelu: _prelu,
    ops.Requantize: _same,
    ops.Reshape: _reshape,
    ops.ResizeBilinear: _resize("linear"),
    ops.ResizeNearest: _resize("nearest"),
    ops.Rsqrt: _rsqrt,
    ops.Sigmoid: _simple("Sigmoid"),
    ops.Silu: _silu,
    ops.Slice: _slice,
    ops.Softmax: _softmax("Softmax"),
    ops.Softplus: _simple("Softplus"),
    ops.Sqrt: _simple("Sqrt"),
    ops.Square: _square,
    ops.Sub: _activated(_simple("Sub")),
    ops.Sum: _reduce("ReduceSum"),
    ops.Tanh: _simple("Tanh"),
    ops.Transpose: _transpose,
    ops.TransposeConv2D: _activated(_transposed),
}
"""Our operators, and what writes each."""
