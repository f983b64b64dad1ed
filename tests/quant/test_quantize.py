"""Placement, calibration and encodings."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from octavo.analysis.compare import compare
from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.lower.lower import lower
from octavo.num.formats import WeightFormat, find_format
from octavo.num.qparams import QParams
from octavo.num.statistics import MinMax, MovingAverage
from octavo.ops import Add, Clip, Concat, Conv2D, Exp, FullyConnected, MaxPool2D, Reshape, Sigmoid, Softmax, Tanh
from octavo.quant.observe import observe
from octavo.quant.place import align, place
from octavo.quant.quantize import Scheme, activation_qparams, quantize_graph
from octavo.quant.ranges.weights import weight_qparams


def joined() -> Graph:
    """sigmoid and tanh, whose encodings are fixed and differ, and the input, all concatenated."""
    b = GraphBuilder("joined")
    x = b.input("x", TensorType((1, 4, 4, 2)))
    parts = [b.add(Sigmoid(), [x], "s"), b.add(Tanh(), [x], "t"), b.add(MaxPool2D((1, 1), (1, 1)), [x], "m")]
    return b.finish([b.add(Concat(3), parts, "cat", "head.cat")])


def test_fixed_encodings_in_conflict_get_a_requantize() -> None:
    graph = align(joined())
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("Requantize") == 2
    placement = place(graph)
    assert placement.groups["x"] == placement.groups["m"] == placement.groups["cat"]
    assert len({placement.groups[value] for value in ("s", "t", "cat")}) == 3


def test_a_fixed_encoding_clips_nothing_that_it_is_joined_with() -> None:
    """A sigmoid's [0, 1) must not become the encoding of values up to 3."""
    data = np.random.default_rng(0).normal(size=(64, 4, 4, 2)).astype(np.float32)
    assert compare(joined(), quantize_graph(joined(), [data]), data).outputs[0].sqnr_db > 33


def test_shared_groups_have_one_encoding() -> None:
    data = np.random.default_rng(0).normal(size=(8, 4, 4, 2)).astype(np.float32)
    q = quantize_graph(joined(), [data]).plan.qparams
    assert q["x"] == q["m"] == q["cat"]
    assert float(q["s"].scale[0]) == 1 / 256 and float(q["t"].scale[0]) == 1 / 128


@pytest.mark.parametrize("low,high", [(0.0, 6.0), (-1.0, 3.0), (2.0, 5.0), (-7.0, -1.0), (-1e-3, 1e3)])
def test_activation_encoding_holds_zero_and_the_range(low: float, high: float) -> None:
    q = activation_qparams(low, high)
    assert float(q.dequantize(q.quantize(np.array([0.0])))[0]) == 0.0
    ends = np.array([low, high])
    assert np.abs(q.dequantize(q.quantize(ends)) - ends).max() <= float(q.scale[0]) / 2 * (1 + 1e-5) + 1e-12


def test_dead_activation_and_zero_channel_are_safe() -> None:
    assert float(activation_qparams(0.0, 0.0).scale[0]) == 1.0
    weights = np.array([[0.0, 0.0], [2.0, -1.0]], np.float32)
    q = weight_qparams(weights, WeightFormat(), 0)
    assert q.scale[0] == q.scale[1] and np.abs(q.quantize(weights)).max() == 127


def vanishing() -> tuple[Graph, np.ndarray]:
    """A layer with a channel of tiny weights and a large bias, as in dead channels of trained networks."""
    b = GraphBuilder("vanishing")
    x = b.input("x", TensorType((1, 4)))
    w = np.array([[1e-20, 1e-20, 0, 0], [1, -1, 0.5, 0.2]], np.float32)
    y = b.add(FullyConnected(), [x, b.const(w, "w"), b.const(np.array([3.0, -1.0]), "b")], "fc", "fc")
    return b.finish([y]), np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)


def test_bias_of_a_vanishing_channel_fits() -> None:

    graph, data = vanishing()
    assert compare(graph, quantize_graph(graph, [data]), data).outputs[0].sqnr_db > 35


def test_calibration_is_independent_of_batching() -> None:
    graph = joined()
    data = np.random.default_rng(0).normal(size=(30, 4, 4, 2)).astype(np.float32)
    for method in ("minmax", "moving-average"):
        whole = observe(graph, [data]).ranges(method)
        parts = observe(graph, [data[i : i + 7] for i in range(0, 30, 7)]).ranges(method)
        for name, pair in whole.items():
            np.testing.assert_allclose(pair, parts[name], rtol=1e-12)


def test_moving_average_is_narrower_and_merges() -> None:
    import torch

    data = torch.randn(64, 50, generator=torch.Generator().manual_seed(0))
    average, full = MovingAverage().update(data), MinMax().update(data)
    assert full.low < average.low < average.high < full.high
    windows = data.reshape(4, 16 * 50)
    expected = windows.amin(1).mean(), windows.amax(1).mean()
    np.testing.assert_allclose(average.range, [float(v) for v in expected], rtol=1e-6)
    assert MinMax().update(data[:10]).merge(MinMax().update(data[10:])) == full
    halves = MovingAverage().update(data[:32]).merge(MovingAverage().update(data[32:]))
    np.testing.assert_allclose(halves.range, average.range, rtol=1e-12)
    few = MovingAverage().update(data[:5])
    assert few.range == MinMax().update(data[:5]).range


