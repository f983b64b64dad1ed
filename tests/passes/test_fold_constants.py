"""fold_constants: evaluation and merging of constants, against the float executor."""

from __future__ import annotations

import numpy as np
import pytest
from channels_first import RELU, Source, applied, kinds, refused

from octavo.ops import Add, Div, Exp, Mul, Sub, Transpose
from octavo.passes.fold_constants import fold_constants


def test_constants_are_evaluated_through_several_nodes() -> None:
    s = Source()
    c = s.add(Exp(), [s.add(Transpose((0, 3, 1, 2)), [s.random(1, 5, 3, 4)], "t")], "e")
    after = applied(fold_constants, s.finish([s.add(Add(), [s.plain(4, 5, 3), c], "y")]))
    assert kinds(after) == {"Add": 1} and len(after.consts) == 1


def test_what_float32_cannot_hold_is_not_evaluated() -> None:
    s = Source()
    assert refused(
        fold_constants, s.finish([s.add(Add(), [s.plain(4), s.add(Exp(), [s.values(1e3, (1, 1))], "e")], "y")])
    )


def test_division_and_subtraction_are_canonical() -> None:
    s = Source()
    x = s.add(
        Div(), [s.add(Sub(), [s.plain(2, 2, 3), s.values(127.5)], "s"), s.values([58.4, 57.1, 57.4], (1, 1, 1, 3))], "d"
    )
    after = applied(fold_constants, s.finish([x]))
    assert kinds(after) == {"Add": 1, "Mul": 1}


def test_division_by_zero_or_by_a_value_stays() -> None:
    s = Source()
    x = s.plain(3)
    by_zero = s.add(Div(), [x, s.values([1.0, 0.0, 2.0], (1, 3))], "a")
    constant = s.add(Div(), [s.values(1.0, (1, 1)), x], "b")
    assert refused(fold_constants, s.finish([by_zero, constant]))


@pytest.mark.parametrize("op", [Add, Mul])
def test_chains_merge_with_the_constant_on_either_side(op: type[Add] | type[Mul]) -> None:
    s = Source()
    x = s.add(op(), [s.random(1, 1, 1, 3), s.plain(4, 5, 3)], "a")
    x = s.add(op(), [x, s.values(3.0)], "b")
    x = s.add(op(RELU), [x, s.random(1, 4, 1, 1)], "c")
    after = applied(fold_constants, s.finish([x]))
    assert kinds(after) == {op.__name__: 1} and after.nodes[0].op == op(RELU)
    assert refused(fold_constants, after)


def test_chains_do_not_merge_across_activations_cancellation_or_underflow() -> None:
    s = Source()
    x = s.plain(4, 5, 3)
    activated = s.add(Add(), [s.add(Add(RELU), [x, s.values(1.0)], "a"), s.values(2.0)], "b")
    cancels = s.add(Add(), [s.add(Add(), [x, s.values(1e6)], "c"), s.values(-1e6)], "d")
    vanishes = s.add(Mul(), [s.add(Mul(), [x, s.values(1e-30)], "e"), s.values(1e-30)], "f")
    assert refused(fold_constants, s.finish([activated, cancels, vanishes]))


def test_constants_are_not_changed_in_place() -> None:
    s = Source()
    x = s.add(Sub(), [s.plain(4), s.values([1.0, 2.0, 3.0, 4.0], (1, 4))], "y")
    before = s.finish([x])
    copies = {name: array.copy() for name, array in before.consts.items()}
    applied(fold_constants, before)
    assert all(np.array_equal(copies[name], array) for name, array in before.consts.items())
