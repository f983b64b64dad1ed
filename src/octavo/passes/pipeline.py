"""The standard pipeline: from what an importer gives to what the quantizer takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.passes import proof
from octavo.passes.decompose import decompose
from octavo.passes.fold_batch_norm import fold_batch_norm
from octavo.passes.fold_constants import fold_constants
from octavo.passes.fold_padding import fold_padding
from octavo.passes.fuse_activation import fuse_activation
from octavo.passes.layout import layout
from octavo.passes.match_functions import match_functions
from octavo.passes.merge import merge
from octavo.passes.remove_identity import remove_identity
from octavo.passes.replace_batch_norm import replace_batch_norm

__all__ = ["PIPELINE", "Pass", "normalize"]

Pass = Callable[[Graph], Graph]

_SIMPLIFY: tuple[Pass, ...] = (
    fold_constants,
    remove_identity,
    match_functions,
    layout,
    fold_batch_norm,
    fold_padding,
    fuse_activation,
    merge,
)
PIPELINE: tuple[tuple[Pass, ...], ...] = (_SIMPLIFY, (decompose, replace_batch_norm, *_SIMPLIFY))
"""Stages, each repeated until it changes nothing (or 32 times): first what folds, then what could not."""

_ROUNDS = 32


def normalize(graph: Graph, check: Callable[..., Any] | None = None, prove: bool | None = None) -> Graph:
    """The graph that means the same with the fewest operators: no transposes in a CNN, no batch norm, no padding.

    The graph is verified after every pass by ``check(graph, stage)`` (``octavo.ir.check.verify`` by default). With
    ``prove``, or OCTAVO_PROVE=1 in the environment, every pass that changed something is run against the graph
    before it on random inputs, and a difference above 1e-5 is an OctavoError.
    """
    verified = verify if check is None else check
    proving = os.environ.get("OCTAVO_PROVE", "0") not in ("", "0") if prove is None else prove
    for stage in PIPELINE:
        graph = _fixpoint(graph, stage, verified, proving)
    return graph


def _fixpoint(graph: Graph, passes: tuple[Pass, ...], verified: Callable[..., Any], proving: bool) -> Graph:
    for _ in range(_ROUNDS):
        before = graph
        for step in passes:
            graph = _checked(graph, step, verified, proving)
        if graph is before:
            break
    return graph


def _checked(graph: Graph, step: Pass, verified: Callable[..., Any], proving: bool) -> Graph:
    after = step(graph)
    if after is graph:
        return graph
    verified(after, step.__name__)
    if proving:
        proof.prove(graph, after)
    return after
