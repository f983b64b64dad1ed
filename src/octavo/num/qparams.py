"""Encodings: how the integers of a tensor stand for real numbers, ``real = scale * (q - zero_point)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.num.levels import All, Between, Levels

__all__ = ["Granularity", "PerChannel", "PerTensor", "QParams", "integer_limits"]


@dataclass(frozen=True)
class PerTensor:
    """One scale and zero point for the whole tensor."""


@dataclass(frozen=True)
class PerChannel:
    """One scale and zero point for each index along ``axis``."""

    axis: int


Granularity = PerTensor | PerChannel

_LIMITS = {"float16": (-65504, 65504), "int8": (-128, 127), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}


def integer_limits(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of an integer dtype (``int8``, ``int16``, ``int32``), or of float16."""
    if dtype not in _LIMITS:
        raise OctavoError(f"dtype {dtype}", "is not a quantized dtype", f"Use one of {', '.join(_LIMITS)}.")
    return _LIMITS[dtype]


@dataclass(frozen=True, eq=False)
class QParams:
    """Affine encoding of a tensor.

    ``scale`` is float32 [channels] (length 1 per tensor), positive and finite; ``zero_point`` is int32 of the same
    length, inside its limits. ``levels`` says which integers of the dtype may occur.
    """

    dtype: str
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    granularity: Granularity = PerTensor()
    levels: Levels = All()

    def __post_init__(self) -> None:
        scale = np.atleast_1d(np.asarray(self.scale, dtype=np.float32))
        zero_point = np.atleast_1d(np.asarray(self.zero_point, dtype=np.int32))
        remedy = "Check the model's weights and the calibration data for NaN, Inf and empty tensors."
        if scale.ndim != 1 or scale.shape != zero_point.shape or scale.size == 0:
            raise OctavoError("encoding", f"scale {scale.shape} and zero_point {zero_point.shape} differ", remedy)
        if isinstance(self.granularity, PerTensor) and scale.size != 1:
            raise OctavoError("encoding", f"per-tensor with {scale.size} scales", remedy)
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise OctavoError("encoding", "a scale is not a positive finite number", remedy)
        low, high = self.limits
        if (zero_point < low).any() or (zero_point > high).any():
            raise OctavoError("encoding", f"a zero_point is outside [{low}, {high}]", remedy)
        scale.setflags(write=False)
        zero_point.setflags(write=False)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero_point)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, QParams)
            and self.dtype == other.dtype
            and self.granularity == other.granularity
            and self.levels == other.levels
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __hash__(self) -> int:
        return hash((self.dtype, self.granularity, self.levels, self.scale.tobytes(), self.zero_point.tobytes()))

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer that occurs."""
        if isinstance(self.levels, Between):
            return self.levels.low, self.levels.high
        return integer_limits(self.dtype)

    @property
    def narrow(self) -> bool:
        """Whether an activation has fewer integers than its dtype."""
        return isinstance(self.levels, Between)

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels, None per tensor."""
        return self.granularity.axis if isinstance(self.granularity, PerChannel) else None

    @property
    def per_channel(self) -> bool:
        """Whether each channel has its own scale."""
        return isinstance(self.granularity, PerChannel)

    def _spread(self, values: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
        if isinstance(self.granularity, PerTensor):
            return values.reshape((1,) * ndim)
        shape = [1] * ndim
        shape[self.granularity.axis] = values.size
        return values.reshape(shape)

    def quantize(self, real: NDArray[np.floating]) -> NDArray[Any]:
        """Nearest levels of ``real`` (half to even, as numpy's ``rint``), inside ``limits``."""
        if self.dtype == "float16":
            return np.asarray(np.clip(real, *self.limits), np.float16)
        scale = self._spread(self.scale.astype(np.float64), real.ndim)
        zero_point = self._spread(self.zero_point.astype(np.float64), real.ndim)
        nearest = self.levels.nearest(real.astype(np.float64) / scale, self.channel_axis) + zero_point
        return np.clip(nearest, *self.limits).astype(self.dtype)

    def quantize_input(self, real: NDArray[np.floating]) -> NDArray[np.integer]:
        """The integers that the generated C's ``quantize_input`` gives: float32, half away from zero, clamped.

        NaN counts as the smallest value. float16 rounds half to even.
        """
        low, high = self.limits
        if self.dtype == "float16":
            return self.quantize(np.nan_to_num(np.asarray(real, np.float32), nan=low, posinf=high, neginf=low))
        scale, zero_point = np.float32(self.scale[0]), int(self.zero_point[0])
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.asarray(real, dtype=np.float32) / scale
        bounded = np.clip(np.nan_to_num(scaled, nan=-np.inf), low - zero_point - 1, high - zero_point + 1)
        rounded = np.trunc(bounded.astype(np.float32) + np.copysign(np.float32(0.5), bounded.astype(np.float32)))
        integers: NDArray[np.integer] = np.clip(rounded.astype(np.int64) + zero_point, low, high).astype(self.dtype)
        return integers

    def dequantize(self, q: NDArray[Any]) -> NDArray[np.float64]:
        """``scale * (q - zero_point)`` in float64."""
        scale = self._spread(self.scale.astype(np.float64), q.ndim)
        zero_point = self._spread(self.zero_point.astype(np.float64), q.ndim)
        return scale * (q.astype(np.float64) - zero_point)
