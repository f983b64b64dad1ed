"""256-entry tables for functions of one int8: entry q + 128 is the output for the input q.

Where TensorFlow Lite Micro has an int8 kernel, the table equals it for every input; where it has none, the table is
the float64 function, rounded half away from zero and clamped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.num.fixed_point import quantize_multiplier, rdbp, requantize, round_half_away
from octavo.num.qparams import QParams
from octavo.num.transcendental import exp_on_negative, logistic, tanh

__all__ = [
    "activation_limits",
    "clip_table",
    "elu_table",
    "hard_swish_table",
    "leaky_relu_table",
    "requantize_table",
    "sigmoid_table",
    "softmax_parameters",
    "softmax_table",
    "table_from_function",
    "tanh_table",
]

Table = NDArray[np.int8]
_SOFTMAX_INTEGER_BITS = 5
_LOGISTIC_INTEGER_BITS = 4


def _centred(x: QParams) -> torch.Tensor:
    """q - zero_point for all 256 inputs."""
    return torch.arange(-128, 128, dtype=torch.int64) - int(x.zero_point[0])


def _table(values: torch.Tensor, low: int = -128, high: int = 127) -> Table:
    return values.clamp(low, high).to(torch.int8).numpy()


def _scale(q: QParams) -> np.float32:
    return np.float32(q.scale[0])


def table_from_function(function: Callable[[NDArray[Any]], NDArray[Any]], x: QParams, y: QParams) -> Table:
    """The float64 ``function`` of the real inputs, in the integers of ``y``. NaN counts as 0."""
    real = x.dequantize(np.arange(-128, 128, dtype=np.int16))
    with np.errstate(all="ignore"):
        scaled = np.nan_to_num(np.asarray(function(real), np.float64) / float(_scale(y)), nan=0.0)
    bounded = np.clip(scaled, -1e6, 1e6)
    rounded = np.trunc(bounded + np.copysign(0.5, bounded)) + int(y.zero_point[0])
    table: Table = np.clip(rounded, -128, 127).astype(np.int8)
    return table


def activation_limits(
    low: float, high: float, scale: float, zero_point: int, limits: tuple[int, int] = (-128, 127)
) -> tuple[int, int]:
    """A clip [low, high] in the output's integers, inside ``limits`` (TFLite's CalculateActivationRangeQuantized)."""
    least, most = limits

    def place(value: float, unbounded: int) -> int:
        if math.isinf(value):
            return unbounded
        return zero_point + round_half_away(float(np.float32(value) / np.float32(scale)))

    return max(least, place(low, least)), min(most, place(high, most))


def requantize_table(x: QParams, y: QParams) -> Table:
    """QUANTIZE from int8 to int8."""
    multiplier, shift = quantize_multiplier(float(_scale(x)) / float(_scale(y)))
    return _table(requantize(_centred(x), multiplier, shift) + int(y.zero_point[0]))


def clip_table(x: QParams, y: QParams, low: float, high: float) -> Table:
    """RELU and every other clip: requantize, then clamp.

    TFLM's RELU6 only clamps: it equals this where x and y share an encoding.
    """
    multiplier, shift = quantize_multiplier(float(_scale(x)) / float(_scale(y)))
    limits = activation_limits(low, high, float(_scale(y)), int(y.zero_point[0]))
    return _table(requantize(_centred(x), multiplier, shift) + int(y.zero_point[0]), *limits)


def leaky_relu_table(x: QParams, y: QParams, alpha: float) -> Table:
    """LEAKY_RELU."""
    centred = _centred(x)
    scale_x, scale_y = float(_scale(x)), float(_scale(y))
    slope = scale_x * float(np.float32(alpha)) / scale_y
    below = requantize(centred, *quantize_multiplier(abs(slope))) * (1 if slope >= 0 else -1)
    above = requantize(centred, *quantize_multiplier(scale_x / scale_y))
    return _table(torch.where(centred >= 0, above, below) + int(y.zero_point[0]))


def elu_table(x: QParams, y: QParams) -> Table:
    """ELU with alpha 1: TFLM computes it in float32."""
    centred = np.arange(-128, 128, dtype=np.int32) - np.int32(x.zero_point[0])
    real = _scale(x) * centred.astype(np.float32)
    # float64, then rounded: numpy's own float32 exp differs from the C library's in the last place.
    power = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32)
    value = np.where(real < 0, power - np.float32(1), real).astype(np.float32)
    scaled = (value * (np.float32(1) / _scale(y))).astype(np.float64)
    rounded = np.trunc(scaled + np.copysign(0.5, scaled)) + int(y.zero_point[0])
    table: Table = np.clip(rounded, -128, 127).astype(np.int8)
    return table


def _input_radius(integer_bits: int, shift: int) -> int:
    """Largest |q - zero_point| whose rescaled value fits (TFLite's CalculateInputRadius)."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / 2.0**shift)


def _logistic_input(x: QParams) -> tuple[torch.Tensor, int]:
    """The inputs in Q4.27, and the radius beyond which the function saturates."""
    real = float(_scale(x)) * (1 << (31 - _LOGISTIC_INTEGER_BITS))
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    radius = _input_radius(_LOGISTIC_INTEGER_BITS, shift)
    return requantize(_centred(x).clamp(-radius, radius), multiplier, shift), radius


def sigmoid_table(x: QParams, y: QParams) -> Table:
    """LOGISTIC; the output's encoding is scale 1/256, zero_point -128."""
    _require(y, 1 / 256, -128, "a sigmoid")
    fixed, radius = _logistic_input(x)
    values = rdbp(logistic(fixed, _LOGISTIC_INTEGER_BITS), 23) - 128
    return _saturated(values, _centred(x), radius)


def tanh_table(x: QParams, y: QParams) -> Table:
    """TANH; the output's encoding is scale 1/128, zero_point 0."""
    _require(y, 1 / 128, 0, "a tanh")
    fixed, radius = _logistic_input(x)
    return _saturated(rdbp(tanh(fixed, _LOGISTIC_INTEGER_BITS), 24), _centred(x), radius)


def _saturated(values: torch.Tensor, centred: torch.Tensor, radius: int) -> Table:
    values = torch.where(centred >= radius, torch.full_like(values, 127), values)
    # Last, because both hold for 0 where a scale of 8 and more makes the radius 0.
    return _table(torch.where(centred <= -radius, torch.full_like(values, -128), values))


def _require(y: QParams, scale: float, zero_point: int, what: str) -> None:
    if float(y.scale[0]) != scale or int(y.zero_point[0]) != zero_point:
        raise OctavoError(
            what, f"has an output scale of {y.scale[0]} instead of {scale}", "Give the output its fixed encoding."
        )


def _int16_multiplier(multiplier: int) -> int:
    return 32767 if multiplier >= 2**31 - 1 - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _srdhm16(a: torch.Tensor, b: int) -> torch.Tensor:
    return ((a * b + (1 << 14)) >> 15).clamp(max=32767)


def _rdbp16(x: torch.Tensor, exponent: int) -> torch.Tensor:
    """``rdbp`` of an int16, whose 16-bit mask turns to -1 from an exponent of 16 on."""
    return rdbp(x, exponent) if exponent < 16 else torch.where(x >= 0, 1, -1)


def _int16(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(-32768, 32767)


def hard_swish_table(x: QParams, y: QParams) -> Table:
    """HARD_SWISH in 16-bit fixed point."""
    hires = np.float32(1 / 128) * _scale(x)
    out_multiplier, out_shift = quantize_multiplier(float(hires) / float(_scale(y)))
    reluish = quantize_multiplier(float(hires) / (3 / 32768))
    if out_shift > 0:
        return table_from_function(lambda v: v * np.clip(v + 3, 0, 6) / 6, x, y)
    wide = _centred(x) * 128
    preshift = _srdhm16(wide, _int16_multiplier(out_multiplier))
    value, exponent = wide, reluish[1]
    if exponent > 0:
        value = _int16(value << (exponent - 1))
    value = _srdhm16(value, _int16_multiplier(reluish[0]))
    value = _int16(value << 1) if exponent > 0 else _rdbp16(value, -exponent)
    value = (value + (1 << 15)) >> 1
    product = torch.div(value * preshift, 1 << 15, rounding_mode="trunc")
    return _table(_rdbp16(product, -out_shift) + int(y.zero_point[0]))


def _softmax_scaling(scale: float, beta: float) -> tuple[int, int]:
    real = min(float(np.float32(beta)) * float(np.float32(scale)) * (1 << (31 - _SOFTMAX_INTEGER_BITS)), 2.0**31 - 1)
    return quantize_multiplier(real)


def softmax_parameters(scale: float, beta: float = 1.0) -> dict[str, int]:
    """``diff_min``: differences below it count as exp = 0."""
    _, shift = _softmax_scaling(scale, beta)
    return {"diff_min": -_input_radius(_SOFTMAX_INTEGER_BITS, shift)}


def softmax_table(scale: float, beta: float = 1.0) -> NDArray[np.int32]:
    """int32 [256]: exp(-beta * scale * d) in Q0.31 for d = max - q in 0..255."""
    multiplier, shift = _softmax_scaling(scale, beta)
    differences = -torch.arange(256, dtype=torch.int64)
    # Differences beyond the radius are never looked up; they are clamped so that no shift leaves int32.
    radius = _input_radius(_SOFTMAX_INTEGER_BITS, shift)
    fixed = requantize(differences.clamp(min=-radius), multiplier, shift)
    return exp_on_negative(fixed, _SOFTMAX_INTEGER_BITS).to(torch.int32).numpy()
