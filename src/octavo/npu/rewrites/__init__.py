"""Rewrites of one layer into layers that a target has. All are exact: the float function stays but for rounding.

A rewrite is a function (support, draft, node) -> value, which fires only where its own limit is broken and returns None
otherwise. ``REWRITES`` names them, in the order in which they are tried.
"""

from collections.abc import Callable, Mapping

from octavo.ir.graph import Node
from octavo.npu.rewrites import convolution, functions, pooling
from octavo.npu.support import Support
from octavo.passes.rewrite import Draft

__all__ = ["REWRITES", "Rewrite"]

Rewrite = Callable[[Support, Draft, Node], str | None]

REWRITES: Mapping[str, Rewrite] = {
    "activation as a clip of its own": functions.activation_apart,
    "fully connected as 1 x 1 convolution": convolution.fully_connected_as_convolution,
    "depthwise as convolution in groups": convolution.depthwise_as_groups,
    "groups as convolutions of slices": convolution.groups_apart,
    "groups filled with zeros": convolution.fill_groups,
    "average pool in steps": pooling.average_pool_in_steps,
    "max pool in steps": pooling.max_pool_in_steps,
    "stride by taking every so many": convolution.stride_by_slice,
    "dilation filled with zeros": convolution.fill_dilation,
    "kernel as a sum of smaller ones": convolution.kernel_in_parts,
    "kernel filled with zeros to a square": convolution.fill_square,
    "channels filled with zeros": convolution.channels_filled,
    "mean as average pool": pooling.mean_as_average_pool,
    "average pool as mean": pooling.average_pool_as_mean,
    "average pool as depthwise convolution": pooling.average_pool_as_depthwise,
    "function in parts": functions.function_in_parts,
}
