"""Fake quantization with gradients for what is rounded, for the scale and for the zero point.

Forward is the integer device's arithmetic in floats: ``scale (clamp(round(x / scale) + zero_point) - zero_point)``.
Integer kernels round twice (docs/numerics.md): half up to n binary places, then half away from zero. With few places
that is another number often enough to matter, so it is done here, too.

Backward passes rounding straight through (Bengio et al. 2013): the gradient of x is that of y inside the range and 0
outside. With q the clamped level, the scale's derivative is q - x / scale inside and q outside (Esser et al. 2020,
LSQ); the zero point's is 0 inside and -scale outside (Bhalgat et al. 2020, LSQ+).

In terms of x and y the scale's derivative is (y - x) / scale inside and y / scale outside. So inner products of
gradients and tensors give its gradient, and nothing but x and y is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["PLAIN", "Ends", "Rounding", "fake_activation", "fake_weight", "most_places", "rounded"]

_AWAY = 1 + 2.0**-19
"""Moves ties of as many binary places away from zero, also those that a float has missed by its last bits, and of other
values one in 2,000 at most, while magnitudes are below 2^9."""

_JUST_AWAY = 1 + 2.0**-22
"""The same for numbers that have few binary places exactly: no other value moves."""

Nearest = Callable[[torch.Tensor], torch.Tensor]


class _Rounded(torch.autograd.Function):
    """The nearest integer, half to even, straight through."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


def rounded(x: torch.Tensor) -> torch.Tensor:
    """The nearest integers of ``x``, half to even, with the gradient of ``x``."""
    result: torch.Tensor = _Rounded.apply(x)  # type: ignore[no-untyped-call]
    return result


@dataclass(frozen=True)
class Ends:
    """The integers that an activation can have, and which of the two ends is its operator's clip, a real number.

    What lies beyond a clip has its value whatever scale and zero point are.
    """

    low: int
    high: int
    clip_low: bool = False
    clip_high: bool = False


@dataclass(frozen=True)
class Rounding:
    """How a kernel rounds to integers: half away from zero.

    ``places`` are the binary places [C] or [1] to which it rounds first, half up; as many as ``most_places`` can be
    told apart in float32. ``raw`` integers are those with the zero point in them, as average pools have them.
    """

    places: torch.Tensor | None = None
    raw: bool = False


def most_places(limits: tuple[int, int]) -> int:
    """So many binary places count beside integers of this range: with more a tie is seen once in 2^more values."""
    return 21 - (limits[1] - limits[0]).bit_length()


PLAIN = Rounding()
"""Once, half away from zero."""


class _Activation(torch.autograd.Function):
    """Per tensor, in few passes over memory: nothing but x and y is kept."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, ends: Ends, rounding: Rounding
    ) -> torch.Tensor:
        size, zero = float(scale), round(float(zero_point))
        if rounding.places is not None:
            y = x.mul(torch.exp2(rounding.places) / size).add_(0.5).floor_()
            y = y.mul_(torch.exp2(-rounding.places) * _JUST_AWAY).round_()
        else:
            y = x.mul(1 / size)
            if rounding.raw:
                y.add_(zero)
            if ends.high < 2**9:
                y.mul_(_AWAY).round_()
            else:
                y.add_(torch.sign(y), alpha=0.5).trunc_()
            if rounding.raw:
                y.sub_(zero)
        y.clamp_(ends.low - zero, ends.high - zero).mul_(size)
        ctx.save_for_backward(x, y)
        ctx.scale, ctx.ends, ctx.zero = size, ends, zero
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y = ctx.saved_tensors
        gradient, ends = gradients[0], ctx.ends
        least, most = (ctx.scale * (end - ctx.zero + side) for end, side in ((ends.low, -0.5), (ends.high, 0.5)))
        of_x = torch.ops.aten.hardtanh_backward(gradient, x, least, most)
        of_scale = of_zero_point = None
        if ctx.needs_input_grad[1]:
            moving = _inner(gradient, y) - _inner(of_x, x)
            if ends.clip_low and ends.low != ctx.zero:
                moving -= ctx.scale * (ends.low - ctx.zero) * _beyond(gradient, x < least)
            if ends.clip_high and ends.high != ctx.zero:
                moving -= ctx.scale * (ends.high - ctx.zero) * _beyond(gradient, x > most)
            of_scale = moving / ctx.scale
        if ctx.needs_input_grad[2]:
            clipped = torch.zeros_like(x, dtype=torch.bool)
            if not ends.clip_low:
                clipped |= x < least
            if not ends.clip_high:
                clipped |= x > most
            of_zero_point = -ctx.scale * _beyond(gradient, clipped)
        return of_x, of_scale, of_zero_point, None, None


def _inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The sum of the products of two tensors of one shape; nothing is copied where both are contiguous."""
    return torch.dot(a.reshape(-1), b.reshape(-1))


def _beyond(gradient: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    return _inner(gradient, where.to(gradient.dtype))


def fake_activation(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, ends: Ends, rounding: Rounding = PLAIN
) -> torch.Tensor:
    """Fake quantization of an activation [N, ..., C], per tensor.

    ``scale`` and ``zero_point`` are 0-d; the zero point is rounded to an integer. Gradients flow to all three.
    """
    result: torch.Tensor = _Activation.apply(x, scale, zero_point, ends, rounding)  # type: ignore[no-untyped-call]
    return result


class _Weight(torch.autograd.Function):
    """Weights in units of their scales, by any function to levels."""

    @staticmethod
    def forward(ctx: Any, w: torch.Tensor, scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor) -> torch.Tensor:
        ratio = w / scale
        y = nearest(ratio) * scale
        inside = ratio.abs() <= peak
        ctx.save_for_backward(w, y, inside, scale)
        ctx.shape = peak.shape
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        w, y, inside, scale = ctx.saved_tensors
        gradient = gradients[0]
        of_w = gradient * inside
        of_scale = None
        if ctx.needs_input_grad[1]:
            of_scale = (gradient * y - of_w * w).sum_to_size(scale.shape) / scale
        of_peak = None
        if ctx.needs_input_grad[3]:
            of_peak = (torch.where(inside, 0, gradient) * torch.sign(w) * scale).sum_to_size(ctx.shape)
        return of_w, of_scale, None, of_peak


def fake_weight(w: torch.Tensor, scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor) -> torch.Tensor:
    """Fake quantization of weights, symmetric, per tensor or channel.

    ``scale`` broadcasts over ``w``. ``nearest`` maps weights in units of their scale to levels; beyond
    ``peak`` (in the same units, broadcast) a weight is clipped and has no gradient. Gradients flow to weights, scales
    and, from clipped weights, to ``peak``.
    """
    result: torch.Tensor = _Weight.apply(w, scale, nearest, peak)  # type: ignore[no-untyped-call]
    return result
