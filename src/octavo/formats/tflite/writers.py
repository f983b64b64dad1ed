"""Writers of operators: one function a kind of operator, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from octavo import ops
from octavo.formats.tflite.draft import Part
from octavo.num.fixed_point import quantize_multiplier
from octavo.num.qparams import PerTensor, QParams
from octavo.num.tables import activation_limits
from octavo.ops.linear import bias_scale, quantize_bias

__all__ = ["WRITERS", "alias", "table"]

_SAME, _VALID = 0, 1
Quad = tuple[int, int, int, int]


def _parameters(part: Part) -> list[int]:
    """Weights and bias tensors."""
    site, where = part.site, part.node.source or part.node.name
    x, w = site.x(0), site.x(1)
    bias = quantize_bias(site.bias(2), x, w, where)
    scale = bias_scale(x, w).astype(np.float32)
    tiny = np.maximum(scale, np.finfo(np.float32).tiny)
    granularity = PerTensor() if tiny.size == 1 else type(w.granularity)(0)  # type: ignore[call-arg]
    encoding = QParams("int32", tiny, np.zeros(tiny.size, np.int32), granularity)
    return [part.x(1), part.const("bias", bias, encoding)]


def _before(size: int, kernel: int, stride: int, dilation: int) -> int:
    return max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2


def _mode(part: Part, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> int | None:
    """TFLite's padding mode that gives the same windows, None when there is none."""
    size, out = part.site.type(0).shape[1:3], part.site.out_type().shape[1:3]
    stride, padding = part.op.stride, part.op.padding
    starts, axes = (padding[0], padding[2]), (0, 1)
    valid = [(size[a] - (kernel[a] - 1) * dilation[a] - 1) // stride[a] + 1 for a in axes]
    if starts == (0, 0) and list(out) == valid:
        return _VALID
    same = [_before(size[a], kernel[a], stride[a], dilation[a]) for a in axes]
    return _SAME if list(starts) == same and all(out[a] == -(-size[a] // stride[a]) for a in axes) else None


def _image(part: Part, mode: int | None, value: int | None = None) -> tuple[int, int]:
    """The input tensor and the padding mode; an explicit PAD in front when no mode fits."""
    if mode is not None:
        return part.x(), mode
    top, bottom, left, right = part.op.padding
    shape, x = part.site.type(0).shape, part.site.x()
    padded = part.inner("padded", (1, shape[1] + top + bottom, shape[2] + left + right, shape[3]), x.dtype.upper(), x)
    paddings = part.ints("paddings", ((0, 0), (top, bottom), (left, right), (0, 0)))
    if value is None:
        part.emit("PAD", 2, [part.x(), paddings], padded, "PadOptions")
    else:
        border = part.const("border", np.array([value], x.dtype), x)
        part.emit("PADV2", 2, [part.x(), paddings, border], padded, "PadV2Options")
    return padded, _VALID


def _conv(part: Part) -> None:
    op, kernel = part.op, part.site.type(1).shape[1:3]
    x, mode = _image(part, _mode(part, (kernel[0], kernel[1]), op.dilation))
    options = {
        "Padding": mode, "StrideH": op.stride[0], "StrideW": op.stride[1],
        "DilationHFactor": op.dilation[0], "DilationWFactor": op.dilation[1],
        "FusedActivationFunction": part.fused(),
    }  # fmt: skip
    part.emit("CONV_2D", 3, [x, *_parameters(part)], part.y(), "Conv2DOptions", **options)


def _depthwise(part: Part) -> None:
    op, kernel = part.op, part.site.type(1).shape[1:3]
    x, mode = _image(part, _mode(part, (kernel[0], kernel[1]), op.dilation))
    options = {
        "Padding": mode, "StrideH": op.stride[0], "StrideW": op.stride[1],
        "DilationHFactor": op.dilation[0], "DilationWFactor": op.dilation[1],
        "DepthMultiplier": part.site.type(1).shape[3] // part.site.type(0).shape[3],
        "FusedActivationFunction": part.fused(),
    }  # fmt: skip
    part.emit("DEPTHWISE_CONV_2D", 3, [x, *_parameters(part)], part.y(), "DepthwiseConv2DOptions", **options)


def _transpose_conv(part: Part) -> None:
    op, (_, out_h, out_w, _), kernel = part.op, part.site.out_type().shape, part.site.type(1).shape[1:3]
    starts = (op.padding[0], op.padding[2])
    same = (_before(out_h, kernel[0], op.stride[0], 1), _before(out_w, kernel[1], op.stride[1], 1))
    exact = starts in ((0, 0), same)
    top, left = (0, 0) if exact else starts
    size = (1, out_h + top, out_w + left, part.site.out_type().shape[3])
    output = part.y() if exact else part.inner("uncropped", size, part.site.y().dtype.upper(), part.site.y())
    shape, (weights, bias) = part.ints("output_shape", size), _parameters(part)
    options = {
        "Padding": _SAME if exact and starts != (0, 0) else _VALID, "StrideH": op.stride[0], "StrideW": op.stride[1],
        "FusedActivationFunction": part.fused(),
    }  # fmt: skip
    part.emit("TRANSPOSE_CONV", 3, [shape, weights, part.x(), bias], output, "TransposeConvOptions", **options)
    if not exact:
        _crop(part, output, (0, top, left, 0), size, (1, 1, 1, 1))


def _crop(part: Part, x: int, begin: tuple[int, ...], end: tuple[int, ...], stride: tuple[int, ...]) -> None:
    inputs = [x, part.ints("begin", begin), part.ints("end", end), part.ints("stride", stride)]
    part.emit("STRIDED_SLICE", 2, inputs, part.y(), "StridedSliceOptions")


def _fully_connected(part: Part) -> None:
    keep = len(part.site.type(0).shape) > 2
    per_channel = part.site.x(1).scale.size > 1
    options = {"FusedActivationFunction": part.fused(), "KeepNumDims": keep}
    version = 12 if per_channel else 5 if keep else 4
    part.emit("FULLY_CONNECTED", version, [part.x(), *_parameters(part)], part.y(), "FullyConnectedOptions", **options)


def _binary(part: Part, kind: str, options_type: str, fused: bool) -> None:
    options: dict[str, Any] = {"FusedActivationFunction": part.fused()} if fused else {}
    if kind in ("ADD", "SUB") and part.site.y().dtype == "int16":
        options["PotScaleInt16"] = False
    part.emit(kind, 2, [part.x(0), part.x(1)], part.y(), options_type, **options)


def _average_pool(part: Part) -> None:
    padded = part.op.count_include_pad and any(part.op.padding)
    mode = None if padded else _mode(part, part.op.kernel)
    if mode is None and not padded:
        why = f"no padding mode gives an average pool padded by {part.op.padding} that counts valid elements only"
        raise part.refuse(why, "Use TensorFlow's SAME padding, none, or count_include_pad.")
    _pool(part, "AVERAGE_POOL_2D", *_image(part, mode))


def _max_pool(part: Part) -> None:
    _pool(part, "MAX_POOL_2D", *_image(part, _mode(part, part.op.kernel), part.site.x().limits[0]))


def _pool(part: Part, kind: str, x: int, mode: int) -> None:
    (kernel_h, kernel_w), (stride_h, stride_w) = part.op.kernel, part.op.stride
    options = {
        "Padding": mode, "StrideH": stride_h, "StrideW": stride_w, "FilterHeight": kernel_h, "FilterWidth": kernel_w,
    }  # fmt: skip
    part.emit(kind, 2, [x], part.y(), "Pool2DOptions", **options)


def _reduce(part: Part, kind: str) -> None:
    axes = part.ints("axes", part.op.axes)
    part.emit(kind, 2, [part.x(), axes], part.y(), "ReducerOptions", KeepDims=part.op.keepdims)


def _simple(part: Part, kind: str, version: int, options_type: str = "") -> None:
    part.emit(kind, version, [part.x()], part.y(), options_type)


def _softmax(part: Part) -> None:
    part.emit("SOFTMAX", 2, [part.x()], part.y(), "SoftmaxOptions", Beta=1.0)


def _leaky_relu(part: Part) -> None:
    part.emit("LEAKY_RELU", 2, [part.x()], part.y(), "LeakyReluOptions", Alpha=part.op.alpha)


def _elu(part: Part) -> None:
    if part.op.alpha == 1.0 and part.site.y().dtype == "int8":
        _simple(part, "ELU", 1)
    else:
        table(part)


def _hard_swish(part: Part) -> None:
    """TFLM refuses to rescale upwards: then the table, which lowering fills from the float64 function."""
    scales = np.float32(part.site.x().scale[0]), np.float32(part.site.y().scale[0])
    upwards = quantize_multiplier(float(scales[0]) / 128 / float(scales[1]))[1] > 0
    if upwards or part.site.y().dtype != "int8":
        table(part)
    else:
        _simple(part, "HARD_SWISH", 1, "HardSwishOptions")


def _clip(part: Part) -> None:
    limits = (part.op.minimum, part.op.maximum)
    if part.site.y().dtype == "int16":
        _clip16(part)
    elif limits == (0.0, np.inf):
        _simple(part, "RELU", 2)
    elif limits == (0.0, 6.0) and part.site.x() == part.site.y():
        _simple(part, "RELU6", 2)
    else:
        table(part)


def _clip16(part: Part) -> None:
    """RELU, or QUANTIZE between MAXIMUM and MINIMUM of constants."""
    y, shape = part.site.y(), part.site.out_type().shape
    if (part.op.minimum, part.op.maximum) == (0.0, np.inf):
        _simple(part, "RELU", 2)
        return
    ends = activation_limits(part.op.minimum, part.op.maximum, y.scale[0], 0, y.limits)
    low, high = (part.const(name, np.array([end], y.dtype), y) for name, end in zip(("low", "high"), ends, strict=True))
    scaled, raised = part.inner("scaled", shape, "INT16", y), part.inner("raised", shape, "INT16", y)
    part.emit("QUANTIZE", 2, [part.x()], scaled, "QuantizeOptions")
    part.emit("MAXIMUM", 2, [scaled, low], raised, "MaximumMinimumOptions")
    part.emit("MINIMUM", 2, [raised, high], part.y(), "MaximumMinimumOptions")


def _prelu(part: Part) -> None:
    part.emit("PRELU", 1, [part.x(0), part.x(1)], part.y())


def table(part: Part) -> None:
    """Any function of one int8: CAST to int32, ADD 128, GATHER from its 256-entry table."""
    if part.site.dtype() != "int8":
        raise part.refuse(f"{part.node.kind} has no int16 form", "Use the C output, or keep this layer int8.")
    shape = part.site.out_type().shape
    lowered = part.op.lower(part.site)
    entries = part.const("table", np.asarray(lowered.consts["table"], np.int8), part.site.y())
    wide, indices = part.inner("wide", shape, "INT32"), part.inner("indices", shape, "INT32")
    offset = part.ints("offset", (128,))
    part.emit("CAST", 1, [part.x()], wide, "CastOptions", InDataType=9, OutDataType=2)
    part.emit("ADD", 1, [wide, offset], indices, "AddOptions")
    part.emit("GATHER", 2, [entries, indices], part.y(), "GatherOptions")


def _sigmoid(part: Part) -> None:
    """LOGISTIC with its own output encoding, a table with another."""
    if part.site.dtype() == "int8" and not part.op.is_native(part.site.y()):
        table(part)
    else:
        _simple(part, kind="LOGISTIC", version=2)


def alias(part: Part) -> None:
    """An operator that does nothing."""
    part.draft.index[part.node.outputs[0]] = part.x()


def _concat(part: Part) -> None:
    inputs = [part.x(position) for position in range(len(part.node.inputs))]
    part.emit("CONCATENATION", 2, inputs, part.y(), "ConcatenationOptions", Axis=part.op.axis)


def _pad(part: Part) -> None:
    paddings = part.ints("paddings", list(zip(part.op.before, part.op.after, strict=True)))
    y = part.site.y()
    value = y.quantize(np.array([part.op.value]))
    if int(value[0]) == int(y.zero_point[0]):
        part.emit("PAD", 2, [part.x(), paddings], part.y(), "PadOptions")
    else:
        part.emit("PADV2", 2, [part.x(), paddings, part.const("border", value, y)], part.y(), "PadV2Options")


def _reshape(part: Part) -> None:
    part.emit("RESHAPE", 1, [part.x(), part.ints("shape", part.op.shape)], part.y(), "ReshapeOptions")


def _transpose(part: Part) -> None:
    part.emit("TRANSPOSE", 2, [part.x(), part.ints("perm", part.op.perm)], part.y(), "TransposeOptions")


def _slice(part: Part) -> None:
    _crop(part, part.x(), part.op.begin, part.op.end, part.op.stride)


def _resize(part: Part, kind: str, options_type: str) -> None:
    op, size = part.op, part.ints("size", part.op.size)
    options = {"AlignCorners": op.align_corners, "HalfPixelCenters": op.half_pixel_centers}
    part.emit(kind, 3, [part.x(), size], part.y(), options_type, **options)


WRITERS: Mapping[type[ops.Op], Callable[[Part], None]] = {
    ops.Add: partial(_binary, kind="ADD", options_type="AddOptions", fused=True),
    ops.AveragePool2D: _average_pool,
    ops.Clip: _clip,
    ops.Concat: _concat,
    ops.Conv2D: _conv,
    ops.DepthwiseConv2D: _depthwise,
    ops.Elu: _elu,
    ops.FullyConnected: _fully_connected,
    ops.HardSwish: _hard_swish,
    ops.Identity: alias,
    ops.LeakyRelu: _leaky_relu,
    ops.LogSoftmax: partial(_simple, kind="LOG_SOFTMAX", version=2, options_type="LogSoftmaxOptions"),
    ops.MaxPool2D: _max_pool,
    ops.Maximum: partial(_binary, kind="MAXIMUM", options_type="MaximumMinimumOptions", fused=False),
    ops.Mean: partial(_reduce, kind="MEAN"),
    ops.Minimum: partial(_binary, kind="MINIMUM", options_type="MaximumMinimumOptions", fused=False),
    ops.Mul: partial(_binary, kind="MUL", options_type="MulOptions", fused=True),
    ops.Pad: _pad,
    ops.Prelu: _prelu,
    ops.Requantize: partial(_simple, kind="QUANTIZE", version=2, options_type="QuantizeOptions"),
    ops.Reshape: _reshape,
    ops.ResizeBilinear: partial(_resize, kind="RESIZE_BILINEAR", options_type="ResizeBilinearOptions"),
    ops.ResizeNearest: partial(_resize, kind="RESIZE_NEAREST_NEIGHBOR", options_type="ResizeNearestNeighborOptions"),
    ops.Sigmoid: _sigmoid,
    ops.Slice: _slice,
    ops.Softmax: _softmax,
    ops.Sub: partial(_binary, kind="SUB", options_type="SubOptions", fused=True),
    ops.Sum: partial(_reduce, kind="SUM"),
    ops.Tanh: partial(_simple, kind="TANH", version=2),
    ops.Transpose: _transpose,
    ops.TransposeConv2D: _transpose_conv,
}
