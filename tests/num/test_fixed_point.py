"""Fixed-point arithmetic against its definition, written out on Python's integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from octavo.num.fixed_point import quantize_multiplier, quantize_multipliers, rdbp, requantize, srdhm, wrap

EDGES = [-(2**31), 1 - 2**31, -(2**30) - 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30 - 1, 2**30, 2**31 - 1]
VALUES = [*EDGES, *(int(v) for v in np.random.default_rng(0).integers(-(2**31), 2**31, 100))]


def _srdhm(a: int, b: int) -> int:
    if a == b == -(2**31):
        return 2**31 - 1
    total = a * b + (2**30 if a * b >= 0 else 1 - 2**30)
    return abs(total) // 2**31 * (1 if total >= 0 else -1)


def _half_away(x: Fraction) -> int:
    return math.floor(abs(x) + Fraction(1, 2)) * (1 if x >= 0 else -1)


def test_srdhm() -> None:
    a, b = torch.tensor(VALUES)[:, None], torch.tensor(VALUES)[None, :]
    assert srdhm(a, b).tolist() == [[_srdhm(x, y) for y in VALUES] for x in VALUES]


def test_rdbp() -> None:
    got = rdbp(torch.tensor(VALUES)[:, None], torch.arange(32)[None, :])
    assert got.tolist() == [[_half_away(Fraction(x, 2**n)) for n in range(32)] for x in VALUES]


def test_arguments_stay_as_they_were() -> None:
    x = torch.tensor(VALUES)
    for _ in (srdhm(x, 2**30), rdbp(x, 3), requantize(x, 2**30, -2), wrap(x)):
        assert x.tolist() == VALUES


def test_requantize_wraps_a_left_shift() -> None:
    x, shift = torch.tensor(VALUES), 5
    wrapped = [(v * 2**shift + 2**31) % 2**32 - 2**31 for v in VALUES]
    assert requantize(x, 2**30, shift).tolist() == [_srdhm(v, 2**30) for v in wrapped]


@pytest.mark.parametrize("real", [1.0, 0.5, 0.75, 1 / 3, 1e-3, 255.9, 2.0**-31, 1 - 2.0**-32, 1 - 2.0**-33, 3e-9])
def test_quantize_multiplier(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(Fraction(multiplier, 2**31) * Fraction(2) ** shift - Fraction(real)) <= Fraction(2) ** (shift - 31) / 2


def test_quantize_multiplier_edges() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(2.0**-33) == (0, 0)
    assert quantize_multiplier(2.0**-32) == (2**30, -31)
    assert quantize_multiplier(1 - 2.0**-40) == (2**30, 1)
    multipliers, shifts = quantize_multipliers(np.array([0.5, 0.3]))
    assert (multipliers.dtype, shifts.dtype) == (np.int32, np.int8)
    assert (multipliers[1], shifts[1]) == quantize_multiplier(0.3)
