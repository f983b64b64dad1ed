"""The aten operators that are read, by name without overload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octavo.formats.torch_export import convolution, elementwise, movement, pooling
from octavo.formats.torch_export.call import Call, Value
from octavo.formats.torch_export.elementwise import binary, unary
from octavo.ops import (
    Abs,
    Add,
    Clip,
    Erf,
    Exp,
    HardSigmoid,
    HardSwish,
    Identity,
    Log,
    Maximum,
    Minimum,
    Mish,
    Mul,
    Neg,
    Rsqrt,
    Sigmoid,
    Silu,
    Sqrt,
    Square,
    Sub,
    Tanh,
)

__all__ = ["CONVERTERS", "FOLDED"]

_IDENTITY = unary(Identity())

CONVERTERS: Mapping[str, Callable[[Call], str | list[str] | Value]] = {
    **dict.fromkeys(("conv1d", "conv2d"), convolution.conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), convolution.conv_transpose),
    "convolution": convolution.convolution,
    "linear": convolution.linear,
    "addmm": convolution.addmm,
    **dict.fromkeys(("mm", "matmul"), convolution.matmul),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), convolution.batch_norm),
    "relu": unary(Clip(0.0)),
    "relu6": unary(Clip(0.0, 6.0)),
    "hardtanh": elementwise.hardtanh,
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "clip"), elementwise.clamp),
    "leaky_relu": elementwise.leaky_relu,
    **dict.fromkeys(("prelu", "_prelu_kernel"), elementwise.prelu),
    "elu": elementwise.elu,
    "gelu": elementwise.gelu,
    "softplus": elementwise.softplus,
    "sigmoid": unary(Sigmoid()),
    "tanh": unary(Tanh()),
    "hardsigmoid": unary(HardSigmoid()),
    "hardswish": unary(HardSwish()),
    "silu": unary(Silu()),
    "mish": unary(Mish()),
    "exp": unary(Exp()),
    "log": unary(Log()),
    "abs": unary(Abs()),
    "neg": unary(Neg()),
    "sqrt": unary(Sqrt()),
    "rsqrt": unary(Rsqrt()),
    "square": unary(Square()),
    "erf": unary(Erf()),
    "pow": elementwise.power,
    "reciprocal": elementwise.reciprocal,
    "add": binary(Add()),
    "sub": binary(Sub()),
    "rsub": elementwise.reversed_subtract,
    "mul": binary(Mul()),
    "div": elementwise.divide,
    "maximum": binary(Maximum()),
    "minimum": binary(Minimum()),
    "max": elementwise.extremum(Maximum()),
    "min": elementwise.extremum(Minimum()),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool2d_with_indices"), pooling.max_pool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), pooling.average_pool),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"),
                    pooling.adaptive_average_pool),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), pooling.adaptive_max_pool),
    "amax": pooling.amax,
    "mean": pooling.mean,
    "sum": pooling.sum_,
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d"), pooling.nearest),
    **dict.fromkeys(("_upsample_nearest_exact1d", "_upsample_nearest_exact2d"), pooling.nearest_exact),
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d"), pooling.bilinear),
    **dict.fromkeys(("softmax", "_softmax"), elementwise.softmax),
    **dict.fromkeys(("log_softmax", "_log_softmax"), elementwise.log_softmax),
    **dict.fromkeys(("cat", "concat"), movement.cat),
    **dict.fromkeys(("pad", "constant_pad_nd"), movement.pad),
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), movement.reshape),
    "flatten": movement.flatten,
    "unflatten": movement.unflatten,
    "squeeze": movement.squeeze,
    "unsqueeze": movement.unsqueeze,
    "permute": movement.permute,
    "transpose": movement.swap,
    "slice": movement.slice_,
    "select": movement.select,
    **dict.fromkeys(("split", "split_with_sizes"), movement.split),
    "chunk": movement.chunk,
    "unbind": movement.unbind,
    "pixel_shuffle": movement.pixel_shuffle,
    "stack": movement.stack,
    "expand": movement.expand,
    "expand_as": movement.expand_as,
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "alias", "lift_fresh_copy"), _IDENTITY
    ),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), elementwise.dropout),
    **dict.fromkeys(("to", "_to_copy"), elementwise.cast),
}  # fmt: skip
"""By the operator's name; a trailing underscore (in place) means the same."""

FOLDED = frozenset(
    (
        "_weight_norm", "arange", "full", "full_like", "linalg_vector_norm", "ones", "ones_like", "repeat",
        "scalar_tensor", "std", "t", "var", "zeros", "zeros_like",
    )
)  # fmt: skip
"""Operators that are evaluated on constants only, besides those above."""
