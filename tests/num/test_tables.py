"""Tables against TFLite Micro's kernels: all 256 inputs, many encodings, and scales where half a unit decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from octavo.num import tables
from octavo.num.qparams import QParams
from tests.oracles.single_op import encoding, random_encoding, tflm

ALL = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
SLOPES = [0.01, 0.1, 0.3, -0.5, 1.5]


def _micro(kind: str, x: QParams, y: QParams, options_type: str = "", **options: float) -> np.ndarray:
    shape = (1, 256)
    return tflm(kind, [(shape, x)], (shape, y), ALL, version=2, options_type=options_type, **options)[0]


def _pairs(count: int, seed: int) -> list[tuple[QParams, QParams]]:
    """Half of them unrelated, half with similar scales."""
    rng, made = np.random.default_rng(seed), []
    for index in range(count):
        x, y = random_encoding(rng, 1e-3, 5.0), random_encoding(rng, 1e-3, 5.0)
        if index % 2:
            y = encoding(float(x.scale[0]) * float(np.exp(rng.uniform(-1.5, 1.5))), int(y.zero_point[0]))
        made.append((x, y))
    return made


def _ties(count: int, seed: int, slope: float = 1.0) -> list[tuple[QParams, QParams]]:
    """Encodings in which some input lies half-way between two outputs, nearly."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        scale, steps, half = rng.uniform(0.01, 0.3), int(rng.integers(3, 255)), 2 * int(rng.integers(0, 120)) + 1
        scale = float(np.float32(scale))
        made.append((encoding(scale, -128), encoding(scale * slope * 2 * steps / half, -128)))
    return made


UNARY: dict[str, tuple[Callable[[QParams, QParams], np.ndarray], str]] = {
    "QUANTIZE": (tables.requantize_table, "QuantizeOptions"),
    "RELU": (lambda x, y: tables.clip_table(x, y, 0.0, np.inf), ""),
    "ELU": (tables.elu_table, ""),
}


@pytest.mark.parametrize("kind", UNARY)
def test_unary(kind: str) -> None:
    function, options_type = UNARY[kind]
    for x, y in _pairs(40, 1) + _ties(60, 2):
        np.testing.assert_array_equal(function(x, y), _micro(kind, x, y, options_type), err_msg=f"{x} {y}")


def test_relu6_of_one_encoding() -> None:
    for x, _ in _pairs(40, 3):
        np.testing.assert_array_equal(tables.clip_table(x, x, 0.0, 6.0), _micro("RELU6", x, x), err_msg=str(x))


@pytest.mark.parametrize("alpha", SLOPES)
def test_leaky_relu(alpha: float) -> None:
    below = [(encoding(float(x.scale[0]), 127), encoding(float(y.scale[0]), 127)) for x, y in _ties(40, 5, abs(alpha))]
    for x, y in _pairs(20, 4) + below:
        want = _micro("LEAKY_RELU", x, y, "LeakyReluOptions", Alpha=alpha)
        np.testing.assert_array_equal(tables.leaky_relu_table(x, y, alpha), want, err_msg=f"{x} {y}")


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
def test_logistic_and_tanh(kind: str) -> None:
    function = {"LOGISTIC": tables.sigmoid_table, "TANH": tables.tanh_table}[kind]
    y = {"LOGISTIC": encoding(1 / 256, -128), "TANH": encoding(1 / 128, 0)}[kind]
    for x in [*(x for x, _ in _pairs(60, 6)), encoding(8.0, 127), encoding(20.0, 0)]:
        np.testing.assert_array_equal(function(x, y), _micro(kind, x, y), err_msg=str(x))


def test_hard_swish() -> None:
    coarse = [(encoding(0.002, 5), encoding(2.3, -3))]
    tie = [(encoding(0.0778060331940651, -90), encoding(0.1335786134004593, -128))]
    for x, y in _pairs(80, 7) + coarse + tie:
        if x.scale[0] < 127 * y.scale[0]:  # TFLite Micro refuses larger ratios
            want = _micro("HARD_SWISH", x, y, "HardSwishOptions")
            np.testing.assert_array_equal(tables.hard_swish_table(x, y), want, err_msg=f"{x} {y}")


def test_any_function_rounds_half_away_and_clamps() -> None:
    x, y = encoding(0.5, 0), encoding(1.0, 0)
    table = tables.table_from_function(lambda v: v, x, y)
    assert [int(table[128 + q]) for q in (-3, -1, 0, 1, 3)] == [-2, -1, 0, 1, 2]
    assert int(tables.table_from_function(lambda v: 1e30 * v, x, y)[0]) == -128
    assert set(tables.table_from_function(lambda v: np.full_like(v, np.nan), x, encoding(1.0, 7)).tolist()) == {7}
