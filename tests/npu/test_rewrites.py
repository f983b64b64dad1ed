"""Every rewrite: the same function on random inputs, only supported layers left, refused where it must be."""

from __future__ import annotations

import numpy as np
import pytest
from machines import connected, conv, depthwise, kinds, machine, one

from octavo.ir.graph import Graph
from octavo.npu import adapt
from octavo.npu.adapt import find_remedy
from octavo.npu.rewrites import REWRITES
from octavo.npu.support import Support
from octavo.ops import (
    Abs,
    Add,
    AveragePool2D,
    Clip,
    Conv2D,
    DepthwiseConv2D,
    Div,
    Elu,
    FullyConnected,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    MaxPool2D,
    Mean,
    Mish,
    Neg,
    Prelu,
    Silu,
    Softmax,
    Square,
    Sub,
)
from octavo.passes import normalize
from octavo.passes.proof import difference
from octavo.targets import Limits

ANY = Limits()
MOVES = {name: ANY for name in ("Add", "Slice", "Concat", "Reshape", "Pad", "Clip")}
RELU6 = Clip(0.0, 6.0)
RNG = np.random.default_rng(0)
WIDE = (9, 11, 4)

CONV = {"Conv2D": Limits(kernel=(3, 3))}
PARTS = "kernel as a sum of smaller ones"
CASES = {
    "7 x 7, padded, stride 2, relu6": (
        conv(Conv2D((2, 2), (3, 3, 3, 3), activation=RELU6), WIDE, 5, (7, 7)), CONV, [PARTS],
    ),
    "5 x 4, no padding": (conv(Conv2D(), WIDE, 5, (5, 4)), CONV, [PARTS]),
    "one-sided padding, stride (1, 2)": (conv(Conv2D((1, 2), (0, 4, 2, 0)), WIDE, 3, (6, 5)), CONV, [PARTS]),
    "dilated": (conv(Conv2D(dilation=(2, 2), padding=(4, 4, 4, 4)), WIDE, 3, (5, 5)), CONV, [PARTS]),
    "parts that see only padding": (conv(Conv2D(padding=(3, 3, 3, 3)), (1, 11, 4), 3, (7, 7)), CONV, [PARTS]),
    "in groups": (conv(Conv2D(groups=2), WIDE, 6, (5, 5)), CONV, [PARTS]),
    "few elements": (conv(Conv2D(), WIDE, 3, (3, 3)), {"Conv2D": Limits(window=4)}, [PARTS]),
    "depthwise 7 x 7": (
        depthwise(DepthwiseConv2D(padding=(3, 3, 3, 3)), WIDE, 8, (7, 7)), {"DepthwiseConv2D": Limits(kernel=(3, 3))},
        [PARTS],
    ),
    "1 x 3 as 3 x 3": (
        conv(Conv2D(padding=(0, 0, 1, 1)), (1, 11, 4), 3, (1, 3)), {"Conv2D": Limits(square=(1, 3))},
        ["kernel filled with zeros to a square"],
    ),
    "3 x 2 dilated, strided as 3 x 3": (
        conv(Conv2D((2, 2), (1, 1, 0, 2), (1, 2)), WIDE, 3, (3, 2)), {"Conv2D": Limits(square=(1, 3))},
        ["kernel filled with zeros to a square"],
    ),
    "10 x 4 in squares": (
        conv(Conv2D((2, 2), (4, 5, 1, 1)), (49, 10, 1), 4, (10, 4)), {"Conv2D": Limits(square=(1, 3, 5))},
        [PARTS, "kernel filled with zeros to a square"],
    ),
    "dilation": (
        conv(Conv2D(dilation=(2, 3), padding=(2, 1, 0, 3)), WIDE, 3, (3, 2)), {"Conv2D": Limits(dilation=(1, 1))},
        ["dilation filled with zeros"],
    ),
    "dilation and a small kernel": (
        conv(Conv2D(dilation=(2, 2)), WIDE, 3, (3, 3)), {"Conv2D": Limits(kernel=(3, 3), dilation=(1, 1))},
        ["dilation filled with zeros", PARTS],
    ),
    "stride 4 as 2 and 2": (
        conv(Conv2D((4, 3), (1, 2, 0, 1)), WIDE, 3, (3, 3)), {"Conv2D": Limits(stride=(2, 3))},
        ["stride by taking every so many"],
    ),
    "stride of 1 x 1": (
        conv(Conv2D((3, 3)), WIDE, 3, (1, 1)), {"Conv2D": Limits(stride=(1, 1))}, ["stride by taking every so many"],
    ),
    "stride of a pool": (
        one(MaxPool2D((2, 2), (4, 4)), (1, *WIDE)), {"MaxPool2D": Limits(stride=(2, 2))},
        ["stride by taking every so many"],
    ),
    "groups as slices": (
        conv(Conv2D(groups=4, padding=(1, 1, 1, 1), activation=RELU6), (6, 5, 8), 12, (3, 3)),
        {"Conv2D": Limits(groups=1)}, ["groups as convolutions of slices"],
    ),
    "groups as fewer": (
        conv(Conv2D(groups=4), (6, 5, 8), 12, (3, 3)), {"Conv2D": Limits(groups=2)},
        ["groups as convolutions of slices"],
    ),
    "many groups": (
        conv(Conv2D(groups=32), (4, 4, 64), 32, (1, 1)), {"Conv2D": Limits(groups=1)}, ["groups filled with zeros"],
    ),
    "no depthwise": (
        depthwise(DepthwiseConv2D((2, 1), (1, 0, 1, 1), activation=RELU6), WIDE, 8, (3, 3)),
        {"Conv2D": Limits(groups=4)},
        ["depthwise as convolution in groups"],
    ),
    "no depthwise of two outputs, no groups": (
        depthwise(DepthwiseConv2D(), WIDE, 8, (3, 3)),
        {"Conv2D": Limits(groups=1), "DepthwiseConv2D": Limits(multiplier=1)},
        ["depthwise as convolution in groups", "groups as convolutions of slices"],
    ),
    "no fully connected": (
        connected(FullyConnected(Clip(0.0)), (1, 7), 5), {"Conv2D": ANY}, ["fully connected as 1 x 1 convolution"],
    ),
    "fully connected of rank 3": (
        connected(FullyConnected(), (1, 6, 7), 5), {"Conv2D": ANY, "FullyConnected": Limits(ranks=(2,))},
        ["fully connected as 1 x 1 convolution"],
    ),
    "channels": (
        conv(Conv2D(padding=(1, 1, 1, 1), activation=RELU6), (5, 5, 3), 5, (3, 3)), {"Conv2D": Limits(multiple=4)},
        ["channels filled with zeros"],
    ),
    "channels of a fully connected layer": (
        connected(FullyConnected(), (1, 7), 8), {"FullyConnected": Limits(multiple=4)}, ["channels filled with zeros"],
    ),
    "relu6 apart": (
        conv(Conv2D(activation=RELU6), WIDE, 3, (3, 3)), {"Conv2D": Limits(activations=("relu",))},
        ["activation as a clip of its own"],
    ),
    "mean as pool": (one(Mean((1, 2)), (1, 8, 6, 3)), {"AveragePool2D": ANY}, ["mean as average pool"]),
    "mean over rows as pool": (
        one(Mean((1,), keepdims=True), (1, 8, 6, 3)), {"AveragePool2D": ANY}, ["mean as average pool"],
    ),
    "mean as pools": (
        one(Mean((1, 2)), (1, 12, 10, 3)), {"AveragePool2D": Limits(kernel=(4, 5))},
        ["mean as average pool", "average pool in steps"],
    ),
    "mean as depthwise": (
        one(Mean((1, 2)), (1, 7, 7, 3)), {"DepthwiseConv2D": ANY},
        ["mean as average pool", "average pool as depthwise convolution"],
    ),
    "pool as mean": (one(AveragePool2D((8, 6), (1, 1)), (1, 8, 6, 3)), {"Mean": ANY}, ["average pool as mean"]),
    "pool as depthwise, in parts": (
        one(AveragePool2D((5, 5), (2, 2)), (1, 8, 9, 3)), {"DepthwiseConv2D": Limits(kernel=(3, 3))},
        ["average pool as depthwise convolution", PARTS],
    ),
    "counted padding": (
        one(AveragePool2D((3, 3), (1, 1), (1, 1, 1, 1), True), (1, 8, 9, 3)), {"DepthwiseConv2D": ANY},
        ["average pool as depthwise convolution"],
    ),
    "max pool in steps": (
        one(MaxPool2D((6, 5), (2, 3), (2, 1, 0, 2)), (1, 9, 9, 3)), {"MaxPool2D": Limits(kernel=(3, 3))},
        ["max pool in steps"],
    ),
}  # fmt: skip


