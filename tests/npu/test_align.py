"""Aligned channels: the same function, the multiple everywhere it can be; dead channels and what trimming costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from machines import machine

from octavo import api
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.npu import align, check
from octavo.npu.align import _strengths, channel_report, trimmed_cycles
from octavo.npu.channels import channel_sets
from octavo.ops import (
    Add,
    AveragePool2D,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Mul,
    Prelu,
    Reshape,
    Rsqrt,
    Sigmoid,
    Softmax,
)
from octavo.passes.proof import difference
from octavo.targets import Limits
from tests.oracles.data import data_path

SUPPORT = machine({"Conv2D": Limits()})
MULTIPLE = 8  # of 4 inputs and 8 outputs
RELU = Clip(0.0)


class Net(GraphBuilder):
    """A builder with random layers."""

    def __init__(self) -> None:
        super().__init__("net")
        self.rng = np.random.default_rng(0)

    def random(self, *shape: int) -> str:
        return self.const(self.rng.normal(size=shape).astype(np.float32), "c")

    def conv(self, x: str, out: int, kernel: int = 3, **fields: Any) -> str:
        pad = (kernel // 2,) * 4
        weights = self.random(out, kernel, kernel, self.type(x).shape[3] // fields.get("groups", 1))
        return self.add(Conv2D(padding=pad, **fields), [x, weights, self.random(out)], "conv")

    def depthwise(self, x: str, times: int = 1) -> str:
        out = self.type(x).shape[3] * times
        op = DepthwiseConv2D(padding=(1, 1, 1, 1), activation=RELU)
        return self.add(op, [x, self.random(1, 3, 3, out), self.random(out)], "depthwise")

    def linear(self, x: str, out: int) -> str:
        return self.add(FullyConnected(), [x, self.random(out, self.type(x).shape[-1]), self.random(out)], "fc")


def network() -> Graph:
    """A residual block with squeeze and excite, a depthwise layer, a flattened image, constants by channel."""
    net = Net()
    x = net.input("x", TensorType((1, 6, 6, 3)))
    a = net.conv(x, 5, activation=RELU)
    b = net.add(Add(), [net.conv(net.depthwise(a), 5), a], "sum")
    mean = net.add(Mean((1, 2), keepdims=True), [b], "mean")
    gate = net.add(Sigmoid(), [net.conv(net.conv(mean, 3, 1), 5, 1)], "gate")
    c = net.add(Mul(), [b, gate], "scaled")
    c = net.add(Add(), [c, net.random(1, 1, 1, 5)], "shifted")
    c = net.add(Prelu(), [c, net.random(5)], "prelu")
    c = net.add(AveragePool2D((3, 3), (3, 3)), [c], "pool")
    flat = net.add(Reshape((1, 20)), [c], "flat")
    return net.finish([net.linear(net.add(Sigmoid(), [flat], "s"), 7)])


def test_padding_changes_no_output() -> None:
    graph = network()
    aligned = align(graph, SUPPORT)
    assert max(difference(graph, aligned.graph, seed=5).values()) < 1e-6
    shapes = {node.name: aligned.graph.types[node.outputs[0]].shape[-1] for node in aligned.graph.nodes}
    wide = [name for name, channels in shapes.items() if channels % MULTIPLE]
    assert wide == ["fc"], "all but the network's output are multiples"
    assert sorted(aligned.added.values()) == [3, 5] and shapes["flat"] == 4 * 8
    assert align(aligned.graph, SUPPORT).added == {}


HELD = {
    "concat": lambda net, x: net.add(Concat(3), [x, x], "c"),
    "softmax": lambda net, x: net.add(Softmax(), [x], "c"),
    "groups": lambda net, x: net.conv(x, 6, groups=3),
    "two outputs a channel": lambda net, x: net.depthwise(x, 2),
    "mean over channels": lambda net, x: net.add(Mean((3,), keepdims=True), [x], "c"),
    "a function without a value at 0": lambda net, x: net.add(Rsqrt(), [x], "c"),
    "other pixels as channels": lambda net, x: net.add(Reshape((1, 1, 18, 12)), [x], "c"),
}


@pytest.mark.parametrize("name", HELD)
def test_what_holds_channels(name: str) -> None:
    net = Net()
    x = net.input("x", TensorType((1, 6, 6, 4)))
    graph = net.finish([net.conv(HELD[name](net, net.conv(x, 6)), 8)])
    assert align(graph, SUPPORT).graph is graph
    first = channel_sets(graph)[0]
    assert first.held and first.held != "the network's output"


def chain(silent: list[int], deaf: list[int], bias: float = 0.0, activation: Clip = RELU) -> Graph:
    """Two convolutions with 10 channels between them; some nobody writes (but their bias), some nobody reads."""
    net, rng = Net(), np.random.default_rng(1)
    x = net.input("x", TensorType((1, 4, 4, 4)))
    first, second = rng.normal(size=(10, 1, 1, 4)), rng.normal(size=(8, 1, 1, 10))
    offset = rng.normal(size=10)
    first[silent], offset[silent], second[..., deaf] = 0, bias, 0
    y = net.add(Conv2D(activation=activation), [x, net.const(first, "w"), net.const(offset, "b")], "first", "first")
    return net.finish([net.add(Conv2D(), [y, net.const(second, "w2"), net.random(8)], "second")])


def test_dead_channels_and_what_trimming_saves() -> None:
    (row,) = channel_report(chain([1], [4, 7], -0.5), SUPPORT)
    assert (row.source, row.channels, row.padded, row.trim, row.dead) == ("first", 10, 16, 2, 3)
    assert row.share == 0.0, "two of the three dead ones cost nothing"
    # 16 places: the first needs 1 pass of 8 outputs in place of 2, the second 2 of 4 inputs in place of 3.
    assert row.saved_cycles == 16 * (2 - 1) + 16 * (3 - 2)
    (row,) = channel_report(chain([1], [], -0.5), SUPPORT)
    assert row.dead == 1 and 0 < row.share < 0.1


@pytest.mark.parametrize(("bias", "activation"), [(0.5, RELU), (-0.5, Clip())])
def test_a_constant_that_is_not_zero_is_not_dead(bias: float, activation: Clip) -> None:
    (row,) = channel_report(chain([1], [], bias, activation), SUPPORT)
    assert (row.dead, row.constant) == (0, 1)


def test_many_dead_channels_leave_the_next_multiple() -> None:
    (row,) = channel_report(chain([1, 2], [0, 7, 9], -0.5), SUPPORT)
    # 5 of 10 are alive: 8 are kept. Weights far below float32's rounding are none.
    assert (row.dead, row.trim, row.share) == (5, 2, 0.0)
    graph = chain([1, 2], [0, 7, 9], -0.5)
    consts = {name: np.where(array == 0, np.float32(1e-30), array) for name, array in graph.consts.items()}
    (row,) = channel_report(graph.with_(consts=consts), SUPPORT)
    assert row.dead == 5


def test_leaving_out_what_is_called_dead_changes_nothing() -> None:
    graph = chain([1], [4, 7], -0.5)
    keep = [c for c in range(10) if c not in (1, 4, 7)]
    net, consts = Net(), list(graph.consts.values())
    x = net.input("x", TensorType((1, 4, 4, 4)))
    y = net.add(Conv2D(activation=RELU), [x, net.const(consts[0][keep], "w"), net.const(consts[1][keep], "b")], "first")
    y = net.add(Conv2D(), [y, net.const(consts[2][..., keep], "w2"), net.const(consts[3], "b2")], "second")
    assert max(difference(graph, net.finish([y])).values()) < 1e-6


def test_trimming_all_sets_at_once() -> None:
    before, after = trimmed_cycles(chain([1], [4, 7], -0.5), SUPPORT)
    # 16 places: 1 by 2 and 3 by 1 passes; with 8 channels in between 1 by 1 and 2 by 1.
    assert (before, after) == (16 * (2 + 3), 16 * (1 + 2))
    graph = align(network(), SUPPORT).graph
    support = machine(dict.fromkeys(("Conv2D", "DepthwiseConv2D", "FullyConnected"), Limits()))
    whole = sum(row.cost.array_cycles or 0 for row in check(graph, support).layers)
    assert trimmed_cycles(graph, support)[0] == whole


def test_the_dead_channels_of_a_real_network_reach_nothing() -> None:
    graph = api.load(data_path("mlperf_tiny/mobilenetv1_vww_float.tflite"))
    assert isinstance(graph, Graph)
    consts, count = dict(graph.consts), 0
    for entry in channel_sets(graph):
        dead = _strengths(graph, entry)[1]
        count += int(dead.sum())
        for node in entry.readers:
            weights = consts[node.inputs[1]].copy()
            weights[..., np.tile(dead, weights.shape[-1] // entry.channels)] = 0
            consts[node.inputs[1]] = weights
    assert count > 500 and max(difference(graph, graph.with_(consts=consts)).values()) < 1e-6
