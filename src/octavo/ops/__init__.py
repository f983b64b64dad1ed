"""The float operators. An operator's facts are in its file and nowhere else."""

from octavo.ops.base import Op
from octavo.ops.batch_norm import BatchNorm
from octavo.ops.binary import Add, Div, Maximum, Minimum, Mul, Sub
from octavo.ops.conv2d import Conv2D
from octavo.ops.depthwise_conv2d import DepthwiseConv2D
from octavo.ops.fully_connected import FullyConnected
from octavo.ops.pool2d import AveragePool2D, MaxPool2D
from octavo.ops.prelu import Prelu
from octavo.ops.reduce import Mean, Sum
from octavo.ops.resize import ResizeBilinear, ResizeNearest
from octavo.ops.shape import Concat, Pad, Reshape, Slice, Transpose
from octavo.ops.softmax import LogSoftmax, Softmax
from octavo.ops.transpose_conv2d import TransposeConv2D
from octavo.ops.unary import (
    NONE,
    Abs,
    Clip,
    Elu,
    Erf,
    Exp,
    Gelu,
    HardSigmoid,
    HardSwish,
    Identity,
    LeakyRelu,
    Log,
    Mish,
    Neg,
    Requantize,
    Rsqrt,
    Sigmoid,
    Silu,
    Softplus,
    Sqrt,
    Square,
    Tanh,
    Unary,
)

OPERATORS: dict[str, type[Op]] = {
    cls.__name__: cls
    for cls in (
        Abs, Add, AveragePool2D, BatchNorm, Clip, Concat, Conv2D, DepthwiseConv2D, Div, Elu, Erf, Exp, FullyConnected,
        Gelu, HardSigmoid, HardSwish, Identity, LeakyRelu, Log, LogSoftmax, MaxPool2D, Maximum, Mean, Minimum, Mish,
        Mul, Neg, Pad, Prelu, Requantize, Reshape, ResizeBilinear, ResizeNearest, Rsqrt, Sigmoid, Silu, Slice,
        Softmax, Softplus, Sqrt, Square, Sub, Sum, Tanh, Transpose, TransposeConv2D,
    )
}  # fmt: skip
"""Every operator by name."""

__all__ = [
    "NONE",
    "OPERATORS",
    "Op",
    "Unary",
    "Abs",
    "Add",
    "AveragePool2D",
    "BatchNorm",
    "Clip",
    "Concat",
    "Conv2D",
    "DepthwiseConv2D",
    "Div",
    "Elu",
    "Erf",
    "Exp",
    "FullyConnected",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "MaxPool2D",
    "Maximum",
    "Mean",
    "Minimum",
    "Mish",
    "Mul",
    "Neg",
    "Pad",
    "Prelu",
    "Requantize",
    "Reshape",
    "ResizeBilinear",
    "ResizeNearest",
    "Rsqrt",
    "Sigmoid",
    "Silu",
    "Slice",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Square",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "TransposeConv2D",
]
