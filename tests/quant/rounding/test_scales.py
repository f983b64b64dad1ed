"""Learned scales against torch's own fake quantization and the formula of LSQ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo.num.formats import WeightFormat
from octavo.num.qparams import QParams
from octavo.quant.rounding.scales import LearnedScales, learnable, quantize_with_scale
from octavo.quant.simulate import fake_quantize
from tests.networks.layers import quantized

ENCODINGS = (
    QParams("int8", np.array([0.11], np.float32), np.array([-128])),
    QParams("int8", np.array([0.07], np.float32), np.array([12])),
    QParams("int16", np.array([0.0003], np.float32), np.array([0])),
)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["relu", "signed", "int16"])
def test_values_are_those_of_fake_quantization(encoding: QParams) -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(scale=8.0, size=(50, 40)).astype(np.float32))
    got = quantize_with_scale(x, torch.tensor(float(encoding.scale[0])), encoding)
    torch.testing.assert_close(got, fake_quantize(x, encoding), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["relu", "signed", "int16"])
def test_gradients_are_those_of_the_formula(encoding: QParams) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(scale=8.0, size=300)
    g = rng.normal(size=300)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(float(encoding.scale[0]), dtype=torch.float64, requires_grad=True)
    quantize_with_scale(tensor, scale, encoding).backward(torch.from_numpy(g))
    s, zero = float(encoding.scale[0]), int(encoding.zero_point[0])
    low, high = encoding.limits[0] - zero, encoding.limits[1] - zero
    slope = [(low if r < low else high if r > high else r - v) for v, r in zip(x / s, np.rint(x / s), strict=True)]
    passed = [g[i] if low <= np.rint(x[i] / s) <= high else 0.0 for i in range(300)]
    assert scale.grad is not None and tensor.grad is not None
    assert float(scale.grad) == pytest.approx(float(np.dot(g, slope)), rel=1e-9)
    np.testing.assert_allclose(tensor.grad.numpy(), passed)


def test_only_groups_that_lie_within_are_learnable() -> None:
    plan = quantized(WeightFormat()).plan
    everything = set(plan.groups)
    groups = learnable(plan, everything)
    assert set(groups) == set(plan.groups.values())
    root, members = max(groups.items(), key=lambda item: len(item[1]))
    assert len(members) > 1, "the network has values that share an encoding"
    without = learnable(plan, everything - {members[-1]})
    assert root not in without and len(without) == len(groups) - 1


def test_powers_of_two_stay() -> None:
    start = quantized(WeightFormat())
    name = start.graph.inputs[0]
    encoding = QParams("int8", np.array([0.25], np.float32), np.array([0]))
    plan = start.with_(qparams={**start.plan.qparams, name: encoding}).plan
    assert name not in learnable(plan, set(plan.groups))


def test_factors_start_at_one_are_shared_and_bounded() -> None:
    plan = quantized(WeightFormat()).plan
    groups = learnable(plan, set(plan.groups))
    scales = LearnedScales.of(plan, groups, torch.device("cpu"))
    assert len(scales.parameters) == len(groups)
    assert all(encoding == plan.qparams[value] for value, encoding in scales.learned().items())
    with torch.no_grad():
        for log in scales.parameters:
            log.fill_(5.0)
    for value, encoding in scales.learned().items():
        assert float(encoding.scale[0]) == pytest.approx(2 * float(plan.qparams[value].scale[0]), rel=1e-6)
