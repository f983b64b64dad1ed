"""layout: transposes cancel, compose, or go into weights and into the graph's inputs and outputs."""

from __future__ import annotations

from typing import Any

import pytest
from channels_first import TO_FIRST, TO_LAST, Source, applied, kinds, refused

from octavo.ops import (
    Add,
    BatchNorm,
    Clip,
    Concat,
    Div,
    FullyConnected,
    LogSoftmax,
    Maximum,
    Mean,
    Mul,
    Pad,
    Prelu,
    Requantize,
    Reshape,
    Sigmoid,
    Slice,
    Softmax,
    Sub,
    Sum,
    Tanh,
    Transpose,
)
from octavo.passes.layout import layout
from octavo.passes.pipeline import normalize

SINKABLE: list[tuple[str, Any]] = [
    ("clip", lambda s, x: s.relu(x)),
    ("requantize", lambda s, x: s.add(Requantize(), [x], "y")),
    ("mean_kept", lambda s, x: s.add(Mean((2, 3), keepdims=True), [x], "y")),
    ("mean_of_channels", lambda s, x: s.relu(s.add(Mean((1,), keepdims=False), [x], "y"))),
    ("sum_of_rows", lambda s, x: s.add(Sum((2,), keepdims=False), [x], "y")),
    ("pad", lambda s, x: s.add(Pad((0, 1, 0, 2), (0, 0, 3, 1), 0.5), [x], "y")),
    ("slice", lambda s, x: s.add(Slice((0, 1, 0, 1), (1, 3, 5, 4), (1, 1, 2, 1)), [x], "y")),
    ("constant", lambda s, x: s.add(Sub(), [s.random(1, 3, 1, 4), x], "y")),
    (
        "wide_constant",
        lambda s, x: s.add(Mul(), [s.add(Mean((1, 2), keepdims=True), [x], "m"), s.random(1, 3, 5, 1)], "y"),
    ),
    ("two", lambda s, x: s.add(Maximum(), [s.relu(x), s.add(Tanh(), [x], "t")], "y")),
    ("broadcast", lambda s, x: s.add(Div(), [x, s.add(Mean((3,), keepdims=True), [s.relu(x)], "m")], "y")),
    ("concat", lambda s, x: s.add(Concat(1), [x, s.relu(x), s.random(1, 2, 5, 4)], "y")),
    ("prelu", lambda s, x: s.add(Prelu(), [x, s.random(1)], "y")),
    ("join_axes", lambda s, x: s.relu(s.add(Reshape((1, 3, 20)), [x], "y"))),
    ("split_axes", lambda s, x: s.relu(s.add(Reshape((1, 3, 5, 2, 2)), [x], "y"))),
    ("ones", lambda s, x: s.relu(s.add(Reshape((1, 3, 1, 20)), [x], "y"))),
]


@pytest.mark.parametrize("make", [case[1] for case in SINKABLE], ids=[case[0] for case in SINKABLE])
def test_operators_move_above_transposes(make: Any) -> None:
    s = Source()
    y = make(s, s.image(3, 5, 4))
    s.layout(y, tuple(range(len(s.type(y).shape))))
    after = applied(normalize, s.finish([y]))
    assert kinds(after)["Transpose"] == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda s, x: s.add(Softmax(), [x], "y"),
        lambda s, x: s.add(LogSoftmax(), [x], "y"),
        lambda s, x: s.add(BatchNorm(), [x, *s.norm_parameters(4)], "y"),
        lambda s, x: s.add(Prelu(), [x, s.random(4)], "y"),
        lambda s, x: s.add(FullyConnected(), [x, s.random(6, 4), s.random(6)], "y"),
    ],
)
def test_operators_of_the_last_axis(make: Any) -> None:
    s = Source()
    x = s.relu(s.plain(3, 5, 4))
    kept = s.add(Transpose((0, 2, 1, 3)), [make(s, s.add(Transpose((0, 2, 1, 3)), [x], "t"))], "u")
    assert kinds(applied(layout, s.finish([s.relu(kept)])))["Transpose"] == 0
    s = Source()
    moved = make(s, s.add(Transpose(TO_LAST), [s.relu(s.plain(4, 3, 5))], "t"))
    after = applied(layout, s.finish([s.add(Softmax(), [moved], "s")]))
    assert kinds(after)["Transpose"] == 1


