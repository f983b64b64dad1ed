"""fuse_activation: clips merge with clips and go into the operator before."""

from __future__ import annotations

import math
from typing import Any

import pytest
from channels_first import RELU, RELU6, Source, applied, kinds, refused

from octavo.ops import (
    Add,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mul,
    Sigmoid,
    Sub,
    Tanh,
    TransposeConv2D,
)
from octavo.passes.fuse_activation import fuse_activation

SHAPES: list[tuple[Any, tuple[int, ...], int]] = [
    (Conv2D, (6, 3, 3, 4), 6),
    (DepthwiseConv2D, (1, 3, 3, 8), 8),
    (TransposeConv2D, (6, 2, 2, 4), 6),
    (FullyConnected, (6, 4), 6),
]


@pytest.mark.parametrize("clip", [RELU, RELU6, Clip(-1.0, 1.0)], ids=str)
@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case[0].__name__)
def test_into_linear_operators(case: Any, clip: Clip) -> None:
    s = Source()
    kind, weights, out = case
    y = s.add(kind(), [s.plain(6, 5, 4), s.random(*weights), s.random(out)], "y")
    after = applied(fuse_activation, s.finish([s.add(clip, [y], "z")]))
    assert [node.op for node in after.nodes] == [kind(activation=clip)]
    assert after.nodes[0].source == "y"


@pytest.mark.parametrize("kind", [Add, Sub, Mul])
def test_into_arithmetic(kind: Any) -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    after = applied(fuse_activation, s.finish([s.relu(s.add(kind(), [x, s.add(Tanh(), [x], "t")], "y"))]))
    assert kinds(after) == {"Tanh": 1, kind.__name__: 1}


def test_not_when_read_elsewhere_or_active_already_or_another_range() -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    y = s.add(Add(), [x, x], "y")
    assert refused(fuse_activation, s.finish([s.relu(y), s.add(Tanh(), [y], "t")]))
    assert refused(fuse_activation, s.finish([s.relu(y), y]))
    assert refused(fuse_activation, s.finish([s.add(Clip(0.0, 5.0), [y], "c")]))
    assert refused(fuse_activation, s.finish([s.add(Clip(-1.0, 1.0), [s.add(Add(RELU), [x, x], "z")], "c")]))


def test_through_a_max_pool() -> None:
    s = Source()
    y = s.add(Conv2D(), [s.plain(6, 6, 4), s.random(5, 3, 3, 4), s.random(5)], "y")
    pooled = s.add(MaxPool2D((3, 3), (2, 2), (1, 1, 1, 1)), [y], "p")
    after = applied(fuse_activation, s.finish([s.relu(pooled)]))
    assert [node.kind for node in after.nodes] == ["Conv2D", "MaxPool2D"] and after.nodes[0].op.activation == RELU  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("first", "then", "result"),
    [
        (RELU, RELU6, RELU6),
        (Clip(0.0, 6.0), Clip(-1.0, 1.0), Clip(0.0, 1.0)),
        (Clip(0.0, 1.0), Clip(2.0, 3.0), Clip(2.0, 2.0)),
        (Clip(maximum=1.0), Clip(minimum=-1.0), Clip(-1.0, 1.0)),
    ],
)
def test_clips_merge(first: Clip, then: Clip, result: Clip) -> None:
    s = Source()
    after = applied(fuse_activation, s.finish([s.add(then, [s.add(first, [s.plain(3, 3, 2)], "a")], "b")]))
    assert [node.op for node in after.nodes] == [result]


def test_a_clip_that_cannot_cut_goes() -> None:
    s = Source()
    x = s.plain(4, 4, 3)
    joined = s.add(Concat(3), [s.add(Sigmoid(), [x], "a"), s.add(Clip(0.0, 4.0), [x], "b")], "c")
    after = applied(fuse_activation, s.finish([s.add(Tanh(), [s.add(RELU6, [joined], "d")], "e")]))
    assert kinds(after) == {"Sigmoid": 1, "Clip": 1, "Concat": 1, "Tanh": 1}
    s = Source()
    tanh = s.add(Tanh(), [s.plain(4)], "a")
    assert refused(fuse_activation, s.finish([s.add(Clip(0.0, math.inf), [tanh], "b")]))
