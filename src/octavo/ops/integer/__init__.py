"""The integer operators: parameters and exact semantics."""

from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.elementwise import (
    QAdd,
    QMaximum,
    QMinimum,
    QMul,
    QSub,
    add_parameters,
    mul_parameters,
    sub_parameters,
)
from octavo.ops.integer.fully_connected import QFullyConnected
from octavo.ops.integer.lookup import QLookup
from octavo.ops.integer.mean import QMean, mean_parameters
from octavo.ops.integer.movement import QConcat, QPad, QReshape, QSlice, QTranspose
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D
from octavo.ops.integer.prelu import QPrelu, prelu_parameters
from octavo.ops.integer.requantizing import conv_requantization
from octavo.ops.integer.resize import QResizeBilinear, QResizeNearest, bilinear_scale, nearest_indices
from octavo.ops.integer.softmax import QSoftmax
from octavo.ops.integer.transpose_conv2d import QTransposeConv2D

INTEGER_OPERATORS: tuple[type[IntegerOp], ...] = (
    QAdd, QAveragePool2D, QConcat, QConv2D, QDepthwiseConv2D, QFullyConnected, QLookup, QMaxPool2D, QMaximum, QMean,
    QMinimum, QMul, QPad, QPrelu, QReshape, QResizeBilinear, QResizeNearest, QSlice, QSoftmax, QSub, QTranspose,
    QTransposeConv2D,
)  # fmt: skip
"""Every integer operator."""

__all__ = [
    "INTEGER_OPERATORS",
    "QAdd",
    "QAveragePool2D",
    "QConcat",
    "QConv2D",
    "QDepthwiseConv2D",
    "QFullyConnected",
    "QLookup",
    "QMaxPool2D",
    "QMaximum",
    "QMean",
    "QMinimum",
    "QMul",
    "QPad",
    "QPrelu",
    "QReshape",
    "QResizeBilinear",
    "QResizeNearest",
    "QSlice",
    "QSoftmax",
    "QSub",
    "QTranspose",
    "QTransposeConv2D",
    "add_parameters",
    "bilinear_scale",
    "conv_requantization",
    "mean_parameters",
    "mul_parameters",
    "nearest_indices",
    "prelu_parameters",
    "sub_parameters",
]
