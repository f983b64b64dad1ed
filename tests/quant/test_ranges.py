"""Range methods against slow, obvious implementations on the raw samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.num.formats import ActivationFormat
from octavo.num.histogram import BINS
from octavo.quant.quantize import activation_qparams
from octavo.quant.ranges import RANGES, find_ranges
from octavo.quant.ranges.kl import relative_entropy
from octavo.quant.ranges.percentile import percentile
from octavo.quant.statistics import TensorStatistics

AFFINE = ActivationFormat()
SYMMETRIC = ActivationFormat(symmetric=True)
SHIFTS = ActivationFormat(symmetric=True, power_of_two=True)
WIDE = ActivationFormat("int16", symmetric=True)
FOUR = ActivationFormat(bits=4)
FORMATS = {
    "affine": AFFINE,
    "symmetric": SYMMETRIC,
    "shifts": SHIFTS,
    "int16": WIDE,
    "4 bits": FOUR,
    "4 bits symmetric": ActivationFormat(symmetric=True, bits=4),
    "4 bits shifts": ActivationFormat(symmetric=True, power_of_two=True, bits=4),
}


def seen(x: np.ndarray) -> TensorStatistics:
    return TensorStatistics().update(torch.from_numpy(np.asarray(x, np.float32).reshape(-1, 1)))


def error(x: np.ndarray, low: float, high: float, format: ActivationFormat) -> float:
    q = activation_qparams(low, high, format)
    return float(((q.dequantize(q.quantize(x)) - x) ** 2).mean())


def samples() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "normal": rng.normal(size=20_000),
        "laplace": rng.laplace(size=20_000),
        "student": rng.standard_t(3, size=20_000),
        "relu": np.maximum(rng.normal(size=20_000), 0),
        "relu6": np.clip(rng.normal(3, 4, size=20_000), 0, 6),
        "skewed": np.where(rng.random(20_000) < 0.5, rng.exponential(5, 20_000), rng.normal(0, 0.3, 20_000)),
        "negative": -rng.exponential(size=20_000),
        "outlier": np.append(rng.normal(size=20_000), 80.0),
    }


def brute(x: np.ndarray, format: ActivationFormat) -> float:
    """The least error over a fine grid of clips of the raw samples."""
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    peak = max(-low, high)
    if format.power_of_two:
        _, top = format.integers(low == 0)
        k = np.ceil(np.log2(peak / top))
        return min(error(x, -top * 2.0**e if low < 0 else 0.0, top * 2.0**e, format) for e in np.arange(k - 5, k + 1))
    fractions = np.geomspace(1 / 100, 1, 60)
    if format.symmetric:
        return min(error(x, -peak * f if low < 0 else 0.0, peak * f, format) for f in fractions)
    pairs = [(a, b) for a in (fractions[::4] if low < 0 else [1]) for b in (fractions[::4] if high > 0 else [1])]
    best = min(pairs, key=lambda p: error(x, low * p[0], high * p[1], format))
    near = np.linspace(0.8, 1.2, 9)
    return min(
        error(x, low * min(1, best[0] * a), high * min(1, best[1] * b), format) for a in near for b in near
    )  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_mse_is_as_good_as_a_search_on_the_samples(name: str) -> None:
    format, data = FORMATS[name], {key: x[::4] for key, x in samples().items()}
    found = RANGES["mse"]([seen(x) for x in data.values()], format)
    for (key, x), (low, high) in zip(data.items(), found, strict=True):
        x = x.astype(np.float32).astype(np.float64)
        reached = error(x, low, high, format)
        # One bin of a power of two above the outlier is wide, but the samples are few.
        assert reached <= error(x, x.min(), x.max(), format) * 1.001 + 1e-18, key
        if name != "int16":
            assert reached <= brute(x, format) * 1.05, key


def slow_divergence(counts: np.ndarray, size: int, levels: int) -> float:
    """One candidate of TensorRT's calibrator, step by step (Migacz 2017, slide 38)."""
    kept = counts[:size].astype(float)
    reference = kept.copy()
    reference[-1] += counts[size:].sum()
    quantized = np.zeros(size)
    for level in range(levels):
        bins = [b for b in range(size) if b * levels // size == level]
        occupied = [b for b in bins if reference[b] > 0]
        for b in occupied:
            quantized[b] = kept[bins].sum() / len(occupied)
    if kept.sum() == 0:
        return np.inf
    p, q = reference / reference.sum(), quantized / kept.sum()
    q = np.where((q == 0) & (p > 0), 1e-9 * reference.sum() / kept.sum(), q)
    return float(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0))


