"""Integer operators against TFLite Micro: random shapes, encodings and data, one operator a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from octavo.num.qparams import PerChannel, PerTensor, QParams, integer_limits
from octavo.num.tables import activation_limits, softmax_parameters, softmax_table
from octavo.num.tables16 import softmax16_parameters, softmax16_tables
from octavo.ops import integer
from octavo.ops.base import IntegerOp
from octavo.ops.binary import five, strides
from octavo.ops.integer import (
    QAdd,
    QAveragePool2D,
    QConv2D,
    QDepthwiseConv2D,
    QFullyConnected,
    QMaxPool2D,
    QMean,
    QMul,
    QPrelu,
    QResizeBilinear,
    QResizeNearest,
    QSoftmax,
    QSub,
    QTransposeConv2D,
    add_parameters,
    conv_requantization,
    mean_parameters,
    mul_parameters,
    prelu_parameters,
    sub_parameters,
)
from octavo.ops.integer.resize import bilinear_scale, nearest_indices
from tests.oracles.single_op import encoding, random_encoding, tflm

Rng = np.random.Generator
Both = tuple[np.ndarray, np.ndarray]
ACTIVATIONS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 3: (0.0, 6.0)}
ROUNDS = 25


def _data(rng: Rng, shape: tuple[int, ...], dtype: str = "int8") -> np.ndarray:
    return rng.integers(*integer_limits(dtype), shape, endpoint=True).astype(dtype)


def _form(op: type[Any], dtype: str) -> type[Any]:
    """The operator's class for a dtype: the int16 form is named after the int8 form."""
    return op if dtype == "int8" else getattr(integer, f"{op.__name__}16")


def _ours(op: IntegerOp, *inputs: np.ndarray) -> np.ndarray:
    return op.eval_int(*(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs)).numpy()


def _near(rng: Rng, scale: float, spread: float = 1.5, dtype: str = "int8") -> QParams:
    zero_point = int(rng.integers(-128, 128)) if dtype == "int8" else 0
    return encoding(scale * float(np.exp(rng.uniform(-spread, spread))), zero_point, dtype)


def _activation(rng: Rng, y: QParams) -> tuple[int, dict[str, int]]:
    """TFLite's code of a random activation, and our limits."""
    code = int(rng.choice(list(ACTIVATIONS)))
    low, high = activation_limits(*ACTIVATIONS[code], float(y.scale[0]), int(y.zero_point[0]), y.limits)
    return code, {"act_min": low, "act_max": high}


