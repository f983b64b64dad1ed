"""normalize on whole networks: equal outputs, no transposes, nothing left to fold; and on random graphs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import channels_first as nets
import numpy as np
import pytest
from channels_first import RELU, RELU6, Source, applied, kinds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.ops import (
    Add,
    Clip,
    Concat,
    HardSigmoid,
    HardSwish,
    Identity,
    Mean,
    Mul,
    Pad,
    Reshape,
    Sigmoid,
    Silu,
    Slice,
    Sub,
    Tanh,
    Transpose,
)
from octavo.passes import normalize, prove
from octavo.passes.merge import merge

NETWORKS: list[Callable[[], Graph]] = [
    nets.resnet,
    nets.mobilenet_v2,
    lambda: nets.mobilenet_v3(HardSwish(), HardSigmoid()),
    lambda: nets.mobilenet_v3(Silu(), Sigmoid()),
    nets.unet,
    nets.cnn_1d,
    nets.vgg,
    nets.autoencoder,
]


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make().name)
def test_networks(make: Callable[[], Graph]) -> None:
    before = make()
    after = applied(normalize, before)
    left = kinds(after)
    assert not any(left[kind] for kind in ("Transpose", "BatchNorm", "Identity", "Pad", "Sum")), left
    assert after.inputs == before.inputs and after.outputs == before.outputs
    assert {node.source for node in after.nodes} <= {node.source for node in before.nodes}
    assert normalize(after) is after
    normalize(before, prove=True)


def test_every_convolution_of_a_resnet_has_its_activation() -> None:
    assert kinds(normalize(nets.resnet()))["Clip"] == 0


def test_squeeze_and_excite_with_linear_layers() -> None:
    s = Source()
    x = s.squeeze_excite(s.relu(s.norm(s.conv(s.image(3, 8, 8), 6))), Sigmoid())
    after = applied(normalize, s.finish([s.conv(x, 4)]))
    assert kinds(after) == {"Conv2D": 2, "Mean": 1, "FullyConnected": 2, "Sigmoid": 1, "Reshape": 1, "Mul": 1}


def test_a_network_of_the_size_of_efficientnet_lite0_takes_under_two_seconds() -> None:
    s = Source("large")
    x = s.add(RELU6, [s.norm(s.conv(s.image(3, 16, 16), 32, 3, 2))], "a")
    for out in (16, *[24] * 2, *[40] * 2, *[80] * 3, *[112] * 3, *[192] * 4, 320):
        x = s.inverted(x, out, 6, 1, RELU6)
    graph = s.finish([s.linear(s.flatten(s.global_pool(x)), 1000)])
    start = time.perf_counter()
    after = normalize(graph, prove=False)
    assert time.perf_counter() - start < 2.0 and len(graph.nodes) > 250
    assert set(kinds(after)) == {"Conv2D", "DepthwiseConv2D", "Add", "AveragePool2D", "Reshape", "FullyConnected"}


def test_a_wrong_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Source()
    y = s.add(Add(), [s.plain(3), s.values([1, 2, 3], (1, 3))], "y")
    before = s.finish([y])
    wrong = before.with_(consts={name: array + np.float32(1e-3) for name, array in before.consts.items()})
    with pytest.raises(OctavoError, match="must keep it within"):
        prove(before, wrong)
    assert prove(before, before) == 0.0
    monkeypatch.setattr("octavo.passes.pipeline.PIPELINE", ((lambda graph: wrong if graph is before else graph,),))
    assert normalize(before, prove=False) is wrong
    monkeypatch.setenv("OCTAVO_PROVE", "1")
    with pytest.raises(OctavoError):
        normalize(before)


def test_a_check_sees_every_changed_graph() -> None:
    seen: list[str] = []

    def check(graph: Graph, stage: str) -> None:
        verify(graph, stage)
        seen.append(stage)

    normalize(nets.unet(), check)
    assert "layout" in seen and "fold_batch_norm" in seen


STEPS: dict[str, Callable[[Source, str, list[str]], str]] = {
    "conv": lambda s, x, _: s.conv(x, 4),
    "depthwise": lambda s, x, _: s.conv(x, s.type(x).shape[1], groups=s.type(x).shape[1]),
    "norm": lambda s, x, _: s.norm(x),
    "relu": lambda s, x, _: s.relu(x),
    "relu6": lambda s, x, _: s.add(Clip(0.0, 6.0), [x], "y"),
    "tanh": lambda s, x, _: s.add(Tanh(), [x], "y"),
    "identity": lambda s, x, _: s.add(Identity(), [x], "y"),
    "swish": lambda s, x, _: s.add(Mul(), [x, s.add(Sigmoid(), [x], "g")], "y"),
    "scale": lambda s, x, _: s.add(Mul(), [s.random(1, s.type(x).shape[1], 1, 1), x], "y"),
    "shift": lambda s, x, _: s.add(Sub(RELU), [s.random(1, s.type(x).shape[1], 1, 1), x], "y"),
    "offset": lambda s, x, _: s.add(Add(), [x, s.values(0.75)], "y"),
    "residual": lambda s, x, seen: s.add(Add(), [x, _same(s, x, seen)], "y"),
    "concat": lambda s, x, seen: s.add(Concat(1), [x, _same(s, x, seen)], "y"),
    "gate": lambda s, x, _: s.add(Mul(), [x, s.add(Mean((2, 3), keepdims=True), [x], "m")], "y"),
    "swap": lambda s, x, _: s.add(Transpose((0, 1, 3, 2)), [x], "y"),
    "pool": lambda s, x, _: s.max_pool(x, 3, 1, 1),
    "excite": lambda s, x, _: s.squeeze_excite(x, Sigmoid()),
    "half": lambda s, x, _: s.add(Slice((0, 0, 0, 0), (1, -(-s.type(x).shape[1] // 2), 5, 5), (1,) * 4), [x], "y"),
    "pad": lambda s, x, _: s.conv(s.add(Pad((0, 0, 1, 1), (0, 0, 1, 1), 0.0), [x], "p"), 4, padding=0),
    "shuffle": lambda s, x, _: _shuffled(s, s.conv(x, 6, 1)),
    "generate": lambda s, x, _: s.add(Reshape((1, 3, 5, 5)), [s.relu(s.linear(s.flatten(x), 75))], "view"),
    "rows": lambda s, x, _: s.linear(x, 5),
}


def _shuffled(s: Source, x: str) -> str:
    """The channels of two groups interleaved."""
    _, channels, height, width = s.type(x).shape
    split = s.add(Reshape((1, 2, channels // 2, height, width)), [x], "split")
    return s.add(Reshape(s.type(x).shape), [s.add(Transpose((0, 2, 1, 3, 4)), [split], "shuffle")], "joined")


def _same(s: Source, x: str, seen: list[str]) -> str:
    """The earliest value of the same type."""
    return next(value for value in seen if s.type(value) == s.type(x))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_networks(data: Any) -> None:
    s = Source(seed=data.draw(st.integers(0, 100)))
    seen = [s.image(data.draw(st.sampled_from([1, 3])), 5, 5)]
    for name in data.draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=9)):
        source = data.draw(st.sampled_from(seen[-2:]))
        seen.append(STEPS[name](s, source, seen))
    outputs = [seen[-1]]
    if data.draw(st.booleans()):
        outputs.append(s.linear(s.relu(s.flatten(seen[-1])), 3))
    if data.draw(st.booleans()):
        outputs.append(data.draw(st.sampled_from(seen)))
    before = merge(s.finish(list(dict.fromkeys(outputs))))
    after = normalize(before, prove=True)
    prove(before, after)
    assert normalize(after) is after
    assert kinds(after)["BatchNorm"] == 0


SEQUENCE_STEPS: dict[str, Callable[[Source, str, list[str]], str]] = {
    "conv": lambda s, x, _: s.conv_1d(x, 4),
    "padded": lambda s, x, _: s.conv_1d(s.add(Pad((0, 0, 1), (0, 0, 2), 0.0), [x], "p"), 3),
    "norm": lambda s, x, _: s.norm(x),
    "relu": lambda s, x, _: s.relu(x),
    "tanh": lambda s, x, _: s.add(Tanh(), [x], "y"),
    "scale": lambda s, x, _: s.add(Mul(), [x, s.random(1, s.type(x).shape[1], 1)], "y"),
    "residual": lambda s, x, seen: s.add(Add(), [x, _same(s, x, seen)], "y"),
    "concat": lambda s, x, seen: s.add(Concat(1), [x, _same(s, x, seen)], "y"),
    "gate": lambda s, x, _: s.add(Mul(), [s.add(Mean((2,), keepdims=True), [x], "m"), x], "y"),
    "rows": lambda s, x, _: s.add(Transpose((0, 2, 1)), [s.linear(s.add(Transpose((0, 2, 1)), [x], "t"), 4)], "u"),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_sequence_networks(data: Any) -> None:
    s = Source(seed=data.draw(st.integers(0, 100)))
    channels, length = data.draw(st.sampled_from([1, 3])), data.draw(st.sampled_from([1, 7]))
    seen = [s.sequence(channels, length)]
    for name in data.draw(st.lists(st.sampled_from(sorted(SEQUENCE_STEPS)), min_size=1, max_size=9)):
        seen.append(SEQUENCE_STEPS[name](s, data.draw(st.sampled_from(seen[-2:])), seen))
    outputs = [seen[-1], s.linear(s.relu(s.flatten(seen[-1])), 3)]
    before = merge(s.finish(outputs))
    after = normalize(before, prove=True)
    prove(before, after)
    assert normalize(after) is after
    assert kinds(after)["BatchNorm"] == 0
    if min(channels, length) > 1:
        assert kinds(after)["Transpose"] == 0
