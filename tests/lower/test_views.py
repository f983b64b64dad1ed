"""Joins and slices without code: found where bytes lie together, refused where a part would need two places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.device.host import sanitized_run
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.lower.views import with_views
from octavo.ops.integer import QConcat, QJoin, QPart, QSlice
from octavo.quant.quantize import quantize_graph
from octavo.run.integer_run import integer_run
from octavo.targets import load_target
from tests.networks.integer_layers import random_inputs
from tests.networks.kernel_cases import emitted

PORTABLE = replace(load_target("host"), features=())


class Net:
    """Rows of vectors: a builder with layers that cut, join and change them."""

    def __init__(self, seed: int) -> None:
        self.rng, self.b = np.random.default_rng(seed), GraphBuilder("views")
        self.x = self.b.input("x", TensorType((1, 8, 3, 4)))

    def dense(self, x: str) -> str:
        c = self.b.type(x).shape[-1]
        w = self.rng.normal(size=(c, 1, 1, c)).astype(np.float32)
        bias = self.rng.normal(size=c).astype(np.float32)
        return self.b.add(ops.Conv2D(), [x, self.b.const(w, "w"), self.b.const(bias, "b")], "dense")

    def rows(self, x: str, first: int, end: int, step: int = 1) -> str:
        _, h, w, c = self.b.type(x).shape
        return self.b.add(ops.Slice((0, first, 0, 0), (1, end, w, c), (1, step, 1, 1)), [x], "rows")

    def channels(self, x: str, first: int, end: int) -> str:
        _, h, w, _ = self.b.type(x).shape
        return self.b.add(ops.Slice((0, 0, 0, first), (1, h, w, end), (1, 1, 1, 1)), [x], "channels")

    def join(self, *parts: str, axis: int = 1) -> str:
        return self.b.add(ops.Concat(axis), list(parts), "join")

    def lowered(self, *outputs: str) -> IntegerModel:
        graph = self.b.finish(list(outputs))
        return lower(quantize_graph(graph, [self.rng.normal(size=(8, 8, 3, 4)).astype(np.float32)]))


def kinds(graph: Graph) -> list[str]:
    return [node.kind for node in graph.nodes if isinstance(node.op, (QJoin, QPart, QConcat, QSlice))]


def same(model: IntegerModel, graph: Graph) -> None:
    verify(graph, "views")
    inputs = random_inputs(model, 4, np.random.default_rng(0))
    for name, value in integer_run(model.graph, inputs).items():
        np.testing.assert_array_equal(integer_run(graph, inputs)[name].numpy(), value.numpy())


def test_rows_that_lie_together_need_no_code() -> None:
    net = Net(0)
    y = net.dense(net.x)
    whole = net.dense(net.join(y, net.dense(y)))
    model = net.lowered(net.dense(net.rows(whole, 0, 8)), net.dense(net.rows(whole, 8, 16)))
    views = with_views(model.graph)
    assert kinds(views) == ["QJoin", "QPart", "QPart"]
    same(model, views)
    assert plan_arena(views).size <= plan_arena(model.graph).size


def test_a_join_in_place_saves_memory() -> None:
    net = Net(5)
    y = net.dense(net.x)
    model = net.lowered(net.dense(net.join(y, net.dense(y))))
    views = with_views(model.graph)
    assert kinds(views) == ["QJoin"]
    same(model, views)
    assert plan_arena(views).size < 0.8 * plan_arena(model.graph).size


@pytest.mark.parametrize("kind", ["channels", "strided", "joined channels"])
def test_what_does_not_lie_together_is_copied(kind: str) -> None:
    net = Net(1)
    if kind == "channels":
        y = net.dense(net.channels(net.x, 0, 2))
    elif kind == "strided":
        y = net.dense(net.rows(net.x, 0, 8, 2))
    else:
        y = net.dense(net.join(net.dense(net.x), net.x, axis=3))
    model = net.lowered(y)
    assert not {"QPart", "QJoin"} & set(kinds(with_views(model.graph)))


def test_a_part_lies_in_one_place_only() -> None:
    net = Net(2)
    y = net.dense(net.x)
    twice = net.join(y, y)
    low = net.rows(net.x, 0, 4)
    model = net.lowered(net.dense(net.join(twice, net.join(y, low))), net.dense(net.join(low, low)))
    views = with_views(model.graph)
    assert kinds(views).count("QConcat") >= 2
    same(model, views)


def test_parts_begin_at_aligned_places() -> None:
    net = Net(3)
    odd = net.b.input("odd", TensorType((1, 3)))
    model = lower(
        quantize_graph(
            net.b.finish([net.join(odd, net.b.add(ops.Reshape((1, 96)), [net.dense(net.x)], "flat"))]),
            [{"x": np.ones((2, 8, 3, 4), np.float32), "odd": np.ones((2, 3), np.float32)}],
        )
    )
    assert "QConcat" in kinds(with_views(model.graph))


def test_a_view_that_would_cost_memory_is_not_taken() -> None:
    """A row of a large value that lives long would keep all of it."""
    net = Net(4)
    wide = net.b.add(ops.Concat(3), [net.x] * 8, "wide")
    row = net.rows(wide, 0, 1)
    y = net.b.add(ops.Concat(3), [net.dense(net.channels(wide, 0, 4))] * 7, "wide2")
    y = net.dense(net.dense(y))
    model = net.lowered(net.dense(row), y)
    with_, without = plan_arena(with_views(model.graph)).size, plan_arena(model.graph).size
    assert with_ <= without


@pytest.mark.parametrize("seed", range(12))
def test_random_cuts_and_joins(seed: int, tmp_path: Path) -> None:
    """Cut and joined at random: the executor agrees, and the C under sanitizers with its planned arena."""
    net, values = Net(seed), []
    values.append(net.x)
    rng = np.random.default_rng(100 + seed)
    for _ in range(9):
        x = values[int(rng.integers(0, len(values)))]
        height = net.b.type(x).shape[1]
        kind = int(rng.integers(0, 3))
        if kind == 0 and height > 1:
            first = int(rng.integers(0, height - 1))
            values.append(net.rows(x, first, int(rng.integers(first + 1, height + 1))))
        elif kind == 1:
            count = int(rng.integers(2, 4))
            parts = [values[int(rng.integers(0, len(values)))] for _ in range(count)]
            if sum(net.b.type(part).shape[1] for part in parts) <= 40:
                values.append(net.join(*parts))
        else:
            values.append(net.dense(x))
    outputs = [net.dense(value) for value in values[-3:]]
    model = net.lowered(*dict.fromkeys(outputs))
    program = specialize(model, PORTABLE)
    same(model, program.graph)
    case = emitted(tmp_path, model, program, seed)
    case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))