def check_case(graph: Graph, support: Support) -> tuple[str, ...]:
    """The rewrites of the layer; the result is supported, equal, and equal again after writing order and fusing."""
    adapted = adapt(graph, support)
    assert adapted.graph is not graph
    left = [support.reasons(node, adapted.graph.types.__getitem__) for node in adapted.graph.nodes]
    assert not any(left), left
    assert max(difference(graph, adapted.graph, seed=3).values()) < 1e-6
    assert max(difference(graph, normalize(adapted.graph), seed=4).values()) < 1e-6
    (steps,) = adapted.steps.values()
    return steps


@pytest.mark.parametrize("name", CASES)
def test_a_rewrite_is_exact(name: str) -> None:
    graph, operators, steps = CASES[name]
    assert list(check_case(graph, machine({**MOVES, **operators}))) == steps


FUNCTIONS = {
    "HardSwish": one(HardSwish(), (1, 4, 5, 3)),
    "HardSigmoid": one(HardSigmoid(0.3, 0.4), (1, 4, 5, 3)),
    "LeakyRelu": one(LeakyRelu(0.2), (1, 7)),
    "steep LeakyRelu": one(LeakyRelu(2.0), (1, 7)),
    "Prelu": one(Prelu(), (1, 4, 5, 3), consts=([0.1, -0.4, 2.0],)),
    "Silu": one(Silu(), (1, 7)),
    "Mish": one(Mish(), (1, 7)),
    "Square": one(Square(), (1, 7)),
    "Neg": one(Neg(), (1, 7)),
    "Abs": one(Abs(), (1, 7)),
    "Sub": one(Sub(Clip(0.0)), (1, 4, 5, 3), (1, 4, 5, 3)),
    "Sub of a constant": one(Sub(), (1, 4, 5, 3), consts=(RNG.normal(size=(1, 1, 1, 3)),)),
    "Div by a constant": one(Div(), (1, 4, 5, 3), consts=([[[[2.0, -3.0, 0.7]]]],)),
}
PLAIN = ("Add", "Mul", "Clip", "Maximum", "Minimum", "Sigmoid", "Tanh", "Softplus")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_in_parts(name: str) -> None:
    assert check_case(FUNCTIONS[name], machine(dict.fromkeys(PLAIN, ANY))) == ("function in parts",)