def test_cross_entropy_sees_the_logits_before_a_final_softmax() -> None:
    """One logit is an outlier that no answer depends on: the clip may leave it out, and mse may not."""
    b = GraphBuilder("classifier")
    x = b.input("x", TensorType((1, 1, 1, 10)))
    flat = b.add(Reshape((1, 10)), [x], "flat")
    graph = b.finish([b.add(Softmax(), [flat], "answer")])
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, 1, 1, 10)).astype(np.float32)
    data[np.arange(300), 0, 0, rng.integers(0, 10, 300)] += 12
    data[0, 0, 0, 0] = -90
    seen = observe(graph, [data])
    found, plain = seen.ranges("cross-entropy"), seen.ranges("mse")
    assert found["x"] == found["flat"] != plain["flat"] and found["flat"][0] > -90
    assert found["answer"] == plain["answer"]


def test_memory_does_not_grow_with_the_number_of_batches() -> None:
    graph = joined()
    rng = np.random.default_rng(0)

    def peak(batches: int) -> int:
        tracemalloc.start()
        observe(graph, (rng.normal(size=(2000, 4, 4, 2)).astype(np.float32) for _ in range(batches)))
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    one_batch = 2000 * 4 * 4 * 2 * 8
    assert peak(40) < peak(4) + one_batch


def test_bad_calibration_is_refused() -> None:
    graph = joined()
    good = np.zeros((1, 4, 4, 2), np.float32)
    for data, word in (
        ([], "no samples"),
        ([np.zeros((1, 4, 4, 3), np.float32)], r"\[1, 4, 4, 3\]"),
        ([np.full((1, 4, 4, 2), np.nan, np.float32)], "NaN"),
        ([{"y": good}], "missing"),
        ([np.array([[["a"]]])], "shape"),
    ):
        with pytest.raises(OctavoError, match=word):
            quantize_graph(graph, data)
    with pytest.raises(OctavoError, match="minmax"):
        quantize_graph(graph, [good], Scheme(ranges="nothing"))


def test_a_value_that_overflows_names_its_node() -> None:
    b = GraphBuilder("overflow")
    x = b.input("x", TensorType((1, 4)))
    graph = b.finish([b.add(Exp(), [x], "e", "head.exp")])
    with pytest.raises(OctavoError, match="head.exp"):
        quantize_graph(graph, [np.full((2, 4), 1000.0, np.float32)])


def test_a_plan_is_refused_for_a_changed_graph() -> None:
    graph, data = vanishing()
    quantized = quantize_graph(graph, [data])
    changed = graph.with_(consts={**graph.consts, "w": graph.consts["w"] * 2})
    with pytest.raises(OctavoError, match="another graph"):
        Quantized(changed, quantized.plan)
    with pytest.raises(OctavoError, match="no encoding"):
        Quantized(graph, make_plan(graph, {}))


def test_fused_relu_needs_no_clipping_and_conv_weights_are_per_channel() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("net")
    x = b.input("x", TensorType((1, 5, 5, 2)))
    w = b.const(rng.normal(size=(3, 3, 3, 2)), "w")
    y = b.add(Conv2D(activation=Clip(0.0)), [x, w, b.const(rng.normal(size=3), "b")], "c")
    graph = b.finish([b.add(Add(), [y, y], "a")])
    data = rng.normal(size=(8, 5, 5, 2)).astype(np.float32)
    quantized = quantize_graph(graph, [data])
    assert quantized.plan.qparams["w"].scale.shape == (3,)
    assert int(quantized.plan.qparams["c"].zero_point[0]) == -128
    tensorwise = quantize_graph(graph, [data], Scheme(find_format("affine").with_weights("per-tensor")))
    assert tensorwise.plan.qparams["w"].scale.shape == (1,)
    for q in (quantized, tensorwise):
        op = lower(q).graph.nodes[0].op
        assert (op.act_min, op.act_max) == (-128, 127)  # type: ignore[attr-defined]


def test_encodings_refuse_nonsense() -> None:
    for scale, zero_point in ((0.0, 0), (-1.0, 0), (np.nan, 0), (1.0, 128)):
        with pytest.raises(OctavoError):
            QParams("int8", np.array([scale], np.float32), np.array([zero_point]))


def test_an_accumulator_that_leaves_32_bits_is_refused_by_name() -> None:
    b = GraphBuilder("wide")
    x = b.input("x", TensorType((1, 70_000)))
    w = b.const(np.ones((1, 70_000), np.float32), "w")
    graph = b.finish([b.add(FullyConnected(), [x, w, b.const(np.zeros(1), "b")], "fc", "head.wide")])
    with pytest.raises(OctavoError, match=r"head\.wide.*32 bits"):
        lower(quantize_graph(graph, [np.ones((1, 70_000), np.float32)]))


def test_an_output_that_is_all_but_constant_is_refused_by_name() -> None:
    b = GraphBuilder("narrow")
    x = b.input("x", TensorType((1, 4)))
    w = b.const(np.array([[1, -1, 1, -1]], np.float32), "w")
    graph = b.finish([b.add(FullyConnected(), [x, w, b.const(np.zeros(1), "b")], "fc", "head.narrow")])
    data = np.full((4, 4), 100, np.float32)
    data[0, 0] += 1e-5
    with pytest.raises(OctavoError, match=r"head\.narrow"):
        lower(quantize_graph(graph, [data]))
