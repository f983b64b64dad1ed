"""Relaxed weights start at the present integers and end at levels; brackets are the levels on both sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo.num.formats import WeightFormat
from octavo.num.levels import All, Narrow, PowersOfTwo
from octavo.num.qparams import QParams
from octavo.quant.rounding import compensated, least_squares_rounding
from octavo.quant.rounding.levels import brackets, nearest_level
from octavo.quant.rounding.relaxed import RELAXATIONS
from octavo.quant.rounding.windows import layout_of
from tests.networks.layers import FORMATS, images, network, quantized

CPU = torch.device("cpu")


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_rounded_at_once_they_are_the_present_integers(name: str, relaxation: str) -> None:
    plain = quantized(FORMATS[name])
    settings = compensated(FORMATS[name].bits)
    for start in (plain, least_squares_rounding(plain, images(32), settings)):
        for node in start.graph.nodes:
            layout = layout_of(start.graph, node)
            if layout is None:
                continue
            relaxed = RELAXATIONS[relaxation](start, layout, CPU)
            weight = node.inputs[1]
            np.testing.assert_array_equal(relaxed.integers(), start.integers(weight))
            kept = start.plan.qparams[weight].dequantize(start.integers(weight))
            np.testing.assert_allclose(relaxed.rounded().numpy(), kept, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_a_gradient_step_against_a_weight_moves_its_level(relaxation: str) -> None:
    start = quantized(WeightFormat(bits=4))
    node = next(node for node in start.graph.nodes if node.name == "head")
    layout = layout_of(start.graph, node)
    assert layout is not None
    relaxed = RELAXATIONS[relaxation](start, layout, CPU)
    before = relaxed.integers().astype(int)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(relaxed.weights().sum(), relaxed.v)
        with torch.no_grad():
            relaxed.v.sub_(0.05 * torch.sign(gradient))
    moved = relaxed.integers().astype(int) - before
    assert moved.max() <= 0 and moved.min() < 0


def test_soft_weights_are_undecided_only_between_levels() -> None:
    start = quantized(WeightFormat(bits=4))
    node = next(node for node in start.graph.nodes if node.name == "head")
    layout = layout_of(start.graph, node)
    assert layout is not None
    soft = RELAXATIONS["soft"](start, layout, CPU)
    assert float(soft.undecided(2.0).detach()) > 0.2
    with torch.no_grad():
        soft.v.copy_(torch.where(soft.v > 0, 10.0, -10.0))
    assert float(soft.undecided(2.0).detach()) == 0.0
    torch.testing.assert_close(soft.weights(), soft.rounded())


@pytest.mark.parametrize("levels", [All(), Narrow(2), Narrow(4), PowersOfTwo(2), PowersOfTwo(3), PowersOfTwo(4)])
def test_brackets_are_the_neighbouring_levels(levels: All | Narrow | PowersOfTwo) -> None:
    encoding = QParams("int8", np.ones(1, np.float32), np.zeros(1, np.int32), levels=levels)
    every = np.unique(levels.nearest(np.arange(-128.0, 128.0), None))
    if isinstance(levels, All):
        every = np.arange(-128.0, 128.0)
    x = np.random.default_rng(0).uniform(every[0] * 1.3, every[-1] * 1.3, 4000)
    lower, upper = (part.numpy() for part in brackets(torch.from_numpy(x), encoding, None))
    above = np.clip(np.searchsorted(every, x, side="right"), 1, len(every) - 1)
    np.testing.assert_array_equal(lower, every[above - 1])
    np.testing.assert_array_equal(upper, every[above])
    nearest = nearest_level(encoding, None)(torch.from_numpy(x), 0).numpy()
    assert np.isin(nearest, every).all()
    inside = (x > every[0]) & (x < every[-1])
    assert ((nearest == lower) | (nearest == upper))[inside].all()


def test_networks_have_every_layout() -> None:
    kinds = {node.kind for node in network().nodes if layout_of(network(), node) is not None}
    assert kinds == {"Conv2D", "DepthwiseConv2D", "FullyConnected"}