def test_each_reader_takes_its_own() -> None:
    s = Source()
    x = s.add(Transpose(TO_LAST), [s.relu(s.plain(3, 5, 4))], "t")
    back = [s.add(Transpose(TO_FIRST), [s.add(op, [x], "y")], "back") for op in (Tanh(), Sigmoid(), Clip(0.0, 1.0))]
    after = applied(layout, s.finish([s.add(Concat(1), back, "joined")]))
    assert kinds(after) == {"Clip": 2, "Tanh": 1, "Sigmoid": 1, "Concat": 1}


def test_transposes_compose_and_cancel() -> None:
    s = Source()
    x = s.relu(s.plain(3, 5, 4))
    three = s.add(Transpose(TO_LAST), [s.add(Transpose(TO_LAST), [s.add(Transpose(TO_LAST), [x], "a")], "b")], "c")
    two = s.add(Transpose((0, 2, 1, 3)), [s.add(Transpose((0, 2, 1, 3)), [x], "d")], "e")
    after = applied(layout, s.finish([s.add(Tanh(), [three], "x"), s.add(Tanh(), [two], "y")]))
    assert kinds(after)["Transpose"] == 0


def test_a_transpose_of_ones_is_a_reshape() -> None:
    s = Source()
    x = s.add(Transpose(TO_FIRST), [s.relu(s.plain(1, 1, 6))], "t")
    after = applied(layout, s.finish([s.linear(s.flatten(x), 3)]))
    assert [node.kind for node in after.nodes] == ["Clip", "Reshape", "FullyConnected"]


def test_the_order_of_inputs_is_absorbed_only_when_all_readers_agree() -> None:
    s = Source()
    x = s.plain(4, 5, 3)
    agree = [s.add(Softmax(), [s.add(Transpose(TO_FIRST), [x], "t")], "y") for _ in range(2)]
    after = applied(layout, s.finish(agree))
    assert (
        kinds(after) == {"Softmax": 2} and after.layouts == {"x": TO_FIRST} and after.types["x"].shape == (1, 3, 4, 5)
    )
    other = s.add(Softmax(), [x], "z")
    assert refused(layout, s.finish([*agree, other]))


def test_an_absorbed_order_composes_with_the_one_before() -> None:
    s = Source()
    x = s.image(3, 4, 5)
    y = s.add(Softmax(), [x], "y")
    after = applied(layout, s.finish([y]))
    assert kinds(after) == {"Softmax": 1} and after.layouts == {}


def test_outputs_keep_their_names_with_other_readers_and_twice() -> None:
    s = Source()
    x = s.relu(s.plain(4, 5, 3))
    y = s.add(Transpose(TO_FIRST), [x], "y")
    z = s.add(Softmax(), [y], "z")
    after = applied(layout, s.finish([y, z]))
    assert after.outputs == ("y", "z") and after.layouts == {"y": TO_FIRST} and kinds(after)["Transpose"] == 1
    twice = [s.add(Transpose((0, 2, 1, 3)), [x], "a"), s.add(Transpose(TO_FIRST), [x], "b")]
    assert applied(normalize, s.finish(twice)).outputs == ("a", "b")
    assert applied(normalize, s.finish([s.add(Transpose(TO_FIRST), [s.plain(4, 5, 3)], "c")])).outputs == ("c",)


