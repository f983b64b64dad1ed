"""remove_identity: no-ops go, everything else stays. Checked against the float executor."""

from __future__ import annotations

from typing import Any

import pytest
from channels_first import RELU, Source, applied, kinds, refused

from octavo.ops import (
    Add,
    AveragePool2D,
    Clip,
    Concat,
    Identity,
    MaxPool2D,
    Mean,
    Mul,
    Pad,
    Requantize,
    Reshape,
    ResizeNearest,
    Slice,
    Sub,
    Transpose,
)
from octavo.passes.remove_identity import remove_identity

NOTHING = [
    Identity(),
    Clip(),
    Reshape((1, 4, 5, 3)),
    Transpose((0, 1, 2, 3)),
    Slice((0, 0, 0, 0), (1, 4, 5, 3), (1, 1, 1, 1)),
    Pad((0, 0, 0, 0), (0, 0, 0, 0), 7.0),
    Concat(3),
    AveragePool2D((1, 1), (1, 1)),
    MaxPool2D((1, 1), (1, 1)),
    ResizeNearest((4, 5), False, False),
]
SOMETHING = [
    Requantize(),
    Clip(maximum=1e30),
    Reshape((1, 20, 3)),
    Transpose((0, 2, 1, 3)),
    Slice((0, 0, 0, 0), (1, 4, 5, 2), (1, 1, 1, 1)),
    Pad((0, 1, 0, 0), (0, 0, 0, 0), 0.0),
    MaxPool2D((1, 1), (2, 2)),
    ResizeNearest((8, 5), False, False),
    Mean((1,), keepdims=True),
]


@pytest.mark.parametrize("op", NOTHING, ids=lambda op: type(op).__name__)
def test_a_no_op_goes(op: Any) -> None:
    s = Source()
    x = s.add(RELU, [s.plain(4, 5, 3)], "a")
    after = applied(remove_identity, s.finish([s.add(RELU, [s.add(op, [x], "no_op")], "z")]))
    assert kinds(after) == {"Clip": 2}


@pytest.mark.parametrize("op", SOMETHING, ids=lambda op: type(op).__name__)
def test_an_operator_that_does_something_stays(op: Any) -> None:
    s = Source()
    assert refused(remove_identity, s.finish([s.add(op, [s.plain(4, 5, 3)], "y")]))


@pytest.mark.parametrize(("op", "number"), [(Add(), 0.0), (Sub(), 0.0), (Mul(), 1.0), (Mul(RELU), 1.0)])
def test_neutral_constants(op: Any, number: float) -> None:
    s = Source()
    after = applied(remove_identity, s.finish([s.relu(s.add(op, [s.plain(4, 5, 3), s.values(number)], "y"))]))
    assert set(kinds(after)) == {"Clip"} and not after.consts


def test_neutral_constants_that_broadcast_or_are_subtracted_from_stay() -> None:
    s = Source()
    x = s.plain(1, 1, 3)
    wide = s.add(Add(), [x, s.values([0.0] * 4, (1, 2, 2, 1))], "wide")
    negative = s.add(Sub(), [s.values(0.0), x], "negative")
    assert refused(remove_identity, s.finish([wide, negative]))


def test_a_mean_over_axes_of_one_is_a_reshape() -> None:
    s = Source()
    x = s.plain(1, 1, 6)
    kept, gone = s.add(Mean((1, 2), keepdims=True), [x], "kept"), s.add(Mean((1, 2), keepdims=False), [x], "gone")
    after = applied(remove_identity, s.finish([s.relu(kept), s.relu(gone)]))
    assert kinds(after) == {"Clip": 2, "Reshape": 1}


def test_outputs_keep_their_names_and_are_values_of_their_own() -> None:
    s = Source()
    x = s.plain(4, 5, 3)
    y = s.relu(x)
    outputs = [s.add(Identity(), [value], "copy") for value in (x, y, y)]
    before = s.finish([*outputs, y])
    after = applied(remove_identity, before)
    assert after.outputs == before.outputs and kinds(after) == {"Clip": 1, "Identity": 3}
    assert refused(remove_identity, after)
    one = s.finish([outputs[1]])
    assert kinds(applied(remove_identity, one)) == {"Clip": 1}