def _same(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(output size, padding before) of padding mode SAME."""
    out = -(-size // stride)
    return out, max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2


def _window(size: int, kernel: int, stride: int, same: bool, dilation: int = 1) -> tuple[int, int]:
    return _same(size, kernel, stride, dilation) if same else ((size - (kernel - 1) * dilation - 1) // stride + 1, 0)


def _binary(rng: Rng, kind: str, dtype: str) -> Both:
    op, parameters = {"Add": (QAdd, add_parameters), "Sub": (QSub, sub_parameters), "Mul": (QMul, mul_parameters)}[kind]
    a, b = random_encoding(rng, dtype=dtype), random_encoding(rng, dtype=dtype)
    product = float(a.scale[0]) * float(b.scale[0]) * (60 if dtype == "int8" else 15000)
    y = _near(rng, product if kind == "Mul" else float(max(a.scale[0], b.scale[0])), dtype=dtype)
    full, row = (1, 6, 7, 3), (1, 1, 1, 3)
    first, second = [(full, full), (full, row), (row, full), ((1, 6, 1, 3), (1, 1, 7, 3))][rng.integers(4)]
    code, limits = _activation(rng, y)
    x1, x2 = _data(rng, first, dtype), _data(rng, second, dtype)
    fields = {"shape": five(full), "stride1": strides(first, full), "stride2": strides(second, full)}
    options = {"version": 2, "options_type": f"{kind}Options", "FusedActivationFunction": code}
    want = tflm(kind.upper(), [(first, a), (second, b)], (full, y), x1, x2, **options)
    return want, _ours(_form(op, dtype)(**fields, **parameters(a, b, y), **limits), x1, x2)


def _weights(rng: Rng, shape: tuple[int, ...], axis: int) -> tuple[np.ndarray, QParams]:
    """Weights per channel or per tensor."""
    per_channel = bool(rng.random() < 0.7) and shape[axis] > 1
    scale = np.exp(rng.uniform(-9, -2, shape[axis] if per_channel else 1)).astype(np.float32)
    granularity = PerChannel(axis) if per_channel else PerTensor()
    values = rng.integers(-127, 128, shape).astype(np.int8)
    return values, QParams("int8", scale, np.zeros(scale.size, np.int32), granularity)


def _bias(rng: Rng, x: QParams, w: QParams, count: int) -> tuple[np.ndarray, QParams]:
    scale = x.scale * w.scale
    granularity = PerChannel(0) if scale.size > 1 else PerTensor()
    wide = x.dtype == "int16"
    reach = int(2 ** rng.uniform(20, 44)) if wide else 20000
    values = rng.integers(-reach, reach, count).astype(np.int64 if wide else np.int32)
    return values, QParams("int32", scale, np.zeros(scale.size, np.int32), granularity)


def _linear(rng: Rng, x: QParams, weights: tuple[np.ndarray, QParams], channels: int, fully: bool = False):  # type: ignore[no-untyped-def]
    """Bias, output encoding, activation code, shared fields, multiplier and shift."""
    values, w = weights
    bias = _bias(rng, x, w, channels)
    spread = 80 * float(np.sqrt(values.size // channels)) + float(np.abs(bias[0]).mean()) / 15000 * (x.dtype == "int16")
    y = _near(rng, float(x.scale[0]) * float(np.median(w.scale)) * spread, 2.0, x.dtype)
    code, limits = _activation(rng, y)
    fields = {
        "per_channel": int(w.per_channel), "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]), **limits,
    }  # fmt: skip
    requantization = conv_requantization(x.scale[0], w.scale, y.scale[0])
    return bias, y, code, fields, requantization


def _convolution(rng: Rng, depthwise: bool, dtype: str) -> Both:
    kernel, same = [int(v) for v in rng.integers(1, 4, 2)], bool(rng.integers(2))
    dilation = int(rng.integers(1, 3))
    stride = [1, 1] if dilation > 1 else [int(rng.integers(1, 3))] * 2 if depthwise else list(rng.integers(1, 4, 2))
    size = [int(v) for v in rng.integers(5, 10, 2)]
    groups = int(rng.integers(1, 3)) * (not depthwise) or 1
    in_c, multiplier = groups * int(rng.integers(1, 10)), int(rng.integers(1, 4))
    out_c = in_c * multiplier if depthwise else groups * int(rng.integers(1, 10))
    shape = (1, *kernel, out_c) if depthwise else (out_c, *kernel, in_c // groups)
    (out_h, top), (out_w, left) = (_window(size[i], kernel[i], stride[i], same, dilation) for i in (0, 1))
    x, weights = random_encoding(rng, dtype=dtype), _weights(rng, shape, 3 if depthwise else 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_c)
    image, options = _data(rng, (1, *size, in_c), dtype), {"DepthMultiplier": multiplier} if depthwise else {}
    kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    want = tflm(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [(image.shape, x), weights, bias], ((1, out_h, out_w, out_c), y), image, version=3, options_type=kind,
        Padding=int(not same), StrideH=stride[0], StrideW=stride[1], DilationHFactor=dilation,
        DilationWFactor=dilation, FusedActivationFunction=code, **options,
    )  # fmt: skip
    op = QDepthwiseConv2D if depthwise else QConv2D
    geometry = dict(
        in_h=size[0], in_w=size[1], in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c, kernel_h=kernel[0],
        kernel_w=kernel[1], stride_h=int(stride[0]), stride_w=int(stride[1]), dilation_h=dilation,
        dilation_w=dilation, pad_top=top, pad_left=left,
    )  # fmt: skip
    extra = {"depth_multiplier": multiplier} if depthwise else {"groups": groups}
    return want, _ours(_form(op, dtype)(**geometry, **extra, **fields), image, weights[0], bias[0], multipliers, shifts)


def _transposed(rng: Rng, dtype: str) -> Both:
    kernel, stride, size = (tuple(int(v) for v in rng.integers(1, top, 2)) for top in (4, 3, 8))
    same, in_c, out_c = bool(rng.integers(2)), int(rng.integers(1, 9)), int(rng.integers(1, 9))
    full = [(size[i] - 1) * stride[i] + kernel[i] for i in (0, 1)]
    out = [size[i] * stride[i] if same else max(full[i], size[i] * stride[i]) for i in (0, 1)]
    top, left = (max(full[i] - out[i], 0) // 2 for i in (0, 1))
    x, weights = random_encoding(rng, dtype=dtype), _weights(rng, (out_c, *kernel, in_c), 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_c)
    image, shape = _data(rng, (1, *size, in_c), dtype), (1, *out, out_c)
    want = tflm(
        "TRANSPOSE_CONV", [(np.array(shape, np.int32), None), weights, (image.shape, x), bias], (shape, y), image,
        version=3, options_type="TransposeConvOptions", Padding=int(not same), StrideH=stride[0], StrideW=stride[1],
        FusedActivationFunction=code,
    )  # fmt: skip
    op = _form(QTransposeConv2D, dtype)(*size, in_c, *out, out_c, *kernel, *stride, top, left, **fields)
    return want, _ours(op, image, weights[0], bias[0], multipliers, shifts)


def _fully_connected(rng: Rng, dtype: str) -> Both:
    rows, in_f = (int(v) for v in rng.integers(1, (9, 200 if dtype == "int8" else 2000)))
    out_f = int(rng.integers(1, 20))
    x, weights = random_encoding(rng, dtype=dtype), _weights(rng, (out_f, in_f), 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_f, fully=True)
    vectors, options = _data(rng, (rows, in_f), dtype), {"options_type": "FullyConnectedOptions"}
    want = tflm(
        "FULLY_CONNECTED", [(vectors.shape, x), weights, bias], ((rows, out_f), y), vectors,
        version=12 if weights[1].per_channel else 4, FusedActivationFunction=code, **options,
    )  # fmt: skip
    op = _form(QFullyConnected, dtype)(rows, in_f, out_f, **fields)
    return want, _ours(op, vectors[None], weights[0], bias[0], multipliers, shifts)


def _pool(rng: Rng, average: bool, dtype: str) -> Both:
    kernel, stride = ([int(v) for v in rng.integers(1, 4, 2)] for _ in range(2))
    size, channels, same = [int(v) for v in rng.integers(3, 12, 2)], int(rng.integers(1, 20)), bool(rng.integers(2))
    (out_h, top), (out_w, left) = (_window(size[i], kernel[i], stride[i], same) for i in (0, 1))
    x = random_encoding(rng, dtype=dtype)
    code, limits = _activation(rng, x)
    image = _data(rng, (1, *size, channels), dtype)
    want = tflm(
        "AVERAGE_POOL_2D" if average else "MAX_POOL_2D", [(image.shape, x)], ((1, out_h, out_w, channels), x), image,
        version=2, options_type="Pool2DOptions", Padding=int(not same), StrideH=stride[0], StrideW=stride[1],
        FilterHeight=kernel[0], FilterWidth=kernel[1], FusedActivationFunction=code,
    )  # fmt: skip
    fields = (*size, channels, out_h, out_w, *kernel, *stride, top, left, limits["act_min"], limits["act_max"])
    extra = (0, int(x.zero_point[0])) if average else ()
    op = _form(QAveragePool2D if average else QMaxPool2D, dtype)(*fields, *extra)
    return want, _ours(op, image)


def _mean(rng: Rng, dtype: str) -> Both:
    shape = (1, *(int(v) for v in rng.integers(1, 12, 3)))
    axes = [(1, 2), (1,), (2,), (3,), (2, 3), (1, 2, 3)][rng.integers(6)]
    x = random_encoding(rng, dtype=dtype)
    y = x if rng.random() < 0.3 else _near(rng, float(x.scale[0]), dtype=dtype)
    image = _data(rng, shape, dtype) if rng.random() < 0.7 else np.full(shape, rng.choice(x.limits), dtype)
    out = tuple(1 if axis in axes else d for axis, d in enumerate(shape))
    operands = [(shape, x), (np.array(axes, np.int32), None)]
    want = tflm("MEAN", operands, (out, y), image, version=2, options_type="ReducerOptions", KeepDims=True)
    count, outer = int(np.prod([shape[axis] for axis in axes])), int(np.prod(shape[: axes[0]]))
    inner = int(np.prod(shape[axes[-1] + 1 :]))
    return want, _ours(_form(QMean, dtype)(outer, count, inner, (0, *out), **mean_parameters(x, y, count)), image)


def _prelu(rng: Rng, dtype: str) -> Both:
    x, alpha = random_encoding(rng, dtype=dtype), random_encoding(rng, 1e-3, 0.1)
    y = _near(rng, float(x.scale[0]), dtype=dtype)
    image, slopes = _data(rng, (1, 4, 4, 5), dtype), _data(rng, (1, 1, 5))
    want = tflm("PRELU", [(image.shape, x), (slopes, alpha)], (image.shape, y), image)
    return want, _ours(_form(QPrelu, dtype)(80, 5, **prelu_parameters(x, alpha, y)), image, slopes.reshape(-1))


def _softmax(rng: Rng, dtype: str) -> Both:
    depth, beta, x = (
        int(rng.choice([1, 2, 10, 100])),
        float(rng.choice([1.0, 0.5, 2.0])),
        random_encoding(rng, dtype=dtype),
    )
    image, scale = _data(rng, (1, 4, depth), dtype), float(x.scale[0])
    options = {"version": 2, "options_type": "SoftmaxOptions", "Beta": beta}
    y = encoding(1 / 256, -128) if dtype == "int8" else encoding(1 / 32768, 0, dtype)
    want = tflm("SOFTMAX", [(image.shape, x)], (image.shape, y), image, **options)
    if dtype == "int16":
        return want, _ours(integer.QSoftmax16(4, depth, **softmax16_parameters(x, beta)), image, *softmax16_tables())
    return want, _ours(QSoftmax(4, depth, **softmax_parameters(scale, beta)), image, softmax_table(scale, beta))


def _resize(rng: Rng, bilinear: bool, dtype: str) -> Both:
    h, w, channels, out_h, out_w = (int(v) for v in rng.integers(1, 14, 5))
    align, half = [(False, False), (True, False), (False, True)][rng.integers(3)]
    x, image = random_encoding(rng, dtype=dtype), _data(rng, (1, h, w, channels), dtype)
    name = "Bilinear" if bilinear else "NearestNeighbor"
    want = tflm(
        "RESIZE_BILINEAR" if bilinear else "RESIZE_NEAREST_NEIGHBOR",
        [(image.shape, x), (np.array([out_h, out_w], np.int32), None)], ((1, out_h, out_w, channels), x), image,
        version=3, options_type=f"Resize{name}Options", AlignCorners=align, HalfPixelCenters=half,
    )  # fmt: skip
    if bilinear:
        scales = bilinear_scale(h, out_h, align), bilinear_scale(w, out_w, align)
        return want, _ours(QResizeBilinear(h, w, channels, out_h, out_w, *scales, int(half)), image)
    indices = nearest_indices(h, out_h, align, half), nearest_indices(w, out_w, align, half)
    return want, _ours(_form(QResizeNearest, dtype)(h, w, channels, out_h, out_w), image, *indices)


CASES: dict[str, Callable[[Rng, str], Both]] = {
    "add": lambda rng, dtype: _binary(rng, "Add", dtype),
    "sub": lambda rng, dtype: _binary(rng, "Sub", dtype),
    "mul": lambda rng, dtype: _binary(rng, "Mul", dtype),
    "conv2d": lambda rng, dtype: _convolution(rng, False, dtype),
    "depthwise_conv2d": lambda rng, dtype: _convolution(rng, True, dtype),
    "transpose_conv2d": _transposed,
    "fully_connected": _fully_connected,
    "average_pool2d": lambda rng, dtype: _pool(rng, True, dtype),
    "max_pool2d": lambda rng, dtype: _pool(rng, False, dtype),
    "mean": _mean,
    "prelu": _prelu,
    "softmax": _softmax,
    "resize_nearest": lambda rng, dtype: _resize(rng, False, dtype),
    "resize_bilinear": lambda rng, dtype: _resize(rng, True, dtype),
}


@pytest.mark.parametrize(
    ("name", "dtype"), [(n, d) for d in ("int8", "int16") for n in CASES if (n, d) != ("resize_bilinear", "int16")]
)
def test_equals_micro(name: str, dtype: str) -> None:
    rng, seen = np.random.default_rng(17), 0
    for _ in range(ROUNDS):
        want, got = CASES[name](rng, dtype)
        np.testing.assert_array_equal(got.reshape(want.shape), want)
        seen = max(seen, np.unique(want).size)
    assert seen > 20, "the outputs are too uniform to prove anything"


def test_sub_takes_quotients_in_double() -> None:
    """All pairs of integers, at scales where float32 quotients would change an output."""
    a, b = (m.astype(np.int8)[None] for m in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    rng, shape = np.random.default_rng(3), (1, 256, 256)
    for _ in range(12):
        x = random_encoding(rng, 0.02, 0.3)
        steps = (float(x.scale[0]) * 2 * rng.integers(1, 8) / rng.integers(3, 40) for _ in range(2))
        y, z = (encoding(step, int(rng.integers(-100, 100))) for step in steps)
        step = (0, 0, 0, 256, 1)
        op = QSub((1, 1, 1, 256, 256), step, step, **sub_parameters(x, y, z), act_min=-128, act_max=127)
        want = tflm("SUB", [(shape, x), (shape, y)], (shape, z), a, b, version=2, options_type="SubOptions")
        np.testing.assert_array_equal(_ours(op, a, b), want)


def test_a_large_multiplier_wraps_as_in_c() -> None:
    rng = np.random.default_rng(5)
    x, w = encoding(0.1, -20), QParams("int8", np.float32(0.1), np.int32(0))
    image, weights = _data(rng, (1, 4, 4, 64)), rng.integers(-127, 128, (8, 1, 1, 64)).astype(np.int8)
    bias = rng.integers(-100, 100, 8).astype(np.int32), QParams("int32", np.float32(0.01), np.int32(0))
    y = encoding(0.01 / 2**17, 3)
    want = tflm(
        "CONV_2D", [(image.shape, x), (weights, w), bias], ((1, 4, 4, 8), y), image, version=3,
        options_type="Conv2DOptions", Padding=1, StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    requantization = conv_requantization(x.scale[0], w.scale, y.scale[0])
    op = QConv2D(4, 4, 64, 4, 4, 8, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, -20, 3, -128, 127)
    np.testing.assert_array_equal(_ours(op, image, weights, bias[0], *requantization), want)
