"""Tables for functions of int16: knots with linear interpolation between them.

A knot is moved from its function value by half the error that plain interpolation makes in the middle of the
neighbouring segments, so that the error is spread to both sides (TensorFlow Lite's sigmoid table is made this way).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.num.fixed_point import quantize_multiplier
from octavo.num.qparams import QParams

__all__ = [
    "lookup_table",
    "logistic_parameters",
    "logistic_table",
    "require_unit",
    "softmax16_parameters",
    "softmax16_tables",
    "tanh_parameters",
]

Table = NDArray[np.int16]
Function = Callable[[NDArray[Any]], NDArray[Any]]
_UNIT = 1 / 32768


def _half_away(x: NDArray[Any]) -> NDArray[Any]:
    """Nearest integers, ties away from zero, in the float type of x."""
    rounded: NDArray[Any] = np.trunc(x + np.copysign(x.dtype.type(0.5), x))
    return rounded


def _knots(values: NDArray[np.float64], middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 [n + 1] from the function at n + 1 knots and in the middle of the n segments."""
    error = (values[:-1] + values[1:]) / 2 - middles
    sides = np.concatenate([error[:1], error, error[-1:]])
    return _half_away(values - (sides[:-1] + sides[1:]) / 4)


def lookup_table(function: Function, x: QParams, y: QParams) -> Table:
    """int16 [513]: the float64 ``function`` at q = -32768, -32640, ..., 32768, in the integers of ``y``.

    Values are clamped to int16 before they are corrected and after; NaN counts as 0.
    """
    positions = (np.arange(-32768, 32769, 64) - int(x.zero_point[0])) * float(x.scale[0])
    with np.errstate(all="ignore"):
        scaled = np.nan_to_num(np.asarray(function(positions), np.float64) / float(y.scale[0]), nan=0.0)
    bounded = np.clip(scaled + int(y.zero_point[0]), -32768, 32767)
    table: Table = np.clip(_knots(bounded[::2], bounded[1::2]), -32768, 32767).astype(np.int16)
    return table


def logistic_table() -> Table:
    """int16 [256]: sigmoid(i / 24) * 2^16 - 2^15 as TensorFlow Lite stores it; the last entry is 1."""
    half = np.arange(-2, 513) / 48
    values = 65536 / (1 + np.exp(-half))
    knots = _knots(values[::2], values[1::2])[1:257]
    knots[255] = 65535
    return (knots - 32768).astype(np.int16)


def _power_of_two(scale: float) -> int | None:
    """log2 of a scale that TFLite's CheckedLog2 takes for a power of two, None otherwise."""
    log2 = np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2)))
    nearest = np.rint(log2)
    return int(nearest) if abs(log2 - nearest) < np.float32(1e-3) else None


def _table_scaling(x: QParams, exact: tuple[int, ...], where: str) -> dict[str, int]:
    """multiplier and shift from the input's integers to those of the table, 3 * 4096 a unit."""
    scale = float(x.scale[0])
    power = _power_of_two(scale)
    if power is not None and power + 12 in exact:
        return {"multiplier": 3 << (power + 12), "shift": 0}
    multiplier, shift = scale * 4096.0 * 3.0, 0
    if multiplier > 32767:
        raise OctavoError(where, f"has an int16 input of scale {scale}, which is too large", "Keep this layer int8.")
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        shift += 1
        multiplier *= 2.0
    return {"multiplier": int(multiplier), "shift": shift}


def logistic_parameters(x: QParams, where: str = "a sigmoid") -> dict[str, int]:
    """multiplier and shift of an int16 LOGISTIC; OctavoError at ``where`` when the scale is too large."""
    return _table_scaling(x, (0,), where)


def tanh_parameters(x: QParams, where: str = "a tanh") -> dict[str, int]:
    """multiplier and shift of an int16 TANH; OctavoError at ``where`` when the scale is too large."""
    return _table_scaling(x, (0, 1), where)


def require_unit(y: QParams, where: str) -> None:
    """OctavoError unless an int16 output has the scale 1 / 32768 that its kernel gives."""
    if float(y.scale[0]) != _UNIT or int(y.zero_point[0]) != 0:
        raise OctavoError(
            where,
            f"has an int16 output scale of {y.scale[0]} instead of {_UNIT}",
            "Give the output its fixed encoding.",
        )


def softmax16_parameters(x: QParams, beta: float = 1.0, where: str = "a softmax") -> dict[str, int]:
    """multiplier and shift that carry differences to 65535 for 10; OctavoError at ``where`` for too large a scale."""
    multiplier, shift = quantize_multiplier(float(x.scale[0]) * float(np.float32(beta)) / (10.0 / 65535.0))
    if shift > 14:
        raise OctavoError(
            where, f"has an int16 input of scale {x.scale[0]}, which is too large", "Keep this layer int8."
        )
    return {"multiplier": multiplier, "shift": shift}


def softmax16_tables() -> tuple[Table, Table]:
    """int16 [513] each: exp(x) for x in [-10, 0], and 1 / (1 + x) for x in [0, 1], in Q0.15."""
    reach = np.float32(65535)
    exps = _populated(lambda v: np.exp(v.astype(np.float64)).astype(np.float32), np.float32(10) / reach, 32767)
    return exps, _populated(lambda v: np.float32(1) / (np.float32(1) + v), np.float32(1) / reach, -32768)


def _populated(function: Function, scale: np.float32, zero_point: int) -> Table:
    """TFLite's LUTPopulate of int16 in float32, with an output scale of 2 / 65535.

    Knots are 65535 / 512 apart; each is corrected by half the error in the middle of the segment that it begins.
    """
    out = np.float32(2) / np.float32(65535)
    low, high = scale * np.float32(-32768 - zero_point), scale * np.float32(32767 - zero_point)
    step = (high - low) / np.float32(512)
    inverse = np.float32(65536) / (out * np.float32(32767) - out * np.float32(-32768))
    index = np.arange(513, dtype=np.float32)
    starts = low + index[:512] * step
    values, nexts = function(starts) * inverse, function(low + index[1:] * step) * inverse
    middles = _half_away(function(starts + step / np.float32(2)) * inverse)
    between = _half_away((nexts + _half_away(values)) / np.float32(2))
    knots = _half_away(values) - _half_away((between - middles) / np.float32(2))
    last = _half_away(function(np.array([high], np.float32)) * inverse)
    table: Table = np.clip(np.concatenate([knots, last]), -32768, 32767).astype(np.int16)
    return table
