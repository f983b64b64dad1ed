"""Lives and sharing of an integer graph's values, as the memory planner gets them."""

from __future__ import annotations

import numpy as np

from octavo.ir.graph import Graph, Node, TensorType
from octavo.lower.liveness import plan_arena
from octavo.ops.integer.lookup import QLookup

TABLE = {"table": np.arange(-128, 128).astype(np.int8)}


def lookups(*pairs: tuple[str, str], outputs: tuple[str, ...]) -> Graph:
    """A graph of table functions (input, output) of eight elements."""
    nodes = tuple(Node(f"n{i}", QLookup(8), (x, "table"), (y,)) for i, (x, y) in enumerate(pairs))
    types = {name: TensorType((1, 8), "int8") for name in ("x", *(y for _, y in pairs))}
    return Graph("lookups", ("x",), outputs, nodes, types | {"table": TensorType((256,), "int8")}, TABLE)


def test_a_chain_of_functions_runs_in_place() -> None:
    arena = plan_arena(lookups(("x", "a"), ("a", "b"), ("b", "c"), outputs=("c",)))
    assert set(arena.offsets.values()) == {0}
    assert arena.size == arena.lower_bound == 8


def test_an_output_that_the_last_step_reads_is_not_overwritten() -> None:
    arena = plan_arena(lookups(("x", "a"), ("a", "b"), outputs=("a", "b")))
    assert abs(arena.offsets["a"] - arena.offsets["b"]) >= 8
    assert arena.size == arena.lower_bound == 16
