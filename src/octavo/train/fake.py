"""Fake quantization with gradients for what is rounded, for the scale and for the zero point.

Forward is the integer device's arithmetic in floats: ``scale (clamp(round(x / scale) + zero_point) - zero_point)``.
Backward passes rounding straight through (Bengio et al. 2013): the gradient of x is that of y inside the range and 0
outside. With q the clamped level, the scale's derivative is q - x / scale inside and q outside (Esser et al. 2020, LSQ);
the zero point's is 0 inside and -scale outside (Bhalgat et al. 2020, LSQ+).

Scales are learned as logarithms (Jain et al. 2020, TQT): d y / d log scale = y - x inside, y outside. So one inner
product of each gradient with its tensor gives a scale's gradient, and nothing but x, y and a mask is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["fake_activation", "fake_weight", "rounded"]

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
    """Per tensor, in one pass of PyTorch's own kernel."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, log_scale: torch.Tensor, zero_point: torch.Tensor, low: int, high: int
    ) -> torch.Tensor:
        scale = float(torch.exp(log_scale))
        y, inside = torch.ops.aten.fake_quantize_per_tensor_affine_cachemask(
            x, scale, int(torch.round(zero_point)), low, high
        )
        ctx.save_for_backward(x, y, inside)
        ctx.scale = scale
        return y  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, inside = ctx.saved_tensors
        gradient = gradients[0]
        of_x = gradient * inside
        of_scale = of_zero_point = None
        if ctx.needs_input_grad[1]:
            of_scale = _inner(gradient, y) - _inner(of_x, x)
        if ctx.needs_input_grad[2]:
            of_zero_point = ctx.scale * (of_x.sum() - gradient.sum())
        return of_x, of_scale, of_zero_point, None, None


def _inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The sum of the products of two tensors of one shape; nothing is copied where both are contiguous."""
    return torch.dot(a.reshape(-1), b.reshape(-1))


def fake_activation(
    x: torch.Tensor, log_scale: torch.Tensor, zero_point: torch.Tensor, low: int, high: int
) -> torch.Tensor:
    """Fake quantization of an activation, per tensor.

    ``log_scale`` (natural) and ``zero_point`` are 0-d; the zero point is rounded to an integer. Gradients flow to all
    three. ``low`` and ``high`` are the integers' limits.
    """
    result: torch.Tensor = _Activation.apply(x, log_scale, zero_point, low, high)  # type: ignore[no-untyped-call]
    return result


class _Weight(torch.autograd.Function):
    """Weights in units of their scales, by any function to levels."""

    @staticmethod
    def forward(
        ctx: Any, w: torch.Tensor, log_scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor
    ) -> torch.Tensor:
        scale = torch.exp(log_scale)
        ratio = w / scale
        y = nearest(ratio) * scale
        inside = ratio.abs() <= peak
        ctx.save_for_backward(w, y, inside)
        ctx.shape = log_scale.shape
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        w, y, inside = ctx.saved_tensors
        gradient = gradients[0]
        of_w = gradient * inside
        of_scale = (gradient * y - of_w * w).sum_to_size(ctx.shape) if ctx.needs_input_grad[1] else None
        return of_w, of_scale, None, None


def fake_weight(w: torch.Tensor, log_scale: torch.Tensor, nearest: Nearest, peak: torch.Tensor) -> torch.Tensor:
    """Fake quantization of weights, symmetric, per tensor or channel.

    ``log_scale`` (natural) broadcasts over ``w``. ``nearest`` maps weights in units of their scale to levels; beyond
    ``peak`` (in the same units, broadcast) a weight is clipped and has no gradient. Gradients flow to weights and scales.
    """
    result: torch.Tensor = _Weight.apply(w, log_scale, nearest, peak)  # type: ignore[no-untyped-call]
    return result
