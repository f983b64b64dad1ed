"""The float16 operators: parameters and exact semantics. Beside the integer operators, and lowered to as they are."""

from octavo.ops.base import IntegerOp
from octavo.ops.half.conv2d import HalfConv2D
from octavo.ops.half.depthwise_conv2d import HalfDepthwiseConv2D
from octavo.ops.half.elementwise import HalfAdd, HalfMaximum, HalfMinimum, HalfMul, HalfSub
from octavo.ops.half.fully_connected import HalfFullyConnected
from octavo.ops.half.movement import HalfConcat, HalfPad, HalfPlace, HalfResizeNearest, HalfSlice, HalfTranspose
from octavo.ops.half.pool2d import HalfAveragePool2D, HalfMaxPool2D, HalfMean
from octavo.ops.half.softmax import HalfSoftmax
from octavo.ops.half.unary import (
    HalfClip,
    HalfHardSwish,
    HalfLeakyRelu,
    HalfPrelu,
    HalfSigmoid,
    HalfSilu,
    HalfTanh,
)

HALF_OPERATORS: tuple[type[IntegerOp], ...] = (
    HalfAdd, HalfAveragePool2D, HalfClip, HalfConcat, HalfConv2D, HalfDepthwiseConv2D, HalfFullyConnected,
    HalfHardSwish, HalfLeakyRelu, HalfMaxPool2D, HalfMaximum, HalfMean, HalfMinimum, HalfMul, HalfPad, HalfPlace,
    HalfPrelu, HalfResizeNearest, HalfSigmoid, HalfSilu, HalfSlice, HalfSoftmax, HalfSub, HalfTanh, HalfTranspose,
)  # fmt: skip
"""Every float16 operator."""

__all__ = [
    "HALF_OPERATORS",
    "HalfAdd",
    "HalfAveragePool2D",
    "HalfClip",
    "HalfConcat",
    "HalfConv2D",
    "HalfDepthwiseConv2D",
    "HalfFullyConnected",
    "HalfHardSwish",
    "HalfLeakyRelu",
    "HalfMaxPool2D",
    "HalfMaximum",
    "HalfMean",
    "HalfMinimum",
    "HalfMul",
    "HalfPad",
    "HalfPlace",
    "HalfPrelu",
    "HalfResizeNearest",
    "HalfSigmoid",
    "HalfSilu",
    "HalfSlice",
    "HalfSoftmax",
    "HalfSub",
    "HalfTanh",
    "HalfTranspose",
]
