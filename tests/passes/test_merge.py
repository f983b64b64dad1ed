"""merge, decompose and the sweep itself."""

from __future__ import annotations

import numpy as np
from channels_first import RELU, Source, applied, kinds, refused

from octavo.ir.graph import Node
from octavo.ops import Add, Concat, FullyConnected, Mean, Mul, Sum, Tanh
from octavo.passes.decompose import decompose
from octavo.passes.merge import merge
from octavo.passes.rewrite import Draft, sweep


def test_equal_nodes_and_constants_become_one() -> None:
    s = Source()
    x = s.plain(4, 3)
    twins = [s.relu(s.add(Add(), [x, s.values([1, 2, 3], (1, 1, 3))], "a")) for _ in range(2)]
    after = applied(merge, s.finish([s.add(Mul(), twins, "y")]))
    assert kinds(after) == {"Add": 1, "Clip": 1, "Mul": 1} and len(after.consts) == 1


def test_biases_of_different_layers_stay_apart() -> None:
    s, rng = Source(), np.random.default_rng(0)
    x = s.plain(4, 3)
    ones = rng.normal(size=(3, 3)).astype(np.float32)
    first = s.add(FullyConnected(), [x, s.values(ones, (3, 3)), s.values([0, 0, 0], (3,))], "a")
    twin = s.add(FullyConnected(), [x, s.values(ones, (3, 3)), s.values([0, 0, 0], (3,))], "a")
    other = s.add(FullyConnected(), [x, s.values(2 * ones, (3, 3)), s.values([0, 0, 0], (3,))], "b")
    total = s.add(Add(), [s.add(Mul(), [first, twin], "m"), other], "y")
    after = applied(merge, s.finish([total]))
    layers = [node for node in after.nodes if node.kind == "FullyConnected"]
    assert len(layers) == 2 and layers[0].inputs[2] != layers[1].inputs[2]


def test_two_outputs_stay_two() -> None:
    s = Source()
    x = s.plain(4, 3)
    assert refused(merge, s.finish([s.relu(x), s.relu(x)]))


def test_constants_of_other_shapes_stay_and_dead_ones_go() -> None:
    s = Source()
    x = s.plain(4, 3)
    s.add(Tanh(), [x], "dead")
    y = s.add(Add(), [s.add(Mul(), [x, s.values([1, 1, 1], (1, 1, 3))], "m"), s.values([1], (1, 1, 1))], "y")
    after = merge(s.finish([y]))
    assert kinds(after) == {"Add": 1, "Mul": 1} and len(after.consts) == 2 and "dead" not in after.types


def test_sum_is_a_scaled_mean() -> None:
    s = Source()
    x = s.plain(4, 5, 3)
    sums = [s.add(Sum((1, 2), keepdims=False), [x], "a"), s.add(Sum((3,), keepdims=True), [x], "b")]
    assert kinds(applied(decompose, s.finish(sums))) == {"Mean": 2, "Mul": 2}


def test_a_mean_over_axes_apart_becomes_two() -> None:
    s = Source()
    x = s.plain(4, 5, 3)
    means = [s.add(Mean((1, 3), keepdims), [x], "m") for keepdims in (False, True)]
    assert kinds(applied(decompose, s.finish(means))) == {"Mean": 4}
    assert refused(decompose, s.finish([s.add(Mean((1, 2)), [x], "m")]))
    assert refused(decompose, s.finish([s.add(Mean((1, 3)), [s.plain(4, 1, 3)], "m")]))


def test_a_sweep_renames_only_what_is_new_and_keeps_sources() -> None:
    s = Source()
    a = s.add(Tanh(), [s.plain(4)], "a", "user.a")
    b = s.add(RELU, [a], "b", "user.b")
    before = s.finish([s.add(Concat(1), [a, b], "c", "user.c")])

    def twice(draft: Draft, node: Node) -> str | None:
        if node.op != RELU:
            return None
        return draft.add(Add(), [draft.add(Tanh(), list(node.inputs), node)] * 2, node)

    after = sweep(before, twice)
    assert [node.source for node in after.nodes] == ["user.a", "user.b", "user.b", "user.c"]
    assert after.nodes[2].name == "b" == after.nodes[2].outputs[0] and after.nodes[-1].inputs == ("a", "b")
    assert sweep(before, lambda draft, node: None) is before
    assert [node.kind for node in before.nodes] == ["Tanh", "Clip", "Concat"]
