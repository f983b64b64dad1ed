"""The network against the one it was made from: the first layer that differs, and what is other in it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import octavo
from octavo.diagnosis.reference import compared, mended
from octavo.ir.graph import Array, Graph, Node
from octavo.ops import Clip, Conv2D
from octavo.passes.equalize import equalize
from octavo.pipeline.samples import Samples, gather
from tests.networks.batch_norm import inverted_residual


@lru_cache(maxsize=1)
def trained() -> tuple[Graph, Array]:
    return inverted_residual(samples=24)


def samples() -> Samples:
    graph, x = trained()
    return gather(graph, x)[0]


def convolution(place: int) -> Node:
    return [node for node in trained()[0].nodes if isinstance(node.op, Conv2D)][place]


def with_op(node: Node, **attributes: Any) -> Graph:
    graph = trained()[0]
    new = replace(node, op=replace(node.op, **attributes))  # type: ignore[type-var]
    return graph.with_(nodes=tuple(new if other is node else other for other in graph.nodes))


def with_weights(node: Node, change: Any) -> Graph:
    graph, name = trained()[0], node.inputs[1]
    return graph.with_(consts={**graph.consts, name: np.ascontiguousarray(change(graph.consts[name].copy()))})


def emptied(array: Array) -> Array:
    array[2] = 0
    return array


@pytest.mark.parametrize(
    ("place", "change", "kind"),
    [
        (0, {"activation": Clip(0.0, 2.0)}, "activation"),
        (3, lambda w: w.transpose(3, 1, 2, 0), "transposed weights"),
        (2, emptied, "dead channels"),
        (1, lambda w: w * np.float32(1.1), "layer differs"),
    ],
)
def test_the_layer_and_what_is_other_in_it(place: int, change: Any, kind: str) -> None:
    graph, node = trained()[0], convolution(place)
    if kind == "transposed weights":
        node = next(n for n in graph.nodes if isinstance(n.op, Conv2D) and len(set(graph.consts[n.inputs[1]].shape)) < 3
                    and graph.consts[n.inputs[1]].shape[0] == graph.consts[n.inputs[1]].shape[3])  # fmt: skip
    wrong = with_op(node, **change) if isinstance(change, dict) else with_weights(node, change)
    found = compared(wrong, graph, samples())
    assert [(d.node.name, d.kind) for d in found.differences] == [(node.name, kind)]
    healed = mended(wrong, graph, found.differences)
    assert not compared(healed, graph, samples()).differences


def test_channels_scaled_without_effect_are_no_difference() -> None:
    """Cross-layer equalization changes every value inside and nothing outside."""
    found = compared(equalize(trained()[0]).graph, trained()[0], samples())
    assert not found.differences and found.unpaired == 0 and found.quality.sqnr_db > 60


def test_another_network_is_refused() -> None:
    graph, x = trained()
    other, _ = inverted_residual(classes=7, samples=24)
    with pytest.raises(octavo.OctavoError, match="another first output"):
        octavo.diagnose(graph, x, reference=other)
