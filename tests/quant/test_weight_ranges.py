"""Scales of weights against a brute-force search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.num.formats import WeightFormat
from octavo.num.levels import Grouped, Narrow, PowersOfTwo
from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.quant.ranges.weights import WEIGHT_RANGES, weight_qparams


def error(q: QParams, w: np.ndarray) -> np.ndarray:
    """Squared error of each channel of axis 0."""
    return ((q.dequantize(q.quantize(w)) - w) ** 2).reshape(len(w), -1).sum(1)


def weights(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    w = rng.standard_t(4, size=(6, 3, 3, 16)) * np.geomspace(0.01, 1, 6)[:, None, None, None]
    return w.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_mse_matches_a_brute_force_search(bits: int, granularity: str) -> None:
    w, format = weights(), WeightFormat(bits=bits, granularity=granularity)
    q = weight_qparams(w, format, 0, "mse")
    assert q.levels == Narrow(bits)
    largest = weight_qparams(w, format, 0, "minmax")
    fold = (lambda e: e) if granularity == "per-channel" else (lambda e: e.sum(keepdims=True))
    tried = [
        fold(error(QParams("int8", largest.scale * f, q.zero_point, q.granularity, q.levels), w))
        for f in np.linspace(0.12, 1, 300).astype(np.float32)
    ]
    # With many levels the error of a few weights jumps about the smooth optimum that the search finds.
    assert (fold(error(q, w)) <= np.min(tried, 0) * (1.03 if bits < 6 else 1.1)).all()
    assert (fold(error(q, w)) <= fold(error(largest, w)) * (1 + 1e-6)).all()


def test_minmax_is_the_peak_over_the_largest_level() -> None:
    w = weights()
    q = weight_qparams(w, WeightFormat(), 0, "minmax")
    np.testing.assert_array_equal(q.scale, (np.abs(w).max((1, 2, 3)) / 127).astype(np.float32))
    assert np.abs(q.quantize(w)).max() == 127 and isinstance(q.granularity, PerChannel)
    moved = weight_qparams(np.moveaxis(w, 0, 3), WeightFormat(), 3, "minmax")
    np.testing.assert_array_equal(moved.scale, q.scale)
    whole = weight_qparams(w, WeightFormat(granularity="per-tensor"), 0, "minmax")
    assert whole.scale.shape == (1,) and whole.granularity == PerTensor()


def test_percentile_is_numpys() -> None:
    w = weights()
    q = weight_qparams(w, WeightFormat(bits=4), 0, "percentile")
    expected = np.percentile(np.abs(w).reshape(6, -1), 99.9, axis=1) / 7
    np.testing.assert_allclose(q.scale, expected, rtol=1e-6)


@pytest.mark.parametrize("method", WEIGHT_RANGES)
def test_powers_of_two_are(method: str) -> None:
    for bits in (3, 8):
        w, format = weights(), WeightFormat(bits=bits, power_of_two=True)
        q = weight_qparams(w, format, 0, method)
        k = np.log2(q.scale.astype(np.float64))
        np.testing.assert_array_equal(k, np.rint(k))
        if method == "minmax":
            top = np.abs(w).max((1, 2, 3)) / Narrow(bits).peak
            assert (q.scale >= top).all() and (q.scale / 2 < top).all()
        if method == "mse":
            tried = [error(QParams("int8", 2.0**e * np.ones(6), q.zero_point, q.granularity, q.levels), w)
                     for e in range(-20, 4)]  # fmt: skip
            assert (error(q, w) <= np.min(tried, 0) * (1 + 1e-9)).all()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_log2_weights_take_the_best_power(bits: int) -> None:
    w = weights()
    q = weight_qparams(w, WeightFormat("log2", bits), 0, "minmax")
    assert q.levels == PowersOfTwo(bits)
    tried = [
        error(QParams("int8", np.full(6, 2.0**e), q.zero_point, q.granularity, q.levels), w) for e in range(-20, 4)
    ]
    np.testing.assert_allclose(error(q, w), np.min(tried, 0), rtol=1e-9)


@pytest.mark.parametrize("bits", [2, 4, 6])
@pytest.mark.parametrize("power", [False, True])
def test_groups_beat_channels_and_choose_the_best_factor(bits: int, power: bool) -> None:
    w = weights()
    format = WeightFormat(bits=bits, granularity="per-group", group_size=16, power_of_two=power)
    q, plain = weight_qparams(w, format, 0, "mse"), weight_qparams(w, format, 0, "minmax")
    assert isinstance(q.levels, Grouped) and q.levels.factors.shape == (6, 9)
    assert (error(q, w) <= error(plain, w) * 1.1).all()
    channel = weight_qparams(w, WeightFormat(bits=bits, power_of_two=power), 0, "minmax")
    assert error(plain, w).sum() < error(channel, w).sum()
    # No factor on its own improves on the chosen one by much.
    best = np.inf
    for factor in range(1, int(q.levels.factors.max()) + 1):
        factors = q.levels.factors.copy()
        factors[0, 0] = factor
        best = min(best, error(QParams("int8", q.scale, q.zero_point, q.granularity, Grouped(bits, 16, factors)), w)[0])
    assert error(q, w)[0] <= best * 1.05


@pytest.mark.parametrize("method", WEIGHT_RANGES)
@pytest.mark.parametrize(
    "format",
    [
        WeightFormat(),
        WeightFormat(power_of_two=True),
        WeightFormat("log2", 4),
        WeightFormat(bits=4, granularity="per-group", group_size=2),
        WeightFormat(bits=4, granularity="per-tensor"),
    ],
    ids=["uniform", "shifts", "log2", "groups", "tensor"],
)
def test_channels_of_zeros_are_safe(method: str, format: WeightFormat) -> None:
    w = np.array([[0.0, 0.0, 0.0], [2.0, -1.0, 0.5], [0.0, 0.0, 1e-3]])
    q = weight_qparams(w, format, 0, method)
    assert q.scale[0] == q.scale.max() > 0
    assert (q.quantize(w)[0] == 0).all()
    nothing = weight_qparams(np.zeros((2, 3)), format, 0, method)
    assert (nothing.scale == 1.0).all()
    assert (weight_qparams(np.full((1, 1), 0.5), format, 0, method).quantize(np.full((1, 1), 0.5)) != 0).all()


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 40), st.sampled_from([2, 4, 8]))
@settings(max_examples=30, deadline=None)
def test_mse_never_loses_to_minmax(seed: int, channels: int, size: int, bits: int) -> None:
    w = np.random.default_rng(seed).standard_cauchy((channels, size)).astype(np.float32).astype(np.float64)
    for power in (False, True):
        format = WeightFormat(bits=bits, power_of_two=power)
        mse, plain = (error(weight_qparams(w, format, 0, method), w) for method in ("mse", "minmax"))
        assert (mse <= plain * (1 + 1e-5) + 1e-12).all()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    w = weights()
    whole = [weight_qparams(w, WeightFormat(bits=4), 0, "mse"), weight_qparams(w, WeightFormat("log2", 4), 0, "mse")]
    monkeypatch.setattr("octavo.quant.ranges.weights._CHUNK", 100)
    parts = [weight_qparams(w, WeightFormat(bits=4), 0, "mse"), weight_qparams(w, WeightFormat("log2", 4), 0, "mse")]
    assert whole == parts


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OctavoError, match="minmax, mse, percentile"):
        weight_qparams(np.ones((1, 1)), WeightFormat(), 0, "nothing")
    with pytest.raises(OctavoError, match="2 to 8 bits"):
        WeightFormat(bits=9)


def test_float16_is_numpys_rounding() -> None:
    w = weights()
    q = weight_qparams(w, WeightFormat("float16", 16), 0)
    np.testing.assert_array_equal(q.dequantize(q.quantize(w)), w.astype(np.float16).astype(np.float64))
