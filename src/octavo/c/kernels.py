"""The table of C kernels: which header implements an integer operator."""

from __future__ import annotations

from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import Strips, calls

__all__ = ["KERNELS", "Kernel", "kernel_headers"]


@dataclass(frozen=True)
class Kernel:
    """A C function and the header, relative to csrc, that defines it.

    ``shared`` is the function for calls whose parameters the compiler does not see as constants, "" where there is
    none; it is smaller than ``worth`` calls with code of their own.
    """

    function: str
    header: str
    variant: str = "portable"
    shared: str = ""
    worth: int = 0


_PORTABLE = (
    "add_s8", "average_pool2d_s8", "concat_s8", "conv2d_s8", "depthwise_conv2d_s8", "fully_connected_s8", "lookup_s8",
    "max_pool2d_s8", "maximum_s8", "mean_s8", "minimum_s8", "mul_s8", "pad_s8", "place_s8", "prelu_s8",
    "resize_bilinear_s8", "resize_nearest_s8", "slice_s8", "softmax_s8", "sub_s8", "transpose_conv2d_s8",
    "transpose_s8",
    "add_s16", "average_pool2d_s16", "concat_s16", "conv2d_s16", "depthwise_conv2d_s16", "fully_connected_s16",
    "leaky_relu_s16", "logistic_s16", "lookup_s16", "max_pool2d_s16", "maximum_s16", "mean_s16", "minimum_s16",
    "mul_s16", "pad_s16", "place_s16", "prelu_s16", "requantize_s16", "requantize_s16_s8", "requantize_s8_s16",
    "resize_nearest_s16", "slice_s16", "softmax_s16", "sub_s16", "tanh_s16", "transpose_conv2d_s16", "transpose_s16",
)  # fmt: skip

_FLOAT16 = (
    "add_f16", "average_pool2d_f16", "clip_f16", "conv2d_f16", "depthwise_conv2d_f16", "fully_connected_f16",
    "hard_swish_f16", "leaky_relu_f16", "max_pool2d_f16", "maximum_f16", "mean_f16", "minimum_f16", "mul_f16",
    "prelu_f16", "sigmoid_f16", "silu_f16", "softmax_f16", "sub_f16", "tanh_f16",
)  # fmt: skip

_DSP = (
    "add_s8_dsp", "conv2d_s8_dsp", "conv2d_apart_dsp", "conv2d_w4_dsp", "depthwise_conv2d_s8_dsp",
    "fully_connected_s8_dsp", "fully_connected_w4_dsp", "pointwise_s8_dsp", "pointwise_w4_dsp",
    "conv2d_log2_dsp", "depthwise_conv2d_log2_dsp", "fully_connected_log2_dsp", "pointwise_log2_dsp",
    "add_s16_dsp", "conv2d_s16_dsp", "depthwise_conv2d_s16_dsp", "fully_connected_s16_dsp", "pointwise_s16_dsp",
    "average_pool2d_s8_dsp", "average_pool2d_s16_dsp", "max_pool2d_s8_dsp", "max_pool2d_s16_dsp", "mean_s8_dsp",
)  # fmt: skip
_WINOGRAD = ("conv2d_s8_winograd",)
_MVE = (
    "add_s8_mve", "average_pool2d_s8_mve", "conv2d_s8_mve", "depthwise_conv2d_s8_mve", "fully_connected_s8_mve",
    "max_pool2d_s8_mve", "mean_s8_mve", "pointwise_s8_mve",
    "conv2d_w4_mve", "fully_connected_w4_mve", "pointwise_w4_mve",
    "add_s16_mve", "conv2d_s16_mve", "depthwise_conv2d_s16_mve", "fully_connected_s16_mve", "pointwise_s16_mve",
    "add_f16_mve", "conv2d_f16_mve", "depthwise_conv2d_f16_mve", "fully_connected_f16_mve",
)  # fmt: skip
_SHIFTS = ("conv2d_w4_shifts",)
_SCALAR = (
    "add_s8_scalar", "conv2d_s8_scalar", "depthwise_conv2d_s8_scalar", "fully_connected_s8_scalar",
    "pointwise_s8_scalar",
)  # fmt: skip
_X86 = ("add_s8_x86", "average_pool2d_s8_x86", "conv2d_s8_x86", "depthwise_conv2d_s8_x86")

