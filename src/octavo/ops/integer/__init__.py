"""The integer operators: parameters and exact semantics."""

from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D, QConv2D16
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D, QDepthwiseConv2D16
from octavo.ops.integer.elementwise import (
    QAdd,
    QAdd16,
    QMaximum,
    QMaximum16,
    QMinimum,
    QMinimum16,
    QMul,
    QMul16,
    QSub,
    QSub16,
    add_parameters,
    mul_parameters,
    sub_parameters,
)
from octavo.ops.integer.fully_connected import QFullyConnected, QFullyConnected16
from octavo.ops.integer.interleave import QInterleave, QPlace, QPlace16
from octavo.ops.integer.leaky_relu import QLeakyRelu16, leaky_relu_parameters
from octavo.ops.integer.logistic import QLogistic16, QTanh16
from octavo.ops.integer.lookup import QLookup, QLookup16
from octavo.ops.integer.mean import QMean, QMean16, mean_parameters
from octavo.ops.integer.movement import (
    QConcat,
    QConcat16,
    QJoin,
    QPad,
    QPad16,
    QPart,
    QReshape,
    QSlice,
    QSlice16,
    QTranspose,
    QTranspose16,
)
from octavo.ops.integer.pool2d import QAveragePool2D, QAveragePool2D16, QMaxPool2D, QMaxPool2D16
from octavo.ops.integer.prelu import QPrelu, QPrelu16, prelu_parameters
from octavo.ops.integer.requantize import (
    QRequantize8To16,
    QRequantize16,
    QRequantize16To8,
    requantize_parameters,
)
from octavo.ops.integer.requantizing import conv_requantization
from octavo.ops.integer.resize import QResizeBilinear, QResizeNearest, QResizeNearest16, bilinear_scale, nearest_indices
from octavo.ops.integer.softmax import QSoftmax, QSoftmax16
from octavo.ops.integer.transpose_conv2d import QTransposeConv2D, QTransposeConv2D16

INTEGER_OPERATORS: tuple[type[IntegerOp], ...] = (
    QAdd, QAveragePool2D, QConcat, QConv2D, QDepthwiseConv2D, QFullyConnected, QLookup, QMaxPool2D, QMaximum, QMean,
    QMinimum, QMul, QPad, QPrelu, QReshape, QResizeBilinear, QResizeNearest, QSlice, QSoftmax, QSub, QTranspose,
    QTransposeConv2D, QAdd16, QConcat16, QConv2D16, QDepthwiseConv2D16, QFullyConnected16, QMaximum16, QMinimum16,
    QMul16, QPad16, QRequantize8To16, QRequantize16, QRequantize16To8, QSlice16, QSub16, QTranspose16,
    QAveragePool2D16, QMaxPool2D16, QMean16, QPrelu16, QResizeNearest16, QTransposeConv2D16, QLeakyRelu16,
    QLookup16, QLogistic16, QTanh16, QSoftmax16, QJoin, QPart,
    QInterleave, QPlace, QPlace16,
)  # fmt: skip
"""Every integer operator."""

__all__ = [
    "INTEGER_OPERATORS",
    "QAdd",
    "QAdd16",
    "QAveragePool2D",
    "QAveragePool2D16",
    "QConcat",
    "QConcat16",
    "QConv2D",
    "QConv2D16",
    "QDepthwiseConv2D",
    "QDepthwiseConv2D16",
    "QFullyConnected",
    "QFullyConnected16",
    "QInterleave",
    "QJoin",
    "QLeakyRelu16",
    "QLogistic16",
    "QLookup",
    "QLookup16",
    "QMaxPool2D",
    "QMaxPool2D16",
    "QMaximum",
    "QMaximum16",
    "QMean",
    "QMean16",
    "QMinimum",
    "QMinimum16",
    "QMul",
    "QMul16",
    "QPad",
    "QPad16",
    "QPart",
    "QPlace",
    "QPlace16",
    "QPrelu",
    "QPrelu16",
    "QRequantize16",
    "QRequantize16To8",
    "QRequantize8To16",
    "QReshape",
    "QResizeBilinear",
    "QResizeNearest",
    "QResizeNearest16",
    "QSlice",
    "QSlice16",
    "QSoftmax",
    "QSoftmax16",
    "QSub",
    "QSub16",
    "QTanh16",
    "QTranspose",
    "QTranspose16",
    "QTransposeConv2D",
    "QTransposeConv2D16",
    "add_parameters",
    "bilinear_scale",
    "conv_requantization",
    "leaky_relu_parameters",
    "mean_parameters",
    "mul_parameters",
    "nearest_indices",
    "prelu_parameters",
    "requantize_parameters",
    "sub_parameters",
]
