"""Histograms and channel moments: exact, whatever the order and the batching."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.num.channels import ChannelMoments
from octavo.num.histogram import BINS, Densities, Histogram

# Values away from the edges of every bin that they can meet, and zeros.
LISTS = st.lists(
    st.one_of(st.integers(-4096, 4095).map(lambda k: (k + 0.5) / 64), st.just(0.0)), min_size=1, max_size=60
)


def of(values: list[float] | np.ndarray) -> Histogram:
    return Histogram().update(torch.tensor(np.asarray(values, np.float32)))


def same(a: Histogram, b: Histogram) -> bool:
    assert a.counts is not None and b.counts is not None
    return bool((a.counts == b.counts).all()) and (a.reach, a.zeros) == (b.reach, b.zeros)


@given(st.lists(st.integers(0, BINS - 1), min_size=1, max_size=60), st.integers(-20, 20), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_counts_are_numpys(places: list[int], exponent: int, zeros: int) -> None:
    """Values in the middles of bins: float32 is in no doubt where they belong."""
    x = np.append(((np.array(places) + 0.5) * 2 / BINS - 1) * 2.0**exponent, np.zeros(zeros))
    h = of(x)
    assert h.counts is not None
    expected, _ = np.histogram(x[x != 0], bins=BINS, range=(-h.reach, h.reach))
    np.testing.assert_array_equal(h.counts, expected)
    assert h.zeros == zeros and h.counts.sum() + h.zeros == x.size
    assert np.abs(x).max() < h.reach <= 2 * np.abs(x).max()


@given(LISTS, st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_merging_and_chunks_change_nothing(values: list[float], i: int, j: int) -> None:
    whole = of(values)
    parts = [part for part in (values[: min(i, j)], values[min(i, j) : max(i, j)], values[max(i, j) :]) if part]
    merged, chunked = Histogram(), Histogram()
    for part in parts:
        merged = merged.merge(of(part))
        chunked = chunked.update(torch.tensor(np.asarray(part, np.float32)))
    assert same(whole, merged) and same(whole, chunked) and same(whole, of(values[::-1]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_noticed(bad: float) -> None:
    h = of([1.0, bad, 2.0])
    for found in (h, h.merge(of([1.0])), of([1.0]).merge(h), h.update(torch.ones(3))):
        assert math.isinf(found.reach)


def test_densities_count_and_sum_as_the_samples_do() -> None:
    rng = np.random.default_rng(0)
    data = [rng.normal(size=20_000), rng.exponential(size=20_000), rng.laplace(3, 0.1, 5000)]
    data = [x.astype(np.float32).astype(np.float64) for x in data]
    known = Densities([of(x) for x in data], [(x.min(), x.max()) for x in data])
    edges = np.stack([np.linspace(x.min() - 1, x.max() + 1, 41) for x in data])
    for found, power in zip(known.below(edges), (0, 1, 2), strict=True):
        for row, x, at in zip(found, data, edges, strict=True):
            expected = [(x[x < edge] ** power).sum() for edge in at]
            np.testing.assert_allclose(row, expected, atol=0.005 * (np.abs(x) ** power).sum())


@given(st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_channel_moments_are_numpys_in_any_chunks(first: int, second: int) -> None:
    x = np.random.default_rng(first * 10 + second).normal(3, 2, (first + second, 7)).astype(np.float32)
    found = ChannelMoments.of(torch.from_numpy(x[:first])).merge(ChannelMoments.of(torch.from_numpy(x[first:])))
    assert found.count == len(x)
    np.testing.assert_array_equal(found.low, x.min(0))
    np.testing.assert_array_equal(found.high, x.max(0))
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.square, (x.astype(np.float64) ** 2).mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.variance, x.astype(np.float64).var(0), rtol=1e-3, atol=1e-5)
