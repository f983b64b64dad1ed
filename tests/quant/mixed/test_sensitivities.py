"""Sensitivities against their definition, worked out by hand, and against the noise of whole quantized networks."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.num.formats import FORMATS, WeightFormat, find_format
from octavo.num.options import find_options
from octavo.ops import Add, Clip, Conv2D, FullyConnected, MaxPool2D, Mean, ResizeBilinear, Softmax
from octavo.quant.mixed import (
    Budget,
    Costs,
    Sensitivities,
    evaluate,
    layer_costs,
    mixed_scheme,
    pareto,
    sensitivities,
)  # fmt: skip
from octavo.quant.observe import Observation, observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.ranges.weights import weight_qparams
from octavo.quant.regions import followed
from octavo.quant.rounding import LeastSquares, least_squares_rounding
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run
from octavo.targets import COSTS

NAMES = ("int8", "16x8", "int4")
OPTIONS = find_options(NAMES, find_format("affine"), tuple(FORMATS))
SCHEME = Scheme(ranges="minmax")


def residual(softmax: bool = True) -> Graph:
    """Two convolutions with a sum around the second, a pool, a resize, and a classifier."""
    rng, b = np.random.default_rng(0), GraphBuilder("residual")

    def parameters(*shape: int) -> list[str]:
        weights = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) / 2)
        return [
            b.const(weights.astype(np.float32), "w"),
            b.const(rng.normal(size=shape[0]).astype(np.float32) / 4, "b"),
        ]

    x = b.input("x", TensorType((1, 8, 8, 3)))
    padding = (1, 1, 1, 1)
    a = b.add(Conv2D((1, 1), padding, activation=Clip(0.0)), [x, *parameters(8, 3, 3, 3)], "first")
    y = b.add(Conv2D((1, 1), padding, activation=Clip(0.0)), [a, *parameters(8, 3, 3, 8)], "second")
    y = b.add(MaxPool2D((2, 2), (2, 2)), [b.add(Add(), [y, a], "sum")], "pool")
    y = b.add(Mean((1, 2)), [b.add(ResizeBilinear((8, 8), False, True), [y], "resize")], "mean")
    y = b.add(FullyConnected(), [y, *parameters(6, 8)], "head")
    return b.finish([b.add(Softmax(), [y], "softmax") if softmax else y])


def data(count: int = 64) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 8, 8, 3)).astype(np.float32)


def measured(graph: Graph, rounded: dict[str, Quantized] | None = None) -> tuple[Sensitivities, Observation]:
    seen = observe(align(graph), [data()])
    return sensitivities(align(graph), {"x": data()}, OPTIONS, SCHEME, seen, rounded, samples=64), seen


def test_a_layer_by_hand() -> None:
    b, rng = GraphBuilder("one"), np.random.default_rng(0)
    w, bias = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    x = rng.normal(size=(40, 4)).astype(np.float32)
    inputs = [b.input("x", TensorType((1, 4))), b.const(w, "w"), b.const(bias, "b")]
    graph = b.finish([b.add(FullyConnected(), inputs, "fc")])
    seen = observe(graph, [x])
    found = sensitivities(graph, {"x": x}, OPTIONS, SCHEME, seen, samples=40)
    y = x @ w.T + bias
    coarse = weight_qparams(w, WeightFormat(bits=4), 0)
    weights = np.sum((x @ (coarse.dequantize(coarse.quantize(w)) - w).T) ** 2) / np.sum(y**2)
    encoding = quantize_observed(graph, seen, SCHEME).plan.qparams[graph.outputs[0]]
    rounding = np.sum((encoding.dequantize(encoding.quantize(y)) - y) ** 2) / np.sum(y**2)
    assert found.noise["fc"]["int4"] == pytest.approx(weights + rounding, rel=1e-3)
    assert found.values[-1].narrowing == pytest.approx(rounding, rel=1e-3)
    assert found.noise["fc"]["16x8"] < found.noise["fc"]["int8"] < found.noise["fc"]["int4"]
    assert found.constant > 0 and found.samples == 40 and found.watched == graph.outputs


def test_what_moves_values_adds_no_noise_and_what_has_no_int16_form_no_choice() -> None:
    found, _ = measured(residual())
    assert dict(found.noise["pool"]) == {"int8": 0.0, "int16": 0.0}
    assert set(found.noise["resize"]) == {"int8"}
    assert found.linear == {"first", "second", "head"}
    assert found.watched == ("head",) and dict(found.noise["softmax"]) == {"int8": 0.0, "int16": 0.0}


def test_the_sum_predicts_the_noise_of_the_whole() -> None:
    """Every point of the front, quantized and simulated: within 1.5 dB of what was expected."""
    graph = residual(softmax=False)
    found, seen = measured(graph)
    front = pareto(found, layer_costs(align(graph), found, "bytes", COSTS), 9)
    assert len(front) > 4
    reference = float_run(graph, {"x": data()})["head"].numpy()
    for entry in front:
        scheme = mixed_scheme(entry, SCHEME)
        joined = align(align(graph), scheme.wide)
        got = simulate(quantize_observed(joined, followed(seen, joined), scheme), {"x": data()})["head"].numpy()
        noise = np.sum((got - reference) ** 2) / np.sum(reference**2)
        assert 10 * np.log10(noise) == pytest.approx(entry.noise_db, abs=1.5)


def test_learned_weights_take_the_place_of_the_nearest() -> None:
    graph, seen = residual(), observe(residual(), [data()])
    coarse = Scheme(find_format("int4"), ranges="minmax")
    rounded = least_squares_rounding(quantize_observed(graph, seen, coarse), data(), LeastSquares())
    plain, learned = measured(graph)[0], measured(graph, {"int4": rounded})[0]
    assert learned.noise["second"]["int4"] < plain.noise["second"]["int4"]
    assert learned.noise["second"]["int8"] == plain.noise["second"]["int8"]


def test_a_network_of_zeros_is_refused() -> None:
    b = GraphBuilder("dead")
    graph = b.finish([b.add(Clip(0.0, 0.0), [b.input("x", TensorType((1, 4)))], "zero")])
    x = np.ones((4, 4), np.float32)
    with pytest.raises(OctavoError, match="nothing but zeros"):
        sensitivities(graph, {"x": x}, OPTIONS, SCHEME, observe(graph, [x]))


def test_memory_bounds_the_samples() -> None:
    graph, seen = residual(), observe(residual(), [data()])
    found = sensitivities(graph, {"x": data()}, OPTIONS, SCHEME, seen, max_bytes=40_000)
    assert 1 <= found.samples < 8


def costs(kind: str) -> Costs:
    found, _ = measured(residual())
    return layer_costs(residual(), found, kind, COSTS)


def test_costs_by_hand() -> None:
    second = costs("bytes").choices["second"]
    assert dict(second) == {"int8": 576 + 8 * 12, "16x8": 576 + 8 * 16, "int4": 288 + 8 * 12}
    assert costs("bytes").choices["pool"]["int8"] == 0 and costs("bytes").changes["first"] == 32
    macs = 8 * 8 * 8 * 72
    assert dict(costs("mac-bits").choices["second"]) == {"int8": macs * 64, "16x8": macs * 128, "int4": macs * 32}
    latency = costs("latency")
    assert latency.choices["second"]["16x8"] == pytest.approx(1.6 * macs)
    assert latency.choices["sum"]["int16"] == pytest.approx(1.6 * 512)
    assert latency.changes["first"] == 512 * COSTS["requantize"]


def test_the_cost_of_changes() -> None:
    """int16 in the second layer alone: the first layer's output is converted for it, and its own output for the sum."""
    found, _ = measured(residual())
    bytes_ = layer_costs(residual(), found, "bytes", COSTS)
    narrow = {node: "int8" for node in found.noise}
    (before, quiet), (after, _) = evaluate(found, bytes_, narrow), evaluate(found, bytes_, narrow | {"second": "16x8"})
    assert after - before == 8 * 4 + 2 * 32
    assert quiet == pytest.approx(found.constant + sum(choices["int8"] for choices in found.noise.values()))


def test_unknown_kinds_and_amounts() -> None:
    with pytest.raises(OctavoError, match="bytes, mac-bits, latency"):
        costs("watts")
    with pytest.raises(OctavoError, match="Use one of bytes"):
        Budget("watts", 3)
    with pytest.raises(OctavoError, match="not positive"):
        Budget("bytes", 0)