def test_a_clip_becomes_a_maximum_and_a_minimum() -> None:
    graph = conv(Conv2D(activation=Clip(-0.5, 0.25)), WIDE, 3, (3, 3))
    operators = {"Conv2D": Limits(activations=()), "Maximum": ANY, "Minimum": ANY}
    after = adapt(graph, machine(operators)).graph
    assert kinds(after) == {"Conv2D": 1, "Maximum": 1, "Minimum": 1}
    assert max(difference(graph, after).values()) < 1e-6


def test_with_tables_a_function_needs_no_rewrite() -> None:
    graph = one(HardSwish(), (1, 7))
    assert adapt(graph, machine({"Add": ANY}, tables=True)).graph is graph
    assert find_remedy(graph, graph.nodes[0], machine({"Add": ANY})) is None


REFUSED = {
    "no operator to turn to": (one(Softmax(), (1, 7)), MOVES),
    "no sum": (conv(Conv2D(), WIDE, 5, (5, 5)), CONV),
    "no slice": (conv(Conv2D(), WIDE, 5, (5, 5)), {**CONV, "Add": ANY}),
    "more parts than a sum is worth": (conv(Conv2D(), (20, 20, 1), 1, (15, 15)), {**MOVES, **CONV}),
    "padding that does not count": (
        one(AveragePool2D((3, 3), (1, 1), (1, 1, 1, 1)), (1, 8, 9, 3)), {"DepthwiseConv2D": ANY},
    ),
    "a max pool by an average": (one(MaxPool2D((5, 5), (5, 5)), (1, 10, 10, 3)), {"AveragePool2D": ANY}),
    "a mean over channels": (one(Mean((3,)), (1, 4, 4, 3)), {"AveragePool2D": ANY, **MOVES}),
    "a mean of parts that do not divide": (one(Mean((1, 2)), (1, 7, 7, 3)), {"AveragePool2D": Limits(kernel=(4, 4))}),
    "a function without a form": (one(Elu(), (1, 7)), dict.fromkeys(PLAIN, ANY)),
    "a division by what is computed": (one(Div(), (1, 7), (1, 7)), {"Mul": ANY}),
    "too many channels": (conv(Conv2D(), WIDE, 5, (3, 3)), {**MOVES, "Conv2D": Limits(channels=4)}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_remedy_stays(name: str) -> None:
    graph, operators = REFUSED[name]
    support = machine(operators)
    assert support.reasons(graph.nodes[0], graph.types.__getitem__)
    assert find_remedy(graph, graph.nodes[0], support) is None
    assert adapt(graph, support).graph is graph


def test_every_rewrite_is_tried_here() -> None:
    used = {step for _, _, steps in CASES.values() for step in steps} | {"function in parts"}
    assert used == set(REWRITES)


def test_weights_that_are_computed_are_left() -> None:
    rng = np.random.default_rng(0)
    graph = one(Add(), (1, 7), consts=(rng.normal(size=(1, 7)),))
    assert find_remedy(graph, graph.nodes[0], machine({"Mul": ANY})) is None
