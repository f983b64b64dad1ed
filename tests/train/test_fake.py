"""Fake quantization: values against PyTorch's own, gradients against the formulas of the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.train.fake import Ends, fake_activation, fake_weight, rounded


def lsq(x: np.ndarray, s: float, z: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """By element: y, dy/dx, dy/ds and dy/dz as Esser et al. 2020, equation 3, and Bhalgat et al. 2020, equation 5."""
    v = x / s
    inside = (np.rint(v) >= low - z) & (np.rint(v) <= high - z)
    q = np.clip(np.rint(v), low - z, high - z)
    return s * q, inside * 1.0, np.where(inside, q - v, q), np.where(inside, 0.0, -s)


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 3.0),
    st.integers(-128, 127),
    st.sampled_from([(-128, 127), (-8, 7), (-128, 20), (-32768, 32767)]),
)
@settings(max_examples=60, deadline=None)
def test_an_activation_and_its_gradients(seed: int, scale: float, zero_point: int, limits: tuple[int, int]) -> None:
    low, high = limits
    zero_point = int(np.clip(zero_point, low, high))
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=scale * 90, size=(4, 5, 6, 3)).astype(np.float32)
    # Away from where rounding is decided by the last bit.
    fraction = np.abs(x / np.float32(scale) - np.floor(x / np.float32(scale)) - 0.5)
    x = np.where(fraction < 1e-3, np.float32(0), x)
    upstream = rng.normal(size=x.shape).astype(np.float32)
    tensor = torch.from_numpy(x).requires_grad_(True)
    size = torch.tensor(scale, requires_grad=True)
    zero = torch.tensor(float(zero_point), requires_grad=True)
    y = fake_activation(tensor, size, zero, Ends(low, high))
    y.backward(torch.from_numpy(upstream))
    expected, of_x, of_s, of_z = lsq(x.astype(np.float64), scale, zero_point, low, high)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tensor.grad.numpy(), upstream * of_x, rtol=1e-6)
    terms, noise = (upstream * of_s).sum(), 2e-6 * float(np.abs(upstream * x).sum()) / scale
    assert float(size.grad) == pytest.approx(terms, rel=1e-3, abs=noise + 1e-6)
    noise = 1e-5 * scale * float(np.abs(upstream).sum())
    assert float(zero.grad) == pytest.approx((upstream * of_z).sum(), rel=1e-3, abs=noise)


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40, deadline=None)
def test_weights_and_their_gradients(seed: int, per_channel: bool) -> None:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(3, 2, 2, 5)).astype(np.float32)
    scale = rng.uniform(0.05, 0.4, (3, 1, 1, 1) if per_channel else (1, 1, 1, 1)).astype(np.float32)
    upstream = rng.normal(size=w.shape).astype(np.float32)
    tensor = torch.from_numpy(w).requires_grad_(True)
    sizes = torch.from_numpy(scale).requires_grad_(True)
    y = fake_weight(tensor, sizes, lambda x: torch.clamp(torch.round(x), -7, 7), torch.tensor(7.5))
    y.backward(torch.from_numpy(upstream))
    values, of_w, of_s = np.empty(w.shape), np.empty(w.shape), np.zeros(scale.shape)
    for at in np.ndindex(w.shape):
        where = (at[0], 0, 0, 0) if per_channel else (0, 0, 0, 0)
        s = float(scale[where])
        value, dx, ds, _ = lsq(np.array(float(w[at])), s, 0, -7, 7)
        values[at], of_w[at] = value, upstream[at] * dx
        of_s[where] += upstream[at] * ds
    np.testing.assert_allclose(y.detach().numpy(), values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tensor.grad.numpy(), of_w, rtol=1e-5)
    np.testing.assert_allclose(sizes.grad.numpy(), of_s, rtol=1e-3, atol=1e-3)


def test_rounding_passes_gradients_through() -> None:
    x = torch.tensor([0.4, 0.5, 1.5, -2.7], requires_grad=True)
    y = rounded(x)
    (y * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert y.tolist() == [0, 0, 2, -3]
    assert x.grad is not None and x.grad.tolist() == [1, 2, 3, 4]
