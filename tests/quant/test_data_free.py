"""Statistics without data: what batch norm knows agrees with what calibration sees."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.formats.native import read_quantized, write_quantized
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.num.formats import find_format
from octavo.num.normals import ClippedNormals
from octavo.ops import Add, Concat, Conv2D, FullyConnected, HardSwish, Mul, Reshape, Softmax, Square
from octavo.passes.equalize import equalize
from octavo.passes.pipeline import normalize
from octavo.quant.data_free import expected_statistics
from octavo.quant.observe import observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.ranges import RANGES
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run
from tests.networks.batch_norm import RELU, RELU6, Trained, inverted_residual


@pytest.mark.parametrize("low,high", [(-np.inf, np.inf), (0.0, np.inf), (0.0, 6.0), (-1.0, 1.0), (-np.inf, 0.5)])
def test_clipped_normals_against_numerical_integration(low: float, high: float) -> None:
    centre, deviation = np.array([-5.0, -0.3, 0.0, 2.0, 7.0, 1.0]), np.array([1.0, 2.0, 0.5, 3.0, 1.0, 1e-9])
    z = np.linspace(-12, 12, 400_001)
    weight = np.exp(-z * z / 2)
    weight /= weight.sum()
    state = ClippedNormals.of(centre, deviation).clipped(low, high)
    for channel in range(len(centre)):
        values = np.clip(centre[channel] + deviation[channel] * z, low, high)
        mean = weight @ values
        assert state.mean[channel] == pytest.approx(mean, abs=1e-6)
        assert state.square[channel] == pytest.approx(weight @ values**2, abs=1e-5)
        assert state.variance[channel] == pytest.approx(weight @ (values - mean) ** 2, abs=1e-5)


def test_clips_compose_and_affine_functions_move_bounds() -> None:
    state = ClippedNormals.of(np.zeros(2), np.ones(2)).clipped(0.0, 6.0).affine(np.array([-2.0, 0.0]), 1.0)
    np.testing.assert_allclose(state.low, [-11, 1])
    np.testing.assert_allclose(state.high, [1, 1])
    np.testing.assert_allclose(state.mean, [1 - 2 / np.sqrt(2 * np.pi), 1], atol=1e-6)
    assert (state.clipped(-1.0, 0.5).high == 0.5).all()


def test_histogram_is_the_mixture() -> None:
    state = ClippedNormals.of(np.array([0.5, -1.0]), np.array([1.0, 2.0])).clipped(0.0, 3.0)
    histogram = state.histogram(6.0)
    assert histogram.counts is not None and histogram.reach == 4.0
    middle = (np.arange(4096) + 0.5) / 4096 * 8 - 4
    total = histogram.counts.sum() + histogram.zeros
    assert (histogram.counts >= 0).all() and histogram.counts[: 4096 // 2].sum() == 0
    assert (histogram.counts @ middle) / total == pytest.approx(state.mean.mean(), abs=1e-3)
    assert (histogram.counts @ middle**2) / total == pytest.approx(state.square.mean(), abs=1e-2)


def test_expectations_equal_what_calibration_sees() -> None:
    graph, data = inverted_residual()
    assert len(graph.moments) == 5
    expected = expected_statistics(graph, (-4.0, 4.0)).statistics
    seen = observe(graph, [data]).statistics
    for node in graph.nodes:
        mine, real = expected[node.outputs[0]].channels, seen[node.outputs[0]].channels
        assert mine is not None and real is not None
        # Both branches of the Add read one value; the classifier's inputs and a mean's pixels are not independent.
        np.testing.assert_allclose(mine.mean, real.mean, atol=0.12, err_msg=node.name)
        if node.kind not in ("Add", "Mean", "FullyConnected"):
            np.testing.assert_allclose(mine.variance, real.variance, rtol=0.3, atol=0.1, err_msg=node.name)


@pytest.mark.parametrize("ranges", sorted(RANGES))
def test_every_range_method_works(ranges: str) -> None:
    graph, data = inverted_residual()
    graph = align(graph)
    quantized = quantize_observed(graph, expected_statistics(graph, (-4.0, 4.0)), Scheme(ranges=ranges))
    (real,), (rounded,) = (
        tuple(run.values()) for run in (float_run(graph, {"x": data}), simulate(quantized, {"x": data}))
    )
    assert float((rounded - real).std() / real.std()) < 0.15
    assert "batch norm" in quantized.plan.reasons[graph.outputs[0]]
    assert "given range" in quantized.plan.reasons["x"]


def test_input_range_is_estimated_with_a_note() -> None:
    graph, data = inverted_residual()
    found = expected_statistics(graph)
    low, high = found.statistics["x"].minmax.range
    assert -8 < low < -1.5 and 1.5 < high < 8
    assert "give input_range" in found.notes["x"]
    channels = found.statistics["x"].channels
    assert channels is not None
    np.testing.assert_allclose(channels.mean, data.mean((0, 1, 2)), atol=0.1)
    named = expected_statistics(graph, {"x": (-1.0, 2.0)})
    assert named.statistics["x"].minmax.range == (-1.0, 2.0)
    with pytest.raises(OctavoError, match="low below high"):
        expected_statistics(graph, (1.0, 1.0))


def single(shape: tuple[int, ...] = (4, 4, 3)) -> tuple[Trained, str]:
    b = Trained(shape)
    return b, b.layer(Conv2D(), b.x, 6, 1, "first", RELU)


def test_other_operators_pass_moments() -> None:
    b, y = single()
    y = b.add(Mul(), [y, b.single(np.full((1, 1, 1, 6), -0.5), "half")], "scaled")
    y = b.add(Concat(3), [y, b.add(HardSwish(), [b.layer(Conv2D(), y, 6, 1, "second")], "swish")], "cat")
    y = b.add(Reshape((1, 192)), [y], "flat")
    y = b.layer(FullyConnected(), y, 4, 1, "third")
    graph = normalize(b.finish([b.add(Softmax(), [y], "p")]))
    expected, seen = expected_statistics(graph, (-3.0, 3.0)), observe(graph, [b.samples])
    for node in graph.nodes:
        if node.kind in ("Conv2D", "Concat", "HardSwish", "Mul", "FullyConnected"):
            mine, real = (o.statistics[node.outputs[0]].channels for o in (expected, seen))
            assert mine is not None and real is not None
            np.testing.assert_allclose(mine.mean, real.mean, atol=0.3, err_msg=node.name)
    assert expected.statistics[graph.outputs[0]].minmax.range == (0.0, pytest.approx(1.0, abs=0.5))
    logits = next(node.inputs[0] for node in graph.nodes if node.kind == "Softmax")
    assert expected.statistics[logits].histogram is None


def test_refusals_name_the_node() -> None:
    b = GraphBuilder("plain")
    x = b.input("x", TensorType((1, 4, 4, 3)))
    y = b.add(
        Conv2D(), [x, b.const(np.ones((2, 1, 1, 3), np.float32), "w"), b.const(np.zeros(2, np.float32), "b")], "conv"
    )
    with pytest.raises(OctavoError, match="has no batch-norm statistics: calibrate with data"):
        expected_statistics(b.finish([y]))
    t, y = single()
    y = t.add(Reshape((1, 32, 3)), [y], "odd", "layer.odd")
    y = t.add(Square(), [y], "square")
    y = t.add(Add(), [y, t.single(np.ones((1, 32, 3)), "image")], "sum", "layer.sum")
    with pytest.raises(OctavoError, match="cannot be told without data") as caught:
        expected_statistics(normalize(t.finish([y])), (-3.0, 3.0))
    assert caught.value.where == "layer.sum"
    u = Trained((4, 4, 3))
    first = u.layer(Conv2D(), u.x, 4, 1, "bare", norm=False)
    second = u.layer(Conv2D(), u.add(HardSwish(), [first], "act"), 4, 1, "normed")
    with pytest.raises(OctavoError, match="Give input_range"):
        expected_statistics(normalize(u.finish([second])))


def test_moments_survive_equalization_store_and_pickling(tmp_path: Path) -> None:
    graph, data = inverted_residual()
    even = equalize(graph)
    assert even.links > 1
    seen = observe(even.graph, [data]).statistics
    expected = expected_statistics(even.graph, (-4.0, 4.0)).statistics
    for node in even.graph.nodes:
        mine, real = expected[node.outputs[0]].channels, seen[node.outputs[0]].channels
        assert mine is not None and real is not None
        np.testing.assert_allclose(mine.mean, real.mean, atol=0.06 * np.sqrt(real.square.max()), err_msg=node.name)
    _same_moments(pickle.loads(pickle.dumps(graph)), graph)
    quantized = quantize_observed(graph, expected_statistics(graph, (-4.0, 4.0)), Scheme(find_format("affine")))
    for name, content in write_quantized(quantized).items():
        (tmp_path / name).write_bytes(content)
    _same_moments(read_quantized(tmp_path).graph, graph)


def _same_moments(one: Graph, other: Graph) -> None:
    assert one.moments and one.moments.keys() == other.moments.keys()
    for name, pair in one.moments.items():
        np.testing.assert_array_equal(pair, other.moments[name])


def test_relu6_and_residual_bounds() -> None:
    b, y = single()
    six = b.layer(Conv2D(), y, 6, 1, "second", RELU6)
    graph = normalize(b.finish([b.add(Add(), [y, six], "sum")]))
    found = expected_statistics(graph, (-3.0, 3.0)).statistics
    parts = [found[value].channels for value in graph.nodes[-1].inputs]
    total = found[graph.outputs[0]].channels
    assert total is not None and parts[0] is not None and parts[1] is not None
    np.testing.assert_allclose(total.mean, parts[0].mean + parts[1].mean)
    np.testing.assert_allclose(total.variance, parts[0].variance + parts[1].variance)
    assert (total.low >= 0).all() and (parts[1].high <= 6).all()
