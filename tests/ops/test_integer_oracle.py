"""Integer operators against TFLite Micro: random shapes, encodings and data, one operator a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.num.tables import activation_limits, softmax_parameters, softmax_table
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


def _data(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _ours(op: IntegerOp, *inputs: np.ndarray) -> np.ndarray:
    return op.eval_int(*(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs)).numpy()


def _near(rng: Rng, scale: float, spread: float = 1.5) -> QParams:
    return encoding(scale * float(np.exp(rng.uniform(-spread, spread))), int(rng.integers(-128, 128)))


def _activation(rng: Rng, y: QParams) -> tuple[int, dict[str, int]]:
    """TFLite's code of a random activation, and our limits."""
    code = int(rng.choice(list(ACTIVATIONS)))
    low, high = activation_limits(*ACTIVATIONS[code], float(y.scale[0]), int(y.zero_point[0]))
    return code, {"act_min": low, "act_max": high}


def _same(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(output size, padding before) of padding mode SAME."""
    out = -(-size // stride)
    return out, max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2


def _window(size: int, kernel: int, stride: int, same: bool, dilation: int = 1) -> tuple[int, int]:
    return _same(size, kernel, stride, dilation) if same else ((size - (kernel - 1) * dilation - 1) // stride + 1, 0)


def _binary(rng: Rng, kind: str) -> Both:
    op, parameters = {"Add": (QAdd, add_parameters), "Sub": (QSub, sub_parameters), "Mul": (QMul, mul_parameters)}[kind]
    a, b = random_encoding(rng), random_encoding(rng)
    product = float(a.scale[0]) * float(b.scale[0]) * 60
    y = _near(rng, product if kind == "Mul" else float(max(a.scale[0], b.scale[0])))
    full, row = (1, 6, 7, 3), (1, 1, 1, 3)
    first, second = [(full, full), (full, row), (row, full), ((1, 6, 1, 3), (1, 1, 7, 3))][rng.integers(4)]
    code, limits = _activation(rng, y)
    x1, x2 = _data(rng, first), _data(rng, second)
    fields = {"shape": five(full), "stride1": strides(first, full), "stride2": strides(second, full)}
    options = {"version": 2, "options_type": f"{kind}Options", "FusedActivationFunction": code}
    want = tflm(kind.upper(), [(first, a), (second, b)], (full, y), x1, x2, **options)
    return want, _ours(op(**fields, **parameters(a, b, y), **limits), x1, x2)


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
    values = rng.integers(-20000, 20000, count).astype(np.int32)
    return values, QParams("int32", scale, np.zeros(scale.size, np.int32), granularity)


def _linear(rng: Rng, x: QParams, weights: tuple[np.ndarray, QParams], channels: int, fully: bool = False):  # type: ignore[no-untyped-def]
    """Bias, output encoding, activation code, shared fields, multiplier and shift."""
    values, w = weights
    y = _near(rng, float(x.scale[0]) * float(np.median(w.scale)) * 80 * float(np.sqrt(values.size // channels)), 2.0)
    code, limits = _activation(rng, y)
    fields = {
        "per_channel": int(w.per_channel), "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]), **limits,
    }  # fmt: skip
    requantization = conv_requantization(x.scale[0], w.scale, y.scale[0])
    return _bias(rng, x, w, channels), y, code, fields, requantization


def _convolution(rng: Rng, depthwise: bool) -> Both:
    kernel, same = [int(v) for v in rng.integers(1, 4, 2)], bool(rng.integers(2))
    dilation = int(rng.integers(1, 3))
    stride = [1, 1] if dilation > 1 else [int(rng.integers(1, 3))] * 2 if depthwise else list(rng.integers(1, 4, 2))
    size = [int(v) for v in rng.integers(5, 10, 2)]
    groups = int(rng.integers(1, 3)) * (not depthwise) or 1
    in_c, multiplier = groups * int(rng.integers(1, 10)), int(rng.integers(1, 4))
    out_c = in_c * multiplier if depthwise else groups * int(rng.integers(1, 10))
    shape = (1, *kernel, out_c) if depthwise else (out_c, *kernel, in_c // groups)
    (out_h, top), (out_w, left) = (_window(size[i], kernel[i], stride[i], same, dilation) for i in (0, 1))
    x, weights = random_encoding(rng), _weights(rng, shape, 3 if depthwise else 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_c)
    image, options = _data(rng, (1, *size, in_c)), {"DepthMultiplier": multiplier} if depthwise else {}
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
    return want, _ours(op(**geometry, **extra, **fields), image, weights[0], bias[0], multipliers, shifts)


def _transposed(rng: Rng) -> Both:
    kernel, stride, size = (tuple(int(v) for v in rng.integers(1, top, 2)) for top in (4, 3, 8))
    same, in_c, out_c = bool(rng.integers(2)), int(rng.integers(1, 9)), int(rng.integers(1, 9))
    full = [(size[i] - 1) * stride[i] + kernel[i] for i in (0, 1)]
    out = [size[i] * stride[i] if same else max(full[i], size[i] * stride[i]) for i in (0, 1)]
    top, left = (max(full[i] - out[i], 0) // 2 for i in (0, 1))
    x, weights = random_encoding(rng), _weights(rng, (out_c, *kernel, in_c), 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_c)
    image, shape = _data(rng, (1, *size, in_c)), (1, *out, out_c)
    want = tflm(
        "TRANSPOSE_CONV", [(np.array(shape, np.int32), None), weights, (image.shape, x), bias], (shape, y), image,
        version=3, options_type="TransposeConvOptions", Padding=int(not same), StrideH=stride[0], StrideW=stride[1],
        FusedActivationFunction=code,
    )  # fmt: skip
    op = QTransposeConv2D(*size, in_c, *out, out_c, *kernel, *stride, top, left, **fields)
    return want, _ours(op, image, weights[0], bias[0], multipliers, shifts)


def _fully_connected(rng: Rng) -> Both:
    rows, in_f, out_f = int(rng.integers(1, 4)), int(rng.integers(1, 200)), int(rng.integers(1, 20))
    x, weights = random_encoding(rng), _weights(rng, (out_f, in_f), 0)
    bias, y, code, fields, (multipliers, shifts) = _linear(rng, x, weights, out_f, fully=True)
    vectors, options = _data(rng, (rows, in_f)), {"options_type": "FullyConnectedOptions"}
    want = tflm(
        "FULLY_CONNECTED", [(vectors.shape, x), weights, bias], ((rows, out_f), y), vectors,
        version=12 if weights[1].per_channel else 4, FusedActivationFunction=code, **options,
    )  # fmt: skip
    op = QFullyConnected(rows, in_f, out_f, **fields)
    return want, _ours(op, vectors[None], weights[0], bias[0], multipliers, shifts)


def _pool(rng: Rng, average: bool) -> Both:
    kernel, stride = ([int(v) for v in rng.integers(1, 4, 2)] for _ in range(2))
    size, channels, same = [int(v) for v in rng.integers(3, 12, 2)], int(rng.integers(1, 20)), bool(rng.integers(2))
    (out_h, top), (out_w, left) = (_window(size[i], kernel[i], stride[i], same) for i in (0, 1))
    x = random_encoding(rng)
    code, limits = _activation(rng, x)
    image = _data(rng, (1, *size, channels))
    want = tflm(
        "AVERAGE_POOL_2D" if average else "MAX_POOL_2D", [(image.shape, x)], ((1, out_h, out_w, channels), x), image,
        version=2, options_type="Pool2DOptions", Padding=int(not same), StrideH=stride[0], StrideW=stride[1],
        FilterHeight=kernel[0], FilterWidth=kernel[1], FusedActivationFunction=code,
    )  # fmt: skip
    fields = (*size, channels, out_h, out_w, *kernel, *stride, top, left, limits["act_min"], limits["act_max"])
    op = QAveragePool2D(*fields, 0, int(x.zero_point[0])) if average else QMaxPool2D(*fields)
    return want, _ours(op, image)


def _mean(rng: Rng) -> Both:
    shape = (1, *(int(v) for v in rng.integers(1, 12, 3)))
    axes = [(1, 2), (1,), (2,), (3,), (2, 3), (1, 2, 3)][rng.integers(6)]
    x = random_encoding(rng)
    y = x if rng.random() < 0.3 else _near(rng, float(x.scale[0]))
    image = _data(rng, shape) if rng.random() < 0.7 else np.full(shape, rng.choice([-128, 127]), np.int8)
    out = tuple(1 if axis in axes else d for axis, d in enumerate(shape))
    operands = [(shape, x), (np.array(axes, np.int32), None)]
    want = tflm("MEAN", operands, (out, y), image, version=2, options_type="ReducerOptions", KeepDims=True)
    count, outer = int(np.prod([shape[axis] for axis in axes])), int(np.prod(shape[: axes[0]]))
    inner = int(np.prod(shape[axes[-1] + 1 :]))
    return want, _ours(QMean(outer, count, inner, (0, *out), **mean_parameters(x, y, count)), image)


def _prelu(rng: Rng) -> Both:
    x, alpha = random_encoding(rng), random_encoding(rng, 1e-3, 0.1)
    y = _near(rng, float(x.scale[0]))
    image, slopes = _data(rng, (1, 4, 4, 5)), _data(rng, (1, 1, 5))
    want = tflm("PRELU", [(image.shape, x), (slopes, alpha)], (image.shape, y), image)
    return want, _ours(QPrelu(80, 5, **prelu_parameters(x, alpha, y)), image, slopes.reshape(-1))


def _softmax(rng: Rng) -> Both:
    depth, beta, x = int(rng.choice([1, 2, 10, 100])), float(rng.choice([1.0, 0.5, 2.0])), random_encoding(rng)
    image, scale = _data(rng, (1, 4, depth)), float(x.scale[0])
    options = {"version": 2, "options_type": "SoftmaxOptions", "Beta": beta}
    want = tflm("SOFTMAX", [(image.shape, x)], (image.shape, encoding(1 / 256, -128)), image, **options)
    return want, _ours(QSoftmax(4, depth, **softmax_parameters(scale, beta)), image, softmax_table(scale, beta))


def _resize(rng: Rng, bilinear: bool) -> Both:
    h, w, channels, out_h, out_w = (int(v) for v in rng.integers(1, 14, 5))
    align, half = [(False, False), (True, False), (False, True)][rng.integers(3)]
    x, image = random_encoding(rng), _data(rng, (1, h, w, channels))
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
    return want, _ours(QResizeNearest(h, w, channels, out_h, out_w), image, *indices)


CASES: dict[str, Callable[[Rng], Both]] = {
    "add": lambda rng: _binary(rng, "Add"),
    "sub": lambda rng: _binary(rng, "Sub"),
    "mul": lambda rng: _binary(rng, "Mul"),
    "conv2d": lambda rng: _convolution(rng, False),
    "depthwise_conv2d": lambda rng: _convolution(rng, True),
    "transpose_conv2d": _transposed,
    "fully_connected": _fully_connected,
    "average_pool2d": lambda rng: _pool(rng, True),
    "max_pool2d": lambda rng: _pool(rng, False),
    "mean": _mean,
    "prelu": _prelu,
    "softmax": _softmax,
    "resize_nearest": lambda rng: _resize(rng, False),
    "resize_bilinear": lambda rng: _resize(rng, True),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_micro(name: str) -> None:
    rng, seen = np.random.default_rng(17), 0
    for _ in range(ROUNDS):
        want, got = CASES[name](rng)
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