_SHARED = {
    "add_s8_dsp": ("octavo_add_s8_dsp", 3),
    "conv2d_s8_dsp": ("octavo_conv2d_s8_dsp_any", 2),
    "conv2d_apart_dsp": ("octavo_conv2d_apart_dsp_any", 2),
    "depthwise_conv2d_s8_dsp": ("octavo_depthwise_conv2d_s8_dsp", 5),
    "fully_connected_s8_dsp": ("octavo_fully_connected_s8_dsp", 6),
    "pointwise_s8_dsp": ("octavo_pointwise_s8_dsp_any", 2),
    "conv2d_w4_dsp": ("octavo_conv2d_w4_dsp_any", 2),
    "fully_connected_w4_dsp": ("octavo_fully_connected_w4_dsp", 6),
    "pointwise_w4_dsp": ("octavo_pointwise_w4_dsp_any", 2),
    "conv2d_log2_dsp": ("octavo_conv2d_log2_dsp_any", 2),
    "depthwise_conv2d_log2_dsp": ("octavo_depthwise_conv2d_log2_dsp", 5),
    "fully_connected_log2_dsp": ("octavo_fully_connected_log2_dsp", 6),
    "pointwise_log2_dsp": ("octavo_pointwise_log2_dsp_any", 2),
    "conv2d_w4_shifts": ("octavo_conv2d_w4_shifts", 2),
    "add_s16_dsp": ("octavo_add_s16_dsp", 8),
    "conv2d_s16_dsp": ("octavo_conv2d_s16_dsp_any", 8),
    "depthwise_conv2d_s16_dsp": ("octavo_depthwise_conv2d_s16_dsp_any", 7),
    "fully_connected_s16_dsp": ("octavo_fully_connected_s16_dsp", 9),
    "pointwise_s16_dsp": ("octavo_pointwise_s16_dsp_any", 10),
    "add_s8_scalar": ("octavo_add_s8_scalar", 3),
    "conv2d_s8_scalar": ("octavo_conv2d_s8_scalar_any", 2),
    "depthwise_conv2d_s8_scalar": ("octavo_depthwise_conv2d_s8_scalar_any", 2),
    "fully_connected_s8_scalar": ("octavo_fully_connected_s8_scalar", 6),
    "pointwise_s8_scalar": ("octavo_pointwise_s8_scalar_any", 2),
    "add_s8_mve": ("octavo_add_s8_mve", 5),
    "conv2d_s8_mve": ("octavo_conv2d_s8_mve_any", 3),
    "depthwise_conv2d_s8_mve": ("octavo_depthwise_conv2d_s8_mve_any", 2),
    "fully_connected_s8_mve": ("octavo_fully_connected_s8_mve_any", 12),
    "pointwise_s8_mve": ("octavo_pointwise_s8_mve_any", 2),
}

KERNELS: dict[str, Kernel] = {
    name: Kernel(f"octavo_{name}", f"{variant}/{name}.h", variant, *_SHARED.get(name, ("", 0)))
    for variant, names in (
        ("portable", (*_PORTABLE, *_FLOAT16)),
        ("dsp", _DSP),
        ("winograd", _WINOGRAD),
        ("mve", _MVE),
        ("shifts", _SHIFTS),
        ("scalar", _SCALAR),
        ("x86", _X86),
    )
    for name in names
}
"""By ``IntegerOp.kernel``."""


def kernel_headers(graph: Graph) -> list[str]:
    """The headers, relative to csrc, that an integer graph needs: sorted, each once."""
    headers = {"strips.h" for node in graph.nodes if isinstance(node.op, Strips)}
    for node in calls(graph.nodes):
        where = node.source or node.name
        if not isinstance(node.op, IntegerOp):
            raise OctavoError(where, f"{node.kind} is not an integer operator", "Lower the model first.")
        if node.op.alias:
            continue
        if node.op.kernel not in KERNELS:
            raise OctavoError(
                where, f"there is no C kernel {node.op.kernel}", "Add it as docs/add_an_operator.md says."
            )
        headers.add(KERNELS[node.op.kernel].header)
    return sorted(headers)
