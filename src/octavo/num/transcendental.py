"""exp, logistic, tanh and 1 / (1 + x) in fixed point, bit for bit as gemmlowp computes them.

A number with ``integer_bits`` has 31 - integer_bits fraction bits; all tensors are int64 that hold int32.
"""

from __future__ import annotations

import torch

from octavo.num.fixed_point import INT32_MAX, rdbp, saturating_shift_left, srdhm

__all__ = ["exp_on_negative", "logistic", "one_over_one_plus", "tanh"]

_EXP_MINUS_ONE_EIGHTH = 1895147668
_ONE_THIRD = 715827883
_48_OVER_17 = 1515870810
_MINUS_32_OVER_17 = -1010580540
_EXP_OF_MINUS_POWER = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
"""exp(-2^k) in Q0.31 by k."""


def _exp_near_zero(a: torch.Tensor) -> torch.Tensor:
    """exp(a) in Q0.31 for a in [-1/4, 0), Q0.31: a Taylor series around -1/8."""
    x = a + (1 << 28)
    x2 = srdhm(x, x)
    x3 = srdhm(x2, x)
    x4 = srdhm(x2, x2)
    series = rdbp(srdhm(rdbp(x4, 2) + x3, _ONE_THIRD) + x2, 1)
    return srdhm(x + series, _EXP_MINUS_ONE_EIGHTH) + _EXP_MINUS_ONE_EIGHTH


def exp_on_negative(a: torch.Tensor, integer_bits: int) -> torch.Tensor:
    """exp(a) in Q0.31 for a <= 0 with ``integer_bits`` integer bits."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    near = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_shift_left(near, integer_bits))
    remainder = near - a
    for power, factor in _EXP_OF_MINUS_POWER.items():
        if integer_bits > power:
            bit = 1 << (fraction_bits + power)
            result = torch.where((remainder & bit) != 0, srdhm(result, factor), result)
    return torch.where(a == 0, torch.full_like(a, INT32_MAX), result)


def _newton(a: torch.Tensor) -> torch.Tensor:
    """2 / (1 + a) in Q2.29 for a in [0, 1] in Q0.31: three Newton-Raphson steps."""
    half_denominator = (a + INT32_MAX + 1) >> 1
    x = srdhm(half_denominator, _MINUS_32_OVER_17) + _48_OVER_17
    for _ in range(3):
        remaining = (1 << 29) - srdhm(half_denominator, x)
        x = x + saturating_shift_left(srdhm(x, remaining), 2)
    return x


def one_over_one_plus(a: torch.Tensor) -> torch.Tensor:
    """1 / (1 + a) in Q0.31 for a in [0, 1] in Q0.31."""
    return saturating_shift_left(_newton(a), 1)


def logistic(a: torch.Tensor, integer_bits: int) -> torch.Tensor:
    """1 / (1 + exp(-a)) in Q0.31."""
    positive = one_over_one_plus(exp_on_negative(-a.abs(), integer_bits))
    result = torch.where(a > 0, positive, INT32_MAX - positive)
    return torch.where(a == 0, torch.full_like(a, 1 << 30), result)


def tanh(a: torch.Tensor, integer_bits: int) -> torch.Tensor:
    """tanh(a) in Q0.31: the argument is doubled by giving it one more integer bit."""
    x = exp_on_negative(-a.abs(), integer_bits + 1)
    magnitude = saturating_shift_left(_newton(x) - (1 << 29), 2)
    return torch.where(a == 0, torch.zeros_like(a), torch.where(a < 0, -magnitude, magnitude))
