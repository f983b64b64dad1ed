"""Each limit of an operator is recognised, and what is within it is not refused."""

from __future__ import annotations

import pytest
from machines import connected, conv, depthwise, machine, one

from octavo.npu.support import Support
from octavo.num.formats import find_format
from octavo.ops import (
    Clip,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Gelu,
    Mean,
    Slice,
    Sum,
)
from octavo.targets import Limits, load_target

CONV = conv(Conv2D((2, 1), (1, 1, 1, 1), (1, 2), 2, Clip(0.0, 6.0)), (20, 9, 4), 6, (3, 2))
CASES = {
    "kernel": (CONV, Limits(kernel=(3, 1)), Limits(kernel=(3, 2)), "kernel 3 x 2 is larger than 3 x 1"),
    "square": (CONV, Limits(square=(1, 3)), Limits(), "kernel 3 x 2 is none of 1 x 1, 3 x 3"),
    "window": (CONV, Limits(window=5), Limits(window=6), "takes 6 elements together, at most 5"),
    "stride": (CONV, Limits(stride=(1, 1)), Limits(stride=(2, 1)), "stride 2 x 1 is larger than 1 x 1"),
    "dilation": (CONV, Limits(dilation=(2, 1)), Limits(dilation=(1, 2)), "dilation 1 x 2 is larger than 2 x 1"),
    "channels": (CONV, Limits(channels=5), Limits(channels=6), "6 channels out, at most 5"),
    "multiple": (CONV, Limits(multiple=4), Limits(multiple=2), "6 channels out are no multiple of 4"),
    "size": (CONV, Limits(size=(19, 9)), Limits(size=(20, 9)), "image 20 x 9 is larger than 19 x 9"),
    "ranks": (CONV, Limits(ranks=(2, 3)), Limits(ranks=(4,)), "rank 4; allowed: 2, 3"),
    "groups": (CONV, Limits(groups=1), Limits(groups=2), "2 groups, at most 1"),
    "activations": (CONV, Limits(activations=("relu",)), Limits(activations=("relu6",)), "relu6 is not among: relu"),
    "formats": (CONV, Limits(formats=("16x8",)), Limits(formats=("affine",)), "affine is not among 16x8"),
    "multiplier": (
        depthwise(DepthwiseConv2D(), (5, 5, 2), 4, (3, 3)), Limits(multiplier=1), Limits(multiplier=2),
        "2 outputs a channel, at most 1",
    ),
    "a mean": (one(Mean((1, 2)), (1, 5, 5, 2)), Limits(window=24), Limits(window=25), "takes 25 elements"),
    "a slice": (
        one(Slice((0, 0, 0, 0), (1, 5, 5, 2), (1, 2, 3, 1)), (1, 5, 5, 2)), Limits(stride=(1, 1)), Limits(),
        "stride 3 x 1",
    ),
    "rank 3": (connected(FullyConnected(), (1, 2, 3), 4), Limits(ranks=(2,)), Limits(), "rank 3; allowed: 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_limit(name: str) -> None:
    graph, narrow, wide, why = CASES[name]
    (node,) = graph.nodes
    (reason,) = machine({node.kind: narrow}).reasons(node, graph.types.__getitem__)
    assert why in reason
    assert machine({node.kind: wide}).reasons(node, graph.types.__getitem__) == []


def test_an_operator_that_is_not_there() -> None:
    graph = one(Gelu(), (1, 7))
    (node,) = graph.nodes
    why = machine({"Add": Limits()}).reasons(node, graph.types.__getitem__)
    assert why == ["Gelu is not among the target's operators"]
    assert machine({"Add": Limits()}, tables=True).reasons(node, graph.types.__getitem__) == []
    # A table has an entry for each int8.
    wide = machine({"Add": Limits()}, "16x8", tables=True)
    assert wide.reasons(node, graph.types.__getitem__) and not wide.tables


def test_a_core_runs_what_octavo_has_c_for() -> None:
    core = load_target("cortex-m4")
    graph = one(Gelu(), (1, 7))
    for format, count in (("affine", 0), ("16x8", 0), ("float16", 1)):
        assert len(Support(core, find_format(format)).reasons(graph.nodes[0], graph.types.__getitem__)) == count
    graph = one(Sum((1,)), (1, 7, 3))
    (reason,) = Support(core, find_format("affine")).reasons(graph.nodes[0], graph.types.__getitem__)
    assert reason == "Sum has no int8 form"