@given(st.integers(0, 1000), st.sampled_from([16, 32]), st.booleans())
@settings(max_examples=15, deadline=None)
def test_divergences_are_those_of_the_loop(seed: int, levels: int, sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    counts = np.stack([np.histogram(np.abs(rng.standard_t(2, 500)), 100, (0, 10))[0] for _ in range(3)]).astype(float)
    if sparse:
        counts *= rng.random(counts.shape) < 0.3
    sizes = np.arange(levels, 101)
    expected = np.array([[slow_divergence(row, size, levels) for size in sizes] for row in counts])
    np.testing.assert_allclose(relative_entropy(counts, sizes, levels), expected, rtol=1e-9, atol=1e-12)


def test_kl_takes_the_least_divergence() -> None:
    data = samples()
    found = dict(zip(data, RANGES["kl"]([seen(x) for x in data.values()], AFFINE), strict=True))
    for key, levels in (("student", 128), ("relu", 256)):
        histogram = seen(data[key]).histogram
        assert histogram is not None and histogram.counts is not None
        folded = histogram.counts[BINS // 2 :] + histogram.counts[: BINS // 2][::-1]
        sizes = np.arange(levels, BINS // 2 + 1, 16)
        losses = relative_entropy(folded[None], sizes, levels)[0]
        clip = sizes[int(np.argmin(losses))] * 2 * histogram.reach / BINS
        low, high = found[key]
        x = data[key].astype(np.float32)
        assert high == min(clip, x.max()) and low == max(-clip, x.min())
    assert found["outlier"][1] < 20


@pytest.mark.parametrize("percent", [99.99, 99.0, 90.0])
def test_percentiles_are_numpys(percent: float) -> None:
    for key, x in samples().items():
        x = x.astype(np.float32).astype(np.float64)
        width = np.abs(x).max() * 2 / (BINS / 2) + 1e-12
        # Where samples are sparse, a bin is as good as the gap between neighbours.
        around = np.percentile(
            x, [100 - percent - 0.01, 100 - percent + 0.01, percent - 0.01, min(percent + 0.01, 100)]
        )
        ((low, high),) = percentile([seen(x)], AFFINE, percent)
        if low != x.min():
            assert around[0] - width <= low <= around[1] + width, key
        if high != x.max():
            assert around[2] - width <= high <= around[3] + width, key


def test_cross_entropy_beats_mse_on_its_own_measure() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 10)).astype(np.float32)
    logits[np.arange(300), rng.integers(0, 10, 300)] += 12
    logits[0, 0] = -90
    tensor = TensorStatistics().update(torch.from_numpy(logits), keep=True)
    plain = seen(rng.normal(size=1000))

    def loss(low: float, high: float, format: ActivationFormat) -> float:
        q = activation_qparams(low, high, format)
        a, b = torch.from_numpy(logits).double(), torch.from_numpy(q.dequantize(q.quantize(logits)))
        return float(-(torch.softmax(a, 1) * torch.log_softmax(b, 1)).sum(1).mean())

    for format in FORMATS.values():
        found, other = RANGES["cross-entropy"]([tensor, plain], format)
        (mse,) = RANGES["mse"]([tensor], format)
        assert loss(*found, format) <= loss(*mse, format) * 1.001
        assert loss(*found, format) <= loss(*tensor.minmax.range, format) * 1.0001
        assert other == RANGES["mse"]([plain], format)[0]


CASES: dict[str, Any] = {
    "zeros": [0.0] * 50,
    "constant": [2.5] * 50,
    "minus": [-2.5] * 50,
    "one": [1e-3],
    "nearly dead": [0.0] * 100_000 + [0.7],
    "tiny": [1e-30, -1e-31],
    "huge": [3e38, -1e38, 1.0],
}


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("method", RANGES)
def test_degenerate_tensors_get_a_safe_range(method: str, format: ActivationFormat) -> None:
    found = RANGES[method]([seen(np.array(x)) for x in CASES.values()], format)
    for (name, values), (low, high) in zip(CASES.items(), found, strict=True):
        x = np.asarray(values, np.float32).astype(np.float64)
        assert np.isfinite([low, high]).all() and low <= high, name
        encoding = activation_qparams(low, high, format)
        back = encoding.dequantize(encoding.quantize(x))
        if name not in ("huge", "tiny", "nearly dead"):
            np.testing.assert_allclose(back, x, rtol=0.04 if format.narrow else 0.02, err_msg=name)


def test_lookups_say_what_there_is() -> None:
    with pytest.raises(OctavoError, match="minmax, moving-average, percentile"):
        find_ranges("nothing")


@given(st.floats(-1e6, 0), st.floats(0, 1e6))
@settings(max_examples=50, deadline=None)
def test_encodings_of_symmetric_formats_hold_the_range(low: float, high: float) -> None:
    peak = max(-low, high)
    for format, top in ((SYMMETRIC, 127), (SHIFTS, 127), (WIDE, 32767)):
        q = activation_qparams(low, high, format)
        assert q.zero_point.tolist() == [0] and q.dtype == format.dtype
        scale = float(q.scale[0])
        if peak / top >= 2.0**-126:
            assert scale * top >= peak * (1 - 1e-7)
        if format.power_of_two:
            assert np.log2(scale) == np.rint(np.log2(scale)) and (scale == 1.0 or scale * 63.5 < peak)


def test_kl_leaves_the_many_levels_of_int16_to_mse() -> None:
    statistics = [TensorStatistics().update(torch.from_numpy(np.random.default_rng(0).laplace(size=(32, 16, 16, 4))))]
    assert find_ranges("kl")(statistics, WIDE) == find_ranges("mse")(statistics, WIDE)
    assert find_ranges("kl")(statistics, SYMMETRIC) != find_ranges("mse")(statistics, SYMMETRIC)
