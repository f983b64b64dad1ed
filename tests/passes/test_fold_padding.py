"""fold_padding: explicit padding becomes the operator's own."""

from __future__ import annotations

import math
from typing import Any

import pytest
from channels_first import Source, applied, kinds, refused

from octavo.ops import AveragePool2D, Conv2D, DepthwiseConv2D, MaxPool2D, Pad, Reshape
from octavo.passes.fold_padding import fold_padding


def padded(s: Source, x: str, value: float = 0.0, before: Any = (0, 1, 2, 0), after: Any = (0, 0, 1, 0)) -> str:
    return s.add(Pad(before, after, value), [x], "pad")


def convolved(s: Source, x: str, padding: Any = (0, 0, 0, 0)) -> str:
    return s.add(Conv2D((2, 2), padding), [x, s.random(4, 3, 3, 3), s.random(4)], "y")


def test_convolutions_add_it_to_theirs() -> None:
    s = Source()
    x = padded(s, s.plain(7, 6, 3))
    depthwise = s.add(DepthwiseConv2D(padding=(1, 1, 0, 0)), [x, s.random(1, 3, 3, 6), s.random(6)], "d")
    after = applied(fold_padding, s.finish([depthwise, convolved(s, x)]))
    assert [node.op.padding for node in after.nodes] == [(2, 1, 2, 1), (1, 0, 2, 1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "before"), [(1.0, (0, 1, 2, 0)), (-math.inf, (0, 1, 2, 0)), (0.0, (0, 0, 0, 1))], ids=str
)
def test_not_into_convolutions(value: float, before: Any) -> None:
    s = Source()
    x = padded(s, s.plain(7, 6, 3 - before[3]), value, before)
    assert refused(fold_padding, s.finish([convolved(s, x)]))


def test_paddings_join() -> None:
    s = Source()
    x = padded(s, padded(s, s.plain(7, 6, 3)), before=(0, 1, 0, 0))
    assert kinds(applied(fold_padding, s.finish([s.relu(x)]))) == {"Pad": 1, "Clip": 1}
    assert refused(fold_padding, s.finish([s.relu(padded(s, padded(s, s.plain(7, 6, 3)), 1.0))]))


def test_max_pool() -> None:
    s = Source()
    x = s.plain(7, 6, 3)
    pool = MaxPool2D((3, 3), (2, 2))
    lowest = s.add(pool, [padded(s, x, -math.inf)], "a")
    relu = s.add(pool, [padded(s, s.relu(x))], "b")
    after = applied(fold_padding, s.finish([lowest, relu]))
    assert kinds(after) == {"MaxPool2D": 2, "Clip": 1}
    assert refused(fold_padding, s.finish([s.add(pool, [padded(s, x)], "c")]))


def test_not_when_a_window_would_see_only_padding() -> None:
    s = Source()
    x = s.relu(s.plain(4, 4, 3))
    assert refused(fold_padding, s.finish([s.add(MaxPool2D((1, 1), (1, 1)), [padded(s, x)], "y")]))
    tall = padded(s, x, before=(0, 1, 1, 0), after=(0, 1, 1, 0))
    assert refused(fold_padding, s.finish([s.add(MaxPool2D((2, 2), (5, 5), (0, 1, 0, 1)), [tall], "y")]))


def test_average_pool_counts_it() -> None:
    s = Source()
    x = s.plain(7, 6, 3)
    after = applied(fold_padding, s.finish([s.add(AveragePool2D((3, 3), (2, 2)), [padded(s, x)], "y")]))
    assert [node.op for node in after.nodes] == [AveragePool2D((3, 3), (2, 2), (1, 0, 2, 1), True)]
    uncounted = AveragePool2D((3, 3), (2, 2), (1, 1, 1, 1))
    assert refused(fold_padding, s.finish([s.add(uncounted, [padded(s, x)], "y")]))


def test_through_the_height_of_a_sequence() -> None:
    s = Source()
    x = s.add(Pad((0, 2, 0), (0, 1, 0), 0.0), [s.plain(9, 3)], "pad")
    x = s.add(Reshape((1, 1, 12, 3)), [x], "image")
    after = applied(fold_padding, s.finish([s.add(Conv2D(), [x, s.random(4, 1, 3, 3), s.random(4)], "y")]))
    assert [node.kind for node in after.nodes] == ["Reshape", "Conv2D"]
    assert after.nodes[1].op == Conv2D(padding=(0, 0, 2, 1))
