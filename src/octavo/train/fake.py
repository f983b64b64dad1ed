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
from typing import Any

import torch

__all__ = ["PLACES", "fake_activation", "fake_weight", "rounded"]

PLACES = 10
"""So many binary places that are rounded to beforehand can be told apart; what more do is seen once in 2,000 values."""

_AWAY = 1 + 2.0**-19
"""Moves ties of as many binary places away from zero, and nothing else over one, while magnitudes are below 2^9."""

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


class _Activation(torch.autograd.Function):
    """Per tensor, in few passes over memory: nothing but x and y is kept."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor,
        low: int,
        high: int,
        places: torch.Tensor | None,
    ) -> torch.Tensor:
        size = float(scale)
        zero = round(float(zero_point))
        if places is None:
            y = x.mul(1 / size)
        else:
            y = x.mul(torch.exp2(places) / size).add_(0.5).floor_().mul_(torch.exp2(-places) * _AWAY)
        y.round_().clamp_(low - zero, high - zero).mul_(size)
        ctx.save_for_backward(x, y)
        ctx.scale, ctx.ends = size, (size * (low - zero - 0.5), size * (high - zero + 0.5))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y = ctx.saved_tensors
        gradient = gradients[0]
        of_x = torch.ops.aten.hardtanh_backward(gradient, x, *ctx.ends)
        of_scale = of_zero_point = None
        if ctx.needs_input_grad[1]:
            of_scale = (_inner(gradient, y) - _inner(of_x, x)) / ctx.scale
        if ctx.needs_input_grad[2]:
            of_zero_point = ctx.scale * (of_x.sum() - gradient.sum())
        return of_x, of_scale, of_zero_point, None, None, None


def _inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The sum of the products of two tensors of one shape; nothing is copied where both are contiguous."""
    return torch.dot(a.reshape(-1), b.reshape(-1))


def fake_activation(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor,
    low: int,
    high: int,
    places: torch.Tensor | None = None,
) -> torch.Tensor:
    """Fake quantization of an activation [N, ..., C], per tensor.

    ``scale`` and ``zero_point`` are 0-d; the zero point is rounded to an integer. Gradients flow to all three.
    ``low`` and ``high`` are the integers' limits. ``places`` are the binary places [C] or [1], at most PLACES, to which
    the integer kernel rounds first, half up, before it rounds half away from zero; None rounds once, half to even.
    """
    result: torch.Tensor = _Activation.apply(x, scale, zero_point, low, high, places)  # type: ignore[no-untyped-call]
    return result


class _Weight(torch.autograd.Function):
    """Weights in units of their scales, by any function to levels."""

    @staticmethod
    def forward(ctx: Any, w: torch.Tensor, scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor) -> torch.Tensor:
        ratio = w / scale
        y = nearest(ratio) * scale
        inside = ratio.abs() <= peak
        ctx.save_for_backward(w, y, inside, scale)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        w, y, inside, scale = ctx.saved_tensors
        gradient = gradients[0]
        of_w = gradient * inside
        of_scale = None
        if ctx.needs_input_grad[1]:
            of_scale = (gradient * y - of_w * w).sum_to_size(scale.shape) / scale
        return of_w, of_scale, None, None


def fake_weight(w: torch.Tensor, scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor) -> torch.Tensor:
    """Fake quantization of weights, symmetric, per tensor or channel.

    ``scale`` broadcasts over ``w``. ``nearest`` maps weights in units of their scale to levels; beyond
    ``peak`` (in the same units, broadcast) a weight is clipped and has no gradient. Gradients flow to weights and
    scales.
    """
    result: torch.Tensor = _Weight.apply(w, scale, nearest, peak)  # type: ignore[no-untyped-call]
    return result
