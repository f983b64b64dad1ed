"""Least-squares rounding against nearest rounding, on what it promises: the layer's output."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import Format, WeightFormat
from octavo.ops import Clip, Conv2D, DepthwiseConv2D, FullyConnected, Mean, Reshape
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.rounding import LeastSquares, least_squares_rounding
from octavo.quant.rounding.windows import layout_of, sample_positions
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run

FORMATS = {
    "int8": WeightFormat(),
    "int4": WeightFormat(bits=4),
    "int3 per tensor": WeightFormat(bits=3, granularity="per-tensor"),
    "int4 groups": WeightFormat(bits=4, granularity="per-group", group_size=8),
    "log2": WeightFormat("log2", 4),
    "power of two": WeightFormat(bits=6, power_of_two=True),
}


def network() -> Graph:
    """A padded strided convolution, a depthwise one with a multiplier, a grouped and a fully connected layer."""
    rng, b = np.random.default_rng(0), GraphBuilder("net")

    def parameters(shape: tuple[int, ...], axis: int) -> list[str]:
        name = f"p{len(shapes)}"
        shapes.append(shape)
        fan_in = np.prod(shape) / shape[axis]
        w = (rng.normal(size=shape) * np.sqrt(2 / fan_in)).astype(np.float32)
        return [b.const(w, f"{name}.w"), b.const(rng.normal(size=shape[axis]).astype(np.float32) / 4, f"{name}.b")]

    shapes: list[tuple[int, ...]] = []
    x = b.input("x", TensorType((1, 9, 9, 4)))
    relu = Clip(0.0)
    x = b.add(Conv2D((2, 2), (0, 1, 1, 1), activation=relu), [x, *parameters((8, 3, 3, 4), 0)], "conv")
    x = b.add(DepthwiseConv2D(padding=(1, 1, 1, 1), activation=relu), [x, *parameters((1, 3, 3, 16), 3)], "depthwise")
    x = b.add(Conv2D(groups=2, activation=relu), [x, *parameters((12, 1, 1, 8), 0)], "grouped")
    x = b.add(Mean((1, 2), False), [x], "mean")
    x = b.add(Reshape((1, 12)), [x], "flat")
    return b.finish([b.add(FullyConnected(), [x, *parameters((10, 12), 0)], "head")])


def images(count: int, seed: int = 1) -> np.ndarray:
    """Smooth in space, so that the windows' pixels depend on each other."""
    x = np.random.default_rng(seed).normal(size=(count, 11, 11, 4))
    return (x[:, :9, :9] + x[:, 1:10, :9] + x[:, 1:10, 1:10] + x[:, 2:, 2:]).astype(np.float32) / 2


def quantized(weights: WeightFormat) -> Quantized:
    return quantize_graph(network(), [images(64)], Scheme(Format("test", weights), "mse", "mse"))


def error(q: Quantized, data: np.ndarray) -> float:
    expected = float_run(q.graph, {"x": data})[q.graph.outputs[0]]
    return float((simulate(q, {"x": data})[q.graph.outputs[0]] - expected).square().mean())


@pytest.mark.parametrize("name", FORMATS)
def test_outputs_come_nearer_and_integers_stay_levels(name: str) -> None:
    plain = quantized(FORMATS[name])
    settings = LeastSquares.for_bits(FORMATS[name].bits)
    rounded = least_squares_rounding(plain, images(64), settings)
    held_out = images(64, 2)
    # At 8 bits the activations make most of the error, and they stay.
    assert error(rounded, held_out) < (0.75 if FORMATS[name].bits < 8 else 1.1) * error(plain, held_out)
    assert set(rounded.plan.integers) == {f"p{i}.w" for i in range(4)}
    for key, integers in rounded.plan.integers.items():
        encoding = rounded.plan.qparams[key]
        again = encoding.quantize(encoding.dequantize(integers))
        np.testing.assert_array_equal(again, integers, err_msg="an integer is no level of its encoding")


def test_the_integer_network_uses_the_learned_integers_and_biases() -> None:
    rounded = least_squares_rounding(quantized(WeightFormat(bits=4)), images(64))
    model = lower(rounded)
    moved = 0
    for node in model.graph.nodes:
        if f"{node.name}:weights" in model.graph.consts:
            key = next(n.inputs[1] for n in rounded.graph.nodes if n.name == node.name)
            np.testing.assert_array_equal(model.graph.consts[f"{node.name}:weights"], rounded.plan.integers[key])
            nearest = rounded.plan.qparams[key].quantize(rounded.graph.consts[key])
            moved += int((nearest != rounded.plan.integers[key]).sum())
    assert moved > 20


def test_the_bias_takes_the_mean_error() -> None:
    rounded = least_squares_rounding(quantized(WeightFormat(bits=3)), images(64))
    data = images(64)
    expected = float_run(rounded.graph, {"x": data})[rounded.graph.outputs[0]].numpy()
    got = simulate(rounded, {"x": data})[rounded.graph.outputs[0]].numpy()
    step = float(rounded.plan.qparams[rounded.graph.outputs[0]].scale[0])
    assert np.abs((got - expected).mean(axis=0)).max() < step / 2


def test_same_seed_same_integers_and_fewer_samples_within_less_memory() -> None:
    plain = quantized(WeightFormat(bits=4))
    first, second = (least_squares_rounding(plain, images(64)) for _ in range(2))
    few = least_squares_rounding(plain, images(64), LeastSquares(max_bytes=40_000))
    for key, integers in first.plan.integers.items():
        np.testing.assert_array_equal(integers, second.plan.integers[key])
    assert any((few.plan.integers[key] != integers).any() for key, integers in first.plan.integers.items())


def test_an_input_channel_that_is_always_zero_does_no_harm() -> None:
    data = images(32)
    data[..., 2] = 0
    plain = quantize_graph(network(), [data], Scheme(Format("test", WeightFormat(bits=4)), "mse", "mse"))
    rounded = least_squares_rounding(plain, data, LeastSquares.for_bits(4))
    assert error(rounded, data) < error(plain, data)


def test_rows_times_matrix_is_the_layer() -> None:
    graph, x = network(), torch.from_numpy(images(3))
    values: dict[str, torch.Tensor] = {}
    float_run(graph, {"x": x}, lambda name, value: values.setdefault(name, value))
    for node in graph.nodes:
        layout = layout_of(graph, node)
        if layout is None:
            continue
        weights = layout.matrix(values[node.inputs[1]])
        np.testing.assert_array_equal(layout.weights(weights).numpy(), graph.consts[node.inputs[1]])
        at = sample_positions(layout.positions(3), 20, torch.Generator().manual_seed(0))
        products = layout.rows(values[node.inputs[0]], at) @ weights.transpose(1, 2)
        got = products.permute(1, 0, 2).reshape(len(at), -1) + values[node.inputs[2]]
        expected = values[node.outputs[0]].reshape(-1, got.shape[1])[at]
        clip = getattr(node.op, "activation", Clip())
        torch.testing.assert_close(clip.eval_float(got), expected, rtol=1e-4, atol=1e-5)
