"""The order of an integer graph's nodes: less memory, the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from octavo import ops
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.lower import lower as lowering
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.passes import normalize
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run
from tests.exactness.random_networks import networks

SIDE, INPUT, WIDE, NARROW = 6, 4, 24, 2


def inception(branches: int) -> Graph:
    """Branches that widen and narrow again; all wide layers come first."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("inception")

    def pointwise(x: str, channels: int, name: str) -> str:
        weights = rng.normal(size=(channels, 1, 1, b.type(x).shape[-1])).astype(np.float32)
        bias = rng.normal(size=channels).astype(np.float32)
        return b.add(ops.Conv2D(), [x, b.const(weights, "w"), b.const(bias, "b")], name, f"net.{name}")

    x = b.input("x", TensorType((1, SIDE, SIDE, INPUT)))
    wide = [pointwise(x, WIDE, f"wide{i}") for i in range(branches)]
    narrow = [pointwise(value, NARROW, f"narrow{i}") for i, value in enumerate(wide)]
    return b.finish([b.add(ops.Concat(3), narrow, "joined", "net.joined")])


def lowered(graph: Graph, inputs: dict[str, np.ndarray]) -> IntegerModel:
    return lower(quantize_graph(normalize(verify(graph)), [inputs], Scheme(ranges="minmax")))


def test_branches_run_one_after_the_other() -> None:
    samples = {"x": np.random.default_rng(2).normal(size=(2, SIDE, SIDE, INPUT)).astype(np.float32)}
    graph = verify(lowered(inception(4), samples).graph)
    assert [node.source for node in graph.nodes] == [
        *(f"net.{layer}{i}" for i in range(4) for layer in ("wide", "narrow")), "net.joined",
    ]  # fmt: skip
    arena = plan_arena(graph)
    assert arena.size <= SIDE * SIDE * (INPUT + WIDE + 3 * NARROW)
    assert arena.size - arena.lower_bound < arena.alignment


@given(sample=networks())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_order_changes_no_number_and_needs_no_more_memory(sample: tuple[Graph, dict[str, np.ndarray]]) -> None:
    model = lowered(*sample)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "in_order", lambda graph: graph)
        given_order = lowered(*sample)
    assert sorted(node.name for node in model.graph.nodes) == sorted(node.name for node in given_order.graph.nodes)
    verify(model.graph)
    assert plan_arena(model.graph).lower_bound <= plan_arena(given_order.graph).lower_bound
    rng = np.random.default_rng(3)
    inputs = {name: rng.integers(-128, 128, (2, *model.graph.types[name].shape[1:])).astype(np.int8)
              for name in model.graph.inputs}  # fmt: skip
    ours, theirs = integer_run(model.graph, inputs), integer_run(given_order.graph, inputs)
    for name in model.graph.outputs:
        np.testing.assert_array_equal(ours[name].numpy(), theirs[name].numpy())
