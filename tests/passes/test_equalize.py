"""Equalization in all its forms is exact in float, and does what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.analysis.compare import compare
from octavo.formats.tflite import write_tflite
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.lower.lower import lower
from octavo.num.formats import find_format
from octavo.ops import (
    Add,
    AveragePool2D,
    Clip,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LeakyRelu,
    MaxPool2D,
    Mean,
    Minimum,
    Prelu,
    Reshape,
    Sigmoid,
)
from octavo.passes.balance import balance
from octavo.passes.equalize import equalize
from octavo.passes.links import by_channel, find_links
from octavo.passes.proof import prove
from octavo.passes.snap import snap
from octavo.quant.observe import observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run

CLIPS = {"none": Clip(), "relu": Clip(0.0), "relu6": Clip(0.0, 6.0), "one": Clip(-1.0, 1.0), "minus": Clip(-2.0)}
SIZE = 8


class Chain:
    """Builds a network layer by layer with badly scaled channels."""

    def __init__(self, seed: int, channels: int = 4) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder("chain")
        self.value = self.b.input("x", TensorType((1, SIZE, SIZE, channels)))
        self.channels, self.count = channels, 0

    def _parameters(self, shape: tuple[int, ...], axis: int) -> list[str]:
        self.count += 1
        spread = [1] * len(shape)
        spread[axis] = shape[axis]
        scale = np.exp(self.rng.normal(0, 1.5, shape[axis])).reshape(spread)
        w = (self.rng.normal(size=shape) * scale / np.sqrt(np.prod(shape) / shape[axis])).astype(np.float32)
        bias = (0.3 * self.rng.normal(size=shape[axis]) * scale.reshape(-1)).astype(np.float32)
        return [self.b.const(w, f"w{self.count}"), self.b.const(bias, f"b{self.count}")]

    def add(self, op: object, *more: str) -> str:
        self.count += 1
        self.value = self.b.add(op, [self.value, *more], f"n{self.count}", f"layer{self.count}")  # type: ignore[arg-type]
        return self.value

    def conv(self, out: int, clip: str = "relu", groups: int = 1, kernel: int = 1) -> str:
        pad = kernel // 2
        shape = (out, kernel, kernel, self.channels // groups)
        op = Conv2D(padding=(pad,) * 4, groups=groups, activation=CLIPS[clip])  # type: ignore[arg-type]
        self.channels = out
        return self.add(op, *self._parameters(shape, 0))

    def depthwise(self, multiplier: int = 1, clip: str = "relu6") -> str:
        self.channels *= multiplier
        op = DepthwiseConv2D(padding=(1, 1, 1, 1), activation=CLIPS[clip])
        return self.add(op, *self._parameters((1, 3, 3, self.channels), 3))

    def connected(self, out: int) -> str:
        value = self.add(FullyConnected(), *self._parameters((out, self.channels), 0))
        self.channels = out
        return value

    def finish(self) -> Graph:
        return verify(self.b.finish([self.value]))


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    c = Chain(draw(st.integers(0, 10**6)))
    c.conv(draw(st.sampled_from([4, 6])), draw(st.sampled_from(sorted(CLIPS))), kernel=3)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "grouped", "depthwise", "leaky", "prelu", "pool", "clip"]))
        clip = draw(st.sampled_from(sorted(CLIPS)))
        if kind == "conv":
            c.conv(draw(st.sampled_from([3, 4, 8])), clip)
        elif kind == "grouped" and c.channels % 2 == 0:
            c.conv(2 * c.channels, clip, groups=2, kernel=3)
        elif kind == "depthwise":
            c.depthwise(draw(st.integers(1, 2)), clip)
        elif kind == "leaky":
            c.add(LeakyRelu(0.1))
        elif kind == "prelu":
            c.add(Prelu(), c.b.const(c.rng.uniform(-0.5, 0.5, c.channels).astype(np.float32), f"alpha{c.count}"))
        elif kind == "pool":
            c.add(draw(st.sampled_from([MaxPool2D((2, 2), (1, 1)), AveragePool2D((2, 2), (1, 1))])))
        elif kind == "clip":
            c.add(Clip(-0.5, 2.0))
    if draw(st.booleans()):
        c.add(Mean((1, 2), False))
        c.add(Reshape((1, c.channels)))
        c.connected(5)
    return c.finish()


def moments(graph: Graph):  # type: ignore[no-untyped-def]
    seen = observe(align(graph), [data(32)])
    return {name: entry.channels for name, entry in seen.statistics.items()}


def data(count: int, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, SIZE, SIZE, channels)).astype(np.float32)


@given(chains())
@settings(max_examples=25, deadline=None)
def test_every_form_is_exact_in_float(graph: Graph) -> None:
    for found in (equalize(graph), balance(graph, moments(graph), symmetric=True)):
        prove(graph, verify(found.graph))
        unlinked = [why for _, why in found.left if "dead" not in why]
        assert found.links + len(unlinked) == sum(
            isinstance(n.op, Conv2D | DepthwiseConv2D | FullyConnected) for n in graph.nodes
        )
    ranges = observe(align(graph), [data(8)]).ranges("minmax")
    prove(graph, verify(snap(graph, {name: max(-low, high) / 127 for name, (low, high) in ranges.items()}).graph))


def test_ranges_of_linked_weights_become_equal() -> None:
    c = Chain(3)
    c.conv(6, "relu6")
    c.depthwise()
    c.conv(5, "none")
    graph = equalize(c.finish()).graph
    links, _ = find_links(graph)
    assert len(links) == 2
    for link in links:
        first, second = by_channel(graph, link.first, np.max).max(1), by_channel(graph, link.second, np.max).max(0)
        np.testing.assert_allclose(first, second, rtol=5e-3)


def test_relu6_becomes_a_minimum_with_a_number_per_channel() -> None:
    c = Chain(4)
    c.conv(6, "relu6")
    c.conv(5, "none")
    graph = equalize(c.finish()).graph
    (clamp,) = (node for node in graph.nodes if isinstance(node.op, Minimum))
    assert graph.consts[clamp.inputs[1]].shape == (1, 1, 1, 6)
    assert graph.nodes[0].op.activation == Clip(0.0)  # type: ignore[attr-defined]


def test_branches_outputs_shared_weights_and_sigmoids_are_left_alone_with_the_reason() -> None:
    c = Chain(5)
    first = c.conv(4, "relu")
    c.conv(4, "none")
    c.value = c.b.add(Add(), [first, c.value], "sum", "sum")
    c.conv(4, "none")
    c.add(Sigmoid())
    c.conv(2, "none")
    found = equalize(c.finish())
    reasons = " / ".join(why for _, why in found.left)
    assert found.links == 0 and found.graph is not None
    assert "read by 2" in reasons and "Add" in reasons and "Sigmoid" in reasons and "output of the network" in reasons


def test_dead_channels_keep_their_scale() -> None:
    c = Chain(6)
    c.conv(4, "relu")
    c.conv(3, "none")
    graph = c.finish()
    w = graph.consts["w1"].copy()
    w[1] = 0
    graph = graph.with_(consts={**graph.consts, "w1": w})
    after = equalize(graph).graph
    prove(graph, after)
    np.testing.assert_array_equal(after.consts["w1"][1], 0)
    np.testing.assert_allclose(after.consts["w3"][..., 1], graph.consts["w3"][..., 1])


def badly_scaled() -> Graph:
    c = Chain(8)
    c.conv(8, "relu6", kernel=3)
    c.depthwise()
    c.conv(8, "none")
    return c.finish()


def test_balance_beats_nothing_and_weight_ranges_per_tensor() -> None:
    graph, images = badly_scaled(), data(64)
    scheme = Scheme(find_format("affine").with_weights("per-tensor"), "mse", "mse")

    def sqnr(variant: Graph) -> float:
        return compare(graph, quantize_graph(variant, [images], scheme), data(128)[64:]).outputs[0].sqnr_db

    plain, weights, balanced = (sqnr(v) for v in (graph, equalize(graph).graph, balance(graph, moments(graph)).graph))
    assert balanced > plain + 3, (plain, weights, balanced)
    assert balanced > weights - 0.5, (plain, weights, balanced)


@pytest.mark.parametrize("format", ["affine", "power-of-two", "int4", "log2"])
def test_an_equalized_network_gives_the_interpreters_integers(format: str) -> None:
    pytest.importorskip("tflite_micro")
    from tests.oracles.tflm import run_tflm

    graph = equalize(badly_scaled()).graph
    quantized = quantize_graph(graph, [data(16)], Scheme(find_format(format)))
    model = lower(quantized)
    x = np.random.default_rng(0).integers(-128, 128, (4, SIZE, SIZE, 4)).astype(np.int8)
    ours = integer_run(model.graph, {"x": x})[model.graph.outputs[0]].numpy()
    (theirs,) = run_tflm(write_tflite(quantized), [x])
    np.testing.assert_array_equal(ours.reshape(4, -1), theirs.reshape(4, -1))