@pytest.mark.parametrize("readers", [1, 2])
def test_flatten_permutes_the_columns_once(readers: int) -> None:
    s = Source()
    x = s.flatten(s.image(3, 4, 5))
    x = s.add(Prelu(), [s.norm(s.relu(x)), s.random(60)], "p")
    x = s.add(Mul(), [x, s.random(1, 60)], "m")
    after = applied(layout, s.finish([s.linear(x, 4 + i) for i in range(readers)]))
    assert kinds(after)["Transpose"] == 0 and kinds(after)["FullyConnected"] == readers


def test_flattened_branches_join() -> None:
    s = Source()
    image = s.image(3, 4, 5)
    parts = [s.flatten(image), s.flatten(s.relu(image)), s.relu(s.plain(7))]
    after = applied(layout, s.finish([s.linear(s.add(Concat(1), parts, "joined"), 4)]))
    assert kinds(after)["Transpose"] == 0


def test_an_image_made_by_a_fully_connected_permutes_its_rows() -> None:
    s = Source()
    x = s.add(Add(), [s.norm(s.relu(s.linear(s.plain(6), 60))), s.random(1, 60)], "a")
    x = s.add(Reshape((1, 3, 4, 5)), [x], "view")
    after = applied(layout, s.finish([s.add(Softmax(), [s.add(Transpose(TO_LAST), [x], "t")], "y")]))
    assert kinds(after)["Transpose"] == 0
    s = Source()
    vector = s.linear(s.plain(6), 60)
    view = s.add(Transpose(TO_LAST), [s.add(Reshape((1, 3, 4, 5)), [vector], "view")], "t")
    assert refused(layout, s.finish([s.add(Softmax(), [view], "y"), s.add(Softmax(), [vector], "z")]))


def test_a_channel_shuffle_keeps_one_transpose() -> None:
    s = Source()
    x = s.conv(s.image(3, 6, 4), 6)
    x = s.add(Transpose((0, 2, 1, 3, 4)), [s.add(Reshape((1, 2, 3, 6, 4)), [x], "split")], "shuffle")
    x = s.conv(s.add(Reshape((1, 6, 6, 4)), [x], "join"), 4)
    after = applied(normalize, s.finish([s.relu(x)]))
    assert kinds(after) == {"Conv2D": 2, "Reshape": 2, "Transpose": 1}


def test_a_result_that_would_transpose_more_is_refused() -> None:
    s = Source()
    small = s.add(Transpose((0, 2, 1)), [s.add(Softmax(), [s.plain(5, 4)], "a")], "t")
    wide = s.add(Mul(), [small, s.random(1, 4, 5)], "m")
    many = [s.add(Softmax(), [s.add(op, [wide], "w")], "s") for op in (Tanh(), Sigmoid(), Clip(0.0, 1.0))]
    assert refused(layout, s.finish(many))


def test_the_height_of_sequences_moves_below_what_is_pointwise() -> None:
    s = Source()
    x = s.conv_1d(s.sequence(3, 12), 4)
    gate = s.add(Sigmoid(), [s.conv_1d(s.add(Mean((2,), keepdims=True), [x], "m"), 4, 1)], "g")
    x = s.relu(s.add(Mul(), [s.norm(x), gate], "scaled"))
    x = s.add(Concat(1), [x, s.add(Mul(), [x, s.random(1, 4, 1)], "k")], "c")
    after = applied(normalize, s.finish([s.conv_1d(x, 2)]))
    assert kinds(after)["Transpose"] == 0 and kinds(after)["BatchNorm"] == 0


def test_a_tower_of_gates_behind_a_flatten_takes_linear_time() -> None:
    s = Source()
    x = s.flatten(s.image(3, 2, 2))
    for _ in range(40):
        x = s.add(Mul(), [x, s.add(Sigmoid(), [x], "g")], "y")
    after = applied(layout, s.finish([s.linear(x, 2)]))
    assert kinds(after) == {"Reshape": 1, "Mul": 40, "Sigmoid": 40, "FullyConnected": 1}
