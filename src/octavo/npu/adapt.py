"""Rewrites what a target does not support, layer by layer, and proves that the network stays the same function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from octavo.ir.check import verify
from octavo.ir.extract import extract
from octavo.ir.graph import Graph, Node
from octavo.npu.block_diagonal import STEP, grouped, hidden_groups
from octavo.npu.rewrites import REWRITES, Rewrite
from octavo.npu.support import Support
from octavo.passes.proof import prove
from octavo.passes.rewrite import Draft, Rule, sweep

__all__ = ["Adaptation", "Remedy", "adapt", "find_remedy"]

_ROUNDS = 16
_MAX_NODES = 200


@dataclass(frozen=True)
class Remedy:
    """A layer as layers that the target supports, and the rewrites that lead there, in order."""

    part: Graph = field(repr=False)
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Adaptation:
    """The rewritten graph, the rewrites of each layer by source, and the largest relative difference of the outputs."""

    graph: Graph = field(repr=False)
    steps: Mapping[str, tuple[str, ...]]
    difference: float


def find_remedy(graph: Graph, node: Node, support: Support) -> Remedy | None:
    """How a layer that is not supported becomes layers that are; None where no chain of rewrites leads there."""
    found, steps = extract(graph, [node]), list[str]()
    if not found.inputs:
        return None
    for _ in range(_ROUNDS):
        if not any(support.reasons(inner, found.types.__getitem__) for inner in found.nodes):
            return Remedy(found, tuple(dict.fromkeys(steps)))
        for name, rewrite in REWRITES.items():
            after = sweep(found, _where_unsupported(support, rewrite))
            if after is not found and len(after.nodes) <= _MAX_NODES:
                found = after
                steps.append(name)
                break
        else:
            return None
    return None


def _where_unsupported(support: Support, rewrite: Rewrite) -> Rule:
    return lambda draft, node: rewrite(support, draft, node) if support.reasons(node, draft.type) else None


def adapt(graph: Graph, support: Support) -> Adaptation:
    """Every unsupported layer with a remedy rewritten, and hidden groups taken apart where that is faster.

    OctavoError if the function should change by it.
    """
    steps: dict[str, tuple[str, ...]] = dict.fromkeys(hidden_groups(graph, support), (STEP,))
    before, graph = graph, grouped(graph, support)
    remedies: dict[str, Remedy] = {}
    for node in graph.nodes:
        if support.reasons(node, graph.types.__getitem__):
            remedy = find_remedy(graph, node, support)
            if remedy is not None:
                remedies[node.name] = remedy
    old = {node.name: node for node in graph.nodes}

    def rule(draft: Draft, node: Node) -> str | None:
        remedy = remedies.get(node.name)
        return None if remedy is None else _spliced(draft, node, old[node.name], remedy.part)

    after = sweep(graph, rule)
    if after is before:
        return Adaptation(graph, MappingProxyType({}), 0.0)
    verify(after, "adapted graph")
    for name, remedy in remedies.items():
        source = old[name].source or name
        steps[source] = (*steps.get(source, ()), *remedy.steps)
    return Adaptation(after, MappingProxyType(steps), prove(before, after))


def _spliced(draft: Draft, node: Node, old: Node, part: Graph) -> str:
    """The nodes of ``part`` in place of ``node``, which reads the new graph as ``old`` read the one before."""
    now = dict(zip(old.inputs, node.inputs, strict=True))
    for name, array in part.consts.items():
        # A rewrite's constant may have taken the name of the one that it replaces.
        if draft.graph.consts.get(name) is not array:
            now[name] = draft.const(array, name)
    for inner in part.nodes:
        now[inner.outputs[0]] = draft.add(inner.op, [now[value] for value in inner.inputs], node)
    return now[part.outputs[0]]
