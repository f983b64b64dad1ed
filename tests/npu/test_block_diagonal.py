"""Hidden groups: found exactly, taken apart only where that is faster and the target has it."""

from __future__ import annotations

import numpy as np
import pytest
from machines import kinds, machine, one

from octavo.ir.graph import Graph
from octavo.npu import adapt, check
from octavo.npu.block_diagonal import STEP, block_groups
from octavo.ops import Clip, Conv2D
from octavo.passes.proof import difference
from octavo.targets import Limits

BOTH = {"Conv2D": Limits(), "DepthwiseConv2D": Limits(multiplier=2)}


def blocks(groups: int, rows: int, width: int) -> np.ndarray:
    """Random weights of 3 x 3, zero between different groups."""
    weights = np.random.default_rng(0).normal(size=(groups * rows, 3, 3, groups * width))
    for out in range(groups * rows):
        for into in range(groups * width):
            if out // rows != into // width:
                weights[out, :, :, into] = 0
    return weights


def dense(weights: np.ndarray) -> Graph:
    op = Conv2D((2, 1), (1, 0, 1, 1), activation=Clip(0.0, 6.0))
    return one(op, (1, 7, 6, weights.shape[3]), consts=(weights, np.arange(len(weights)) / 4))


@pytest.mark.parametrize(("groups", "rows", "width"), [(1, 4, 4), (2, 3, 2), (4, 1, 1), (4, 2, 1), (6, 2, 3)])
def test_groups_are_found(groups: int, rows: int, width: int) -> None:
    weights = blocks(groups, rows, width)
    assert block_groups(weights) == groups
    weights[0, 1, 1, -1] = 1e-9
    assert block_groups(weights) == 1


def test_zeros_alone_are_no_groups() -> None:
    assert block_groups(np.zeros((4, 1, 1, 4))) == 1


@pytest.mark.parametrize(
    ("groups", "rows", "width", "kind"),
    [(16, 1, 1, "DepthwiseConv2D"), (16, 2, 1, "DepthwiseConv2D"), (4, 8, 4, "Conv2D")],
)
def test_they_are_taken_apart(groups: int, rows: int, width: int, kind: str) -> None:
    graph, support = dense(blocks(groups, rows, width)), machine(BOTH)
    adapted = adapt(graph, support)
    assert kinds(adapted.graph) == {kind: 1} and dict(adapted.steps) == {"layer": (STEP,)}
    assert dict(check(graph, support).groups) == {"layer": groups}
    assert max(difference(graph, adapted.graph, seed=2).values()) < 1e-6
    before, after = check(graph, support), check(adapted.graph, support)
    assert after.macs * groups == before.macs and after.cycles < before.cycles  # type: ignore[operator]


def test_not_where_it_is_no_faster_or_not_there() -> None:
    # 3 inputs of 4: two groups at a time do not lie side by side, and the dense one takes as many passes.
    graph = dense(blocks(4, 1, 3))
    assert adapt(graph, machine(BOTH)).graph is graph and not check(graph, machine(BOTH)).groups
    graph = dense(blocks(16, 4, 1))
    assert adapt(graph, machine({**BOTH, "Conv2D": Limits(groups=1)})).graph is graph
