"""The table of operators: TFLite's builtin, its options table, the function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from octavo import ops
from octavo.formats.tflite import layers, moves
from octavo.formats.tflite.step import Step

__all__ = ["OPERATORS"]

Reader = Callable[[Step], None]


def _gelu(step: Step) -> None:
    step.finish(ops.Gelu(bool(step.option("Approximate"))), [step.x()])


def _plain(op: ops.Op) -> Reader:
    return partial(layers.plain, op=op)


OPERATORS: Mapping[str, tuple[str, Reader]] = {
    "ABS": ("AbsOptions", _plain(ops.Abs())),
    "ADD": ("AddOptions", partial(layers.elementwise, kind=ops.Add)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", partial(layers.pool2d, kind=ops.AveragePool2D)),
    "CONCATENATION": ("ConcatenationOptions", moves.concatenation),
    "CONV_2D": ("Conv2DOptions", layers.conv2d),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", layers.depthwise_conv2d),
    "DEQUANTIZE": ("DequantizeOptions", moves.dequantize),
    "DIV": ("DivOptions", layers.divide),
    "ELU": ("", _plain(ops.Elu())),
    "EXP": ("ExpOptions", _plain(ops.Exp())),
    "EXPAND_DIMS": ("ExpandDimsOptions", moves.expand_dims),
    "FULLY_CONNECTED": ("FullyConnectedOptions", layers.fully_connected),
    "GELU": ("GeluOptions", _gelu),
    "HARD_SWISH": ("HardSwishOptions", _plain(ops.HardSwish())),
    "LEAKY_RELU": ("LeakyReluOptions", layers.leaky_relu),
    "LOG": ("", _plain(ops.Log())),
    "LOGISTIC": ("", _plain(ops.Sigmoid())),
    "LOG_SOFTMAX": ("LogSoftmaxOptions", partial(layers.softmax, kind=ops.LogSoftmax)),
    "MAXIMUM": ("MaximumMinimumOptions", partial(layers.elementwise, kind=ops.Maximum)),
    "MAX_POOL_2D": ("Pool2DOptions", partial(layers.pool2d, kind=ops.MaxPool2D)),
    "MEAN": ("ReducerOptions", partial(layers.reduce, kind=ops.Mean)),
    "MINIMUM": ("MaximumMinimumOptions", partial(layers.elementwise, kind=ops.Minimum)),
    "MUL": ("MulOptions", partial(layers.elementwise, kind=ops.Mul)),
    "NEG": ("NegOptions", _plain(ops.Neg())),
    "PAD": ("PadOptions", moves.pad),
    "PADV2": ("PadV2Options", moves.pad),
    "PRELU": ("", layers.prelu),
    "QUANTIZE": ("QuantizeOptions", moves.quantize),
    "RELU": ("", _plain(ops.Clip(0.0))),
    "RELU6": ("", _plain(ops.Clip(0.0, 6.0))),
    "RELU_0_TO_1": ("", _plain(ops.Clip(0.0, 1.0))),
    "RELU_N1_TO_1": ("", _plain(ops.Clip(-1.0, 1.0))),
    "RESHAPE": ("ReshapeOptions", moves.reshape),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", partial(moves.resize, kind=ops.ResizeBilinear)),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", partial(moves.resize, kind=ops.ResizeNearest)),
    "RSQRT": ("", _plain(ops.Rsqrt())),
    "SLICE": ("SliceOptions", moves.slice_),
    "SOFTMAX": ("SoftmaxOptions", partial(layers.softmax, kind=ops.Softmax)),
    "SPLIT": ("SplitOptions", moves.split),
    "SPLIT_V": ("SplitVOptions", moves.split_v),
    "SQRT": ("", _plain(ops.Sqrt())),
    "SQUARE": ("SquareOptions", _plain(ops.Square())),
    "SQUEEZE": ("SqueezeOptions", moves.squeeze),
    "STRIDED_SLICE": ("StridedSliceOptions", moves.strided_slice),
    "SUB": ("SubOptions", partial(layers.elementwise, kind=ops.Sub)),
    "SUM": ("ReducerOptions", partial(layers.reduce, kind=ops.Sum)),
    "TANH": ("", _plain(ops.Tanh())),
    "TRANSPOSE": ("TransposeOptions", moves.transpose),
    "TRANSPOSE_CONV": ("TransposeConvOptions", layers.transpose_conv2d),
}
