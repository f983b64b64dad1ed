"""Idle channels are found, cut, and missed by nobody: the integer executor before and after, on random networks."""

from __future__ import annotations

import numpy as np
import pytest

from octavo import ops
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.lower.bounds import channel_bounds
from octavo.lower.lower import IntegerModel, lower
from octavo.lower.trim import trim
from octavo.quant.quantize import quantize_graph
from octavo.run.integer_run import integer_run
from tests.networks.integer_layers import convolution, depthwise, fully_connected, random_inputs, side_by_side

RELU = ops.Clip(0.0, 6.0)


def network(seed: int, padding: int = 1, dead_bias: float = -1.0, residual: bool = False) -> tuple[Graph, np.ndarray]:
    """Convolution, depthwise, pointwise, pool, mean and head, with channels whose weights are zero here and there."""
    rng, b = np.random.default_rng(seed), GraphBuilder("idle")

    def parameters(shape: tuple[int, ...], axis: int, dead: float = 0.0) -> list[str]:
        w = rng.normal(size=shape) * np.sqrt(2 / (np.prod(shape) / shape[axis]))
        bias = rng.normal(size=shape[axis]) / 4
        idle = rng.random(shape[axis]) < dead
        np.moveaxis(w, axis, 0)[idle] = 0
        bias[idle] = dead_bias * rng.uniform(0.5, 1, idle.sum())
        return [b.const(w.astype(np.float32), "w"), b.const(bias.astype(np.float32), "b")]

    pads = (padding,) * 4
    x = b.input("x", TensorType((1, 12, 11, 3)))
    x = b.add(ops.Conv2D((1, 1), pads, activation=RELU), [x, *parameters((24, 3, 3, 3), 0, 0.5)], "first")
    x = b.add(ops.DepthwiseConv2D((1, 1), pads, activation=RELU), [x, *parameters((1, 3, 3, 24), 3)], "depthwise")
    y = b.add(ops.Conv2D(activation=RELU), [x, *parameters((24, 1, 1, 24), 0, 0.6)], "pointwise")
    if residual:
        y = b.add(ops.Add(), [x, y], "sum")
    y = b.add(ops.Conv2D((2, 2), pads, activation=RELU), [y, *parameters((17, 3, 3, 24), 0, 0.3)], "second")
    y = b.add(ops.Sigmoid(), [b.add(ops.MaxPool2D((2, 2), (1, 1)), [y], "pool")], "sigmoid")
    y = b.add(ops.Reshape((1, 17)), [b.add(ops.Mean((1, 2)), [y], "mean")], "flat")
    graph = b.finish([b.add(ops.FullyConnected(), [y, *parameters((5, 17), 0)], "head")])
    return graph, rng.normal(size=(24, 12, 11, 3)).astype(np.float32)


def lowered(seed: int, **options: object) -> IntegerModel:
    graph, data = network(seed, **options)  # type: ignore[arg-type]
    return lower(quantize_graph(graph, [data]))


def same(model: IntegerModel, other: IntegerModel, seed: int) -> None:
    inputs = random_inputs(model, 32, np.random.default_rng(seed))
    for name, value in integer_run(model.graph, inputs).items():
        np.testing.assert_array_equal(integer_run(other.graph, inputs)[name].numpy(), value.numpy())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dead_bias", [-1.0, 1.0])
@pytest.mark.parametrize("padding", [0, 1])
def test_cut_networks_compute_the_same(seed: int, dead_bias: float, padding: int) -> None:
    model = lowered(seed, dead_bias=dead_bias, padding=padding)
    trimmed = trim(model)
    verify(trimmed.model.graph, "integer graph")
    same(model, trimmed.model, seed)
    if padding == 0 or dead_bias < 0:
        assert {"first", "depthwise", "pointwise", "second"} <= set(trimmed.dropped)
        assert {"pool", "sigmoid", "mean", "flat"} <= set(trimmed.dropped)
        assert all((whole - lost) % 4 == 0 for lost, whole in trimmed.dropped.values())


def test_a_constant_beside_padding_stays() -> None:
    """Before a padded layer, a channel that is always 1 is a square on a field of zeros, not a constant."""
    trimmed = trim(lowered(0, dead_bias=1.0, padding=1))
    assert "first" not in trimmed.dropped and "pointwise" not in trimmed.dropped


def test_a_sum_keeps_its_channels() -> None:
    model = lowered(1, residual=True)
    trimmed = trim(model)
    same(model, trimmed.model, 1)
    assert not {"first", "depthwise", "pointwise", "sum"} & set(trimmed.dropped) and "second" in trimmed.dropped


def test_nothing_to_cut_changes_nothing() -> None:
    model = side_by_side([convolution(np.random.default_rng(3))])
    trimmed = trim(model)
    assert trimmed.model.graph is model.graph and not trimmed.dropped


def test_all_dead_leaves_four() -> None:
    rng, b = np.random.default_rng(0), GraphBuilder("dead")
    x = b.input("x", TensorType((1, 4, 4, 3)))
    w = [b.const(np.zeros((12, 1, 1, 3), np.float32), "w"), b.const(np.full(12, -1, np.float32), "b")]
    v = [b.const(rng.normal(size=(5, 12)).astype(np.float32), "v"), b.const(np.ones(5, np.float32), "c")]
    y = b.add(ops.Mean((1, 2), False), [b.add(ops.Conv2D(activation=RELU), [x, *w], "dead")], "mean")
    graph = b.finish([b.add(ops.FullyConnected(), [y, *v], "head")])
    model = lower(quantize_graph(graph, [rng.normal(size=(8, 4, 4, 3)).astype(np.float32)]))
    trimmed = trim(model)
    assert trimmed.dropped["dead"] == (8, 12)
    same(model, trimmed.model, 0)


@pytest.mark.parametrize("seed", range(12))
def test_bounds_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = side_by_side([make(rng) for make in (convolution, depthwise, fully_connected)])
    bounds = channel_bounds(model.graph)
    for name, value in integer_run(model.graph, random_inputs(model, 8, rng)).items():
        rows = value.numpy().reshape(-1, value.shape[-1])
        assert np.all(rows >= bounds[name][0]) and np.all(rows <= bounds[name][1])
