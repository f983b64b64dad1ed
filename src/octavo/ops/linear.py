"""What convolutions and fully connected layers share when they become integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.num.qparams import PerChannel, QParams
from octavo.num.tables import activation_limits
from octavo.ops.base import Site
from octavo.ops.integer import conv_requantization
from octavo.ops.unary import Clip

__all__ = ["bias_scale", "quantize_bias", "requantized_parameters"]


def bias_scale(x: QParams, w: QParams) -> NDArray[np.float64]:
    """float64 [channels or 1]: the scale of the accumulator and so of the bias."""
    return x.scale.astype(np.float64) * w.scale.astype(np.float64)


def quantize_bias(bias: Array, x: QParams, w: QParams, where: str) -> NDArray[np.int32]:
    """int32 bias in the accumulator's scale; OctavoError when it overflows 32 bits."""
    q = np.rint(bias.astype(np.float64) / bias_scale(x, w))
    if (np.abs(q) > 2**31 - 1).any():
        channel = int(np.argmax(np.abs(q)))
        raise OctavoError(
            where,
            f"the bias of channel {channel} ({bias[channel]:.4g}) overflows int32 at the scale of its accumulator",
            "The channel's weights are vanishingly small: prune the channel or quantize the weights per tensor.",
        )
    return q.astype(np.int32)


def requantized_parameters(
    site: Site, activation: Clip, fully_connected: bool = False
) -> tuple[dict[str, int], dict[str, Array]]:
    """The fields and constants of an operator that accumulates and requantizes.

    Fields: per_channel, input_zero_point, output_zero_point, act_min, act_max. Constants: weights, bias, multiplier,
    shift.
    """
    x, w, y = site.x(0), site.x(1), site.y()
    where = site.node.source or site.node.name
    if np.any(w.zero_point != 0):
        raise OctavoError(where, "its weights have a zero_point", "Quantize weights symmetrically.")
    multiplier, shift = conv_requantization(x.scale[0], w.scale, y.scale[0], fully_connected)
    act_min, act_max = activation_limits(activation.minimum, activation.maximum, y.scale[0], int(y.zero_point[0]))
    fields = {
        "per_channel": int(isinstance(w.granularity, PerChannel)),
        "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "act_min": act_min,
        "act_max": act_max,
    }
    consts: dict[str, Array] = {
        "weights": site.integers(1),
        "bias": quantize_bias(site.const(2), x, w, where),
        "multiplier": multiplier,
        "shift": shift,
    }
    return fields, consts
