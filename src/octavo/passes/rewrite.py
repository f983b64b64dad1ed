"""How a pass rewrites: one sweep in topological order builds a new graph beside the old one.

A rule sees each node with its inputs already renamed to the new graph, looks backwards at what is already built, and
either keeps the node (None) or says which value of the new graph replaces the node's output. What nothing reads any
more disappears when the sweep ends, so that a rule may leave its attempts behind.

    def rule(draft: Draft, node: Node) -> str | None:
        return node.inputs[0] if isinstance(node.op, Identity) else None

    graph = sweep(graph, rule)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array, Graph, Moments, Node, Operator, TensorType
from octavo.ops import Identity

__all__ = ["Draft", "Rule", "rename_values", "sweep", "without_dead_code"]


class Draft:
    """The new graph while a sweep builds it. Lives only inside one call of ``sweep``.

    ``bold`` asks rules for rewrites that pay only if what they leave behind cancels later.
    """

    def __init__(self, graph: Graph, bold: bool = False) -> None:
        self.graph = graph
        self.bold = bold
        self._types: dict[str, TensorType] = {name: graph.types[name] for name in (*graph.inputs, *graph.consts)}
        self._consts: dict[str, Array] = dict(graph.consts)
        self._moments: dict[str, Moments] = dict(graph.moments)
        self._nodes: dict[str, Node] = {}
        self._now: dict[str, str] = {name: name for name in self._types}
        self._wishes: dict[str, str] = {}
        self._taken: set[str] = {*graph.types, *(node.name for node in graph.nodes)}
        self._next: Counter[str] = Counter()
        self._old_reads = Counter([*(v for node in graph.nodes for v in node.inputs), *graph.outputs])
        self._reads: Counter[str] = Counter({name: self._old_reads[name] for name in self._types})

    def type(self, value: str) -> TensorType:
        """Type of a value of the new graph."""
        return self._types[value]

    def shape(self, value: str) -> tuple[int, ...]:
        """Shape of a value of the new graph."""
        return self._types[value].shape

    def value(self, name: str) -> Array | None:
        """The constant of that name, or None when it is not a constant."""
        return self._consts.get(name)

    def values(self, names: Sequence[str]) -> list[NDArray[np.float64]] | None:
        """All these constants in float64, or None when one is not a constant."""
        if any(name not in self._consts for name in names):
            return None
        return [self._consts[name].astype(np.float64) for name in names]

    def producer(self, value: str) -> Node | None:
        """The node of the new graph that defines ``value``; None for inputs and constants."""
        return self._nodes.get(value)

    def read_once(self, value: str) -> bool:
        """Whether no more than one node or output reads ``value`` (when in doubt, no)."""
        return self._reads[value] <= 1

    def add(self, op: Operator, inputs: Sequence[str], origin: Node) -> str:
        """Append a node and return its output; it will take ``origin``'s place in reports."""
        (type,) = op.infer([self._types[value] for value in inputs])
        name = self._fresh(origin.outputs[0])
        self._types[name] = type
        self._nodes[name] = Node(name, op, tuple(inputs), (name,), origin.source or origin.name)
        return name

    def const(self, array: NDArray[np.floating], like: str) -> str:
        """Add a float32 constant that may inherit the name ``like``."""
        stored = np.ascontiguousarray(array, dtype=np.float32)
        if stored.shape != array.shape:
            stored = stored.reshape(array.shape)
        if stored is array:
            stored = stored.copy()
        stored.setflags(write=False)
        name = self._fresh(like)
        self._wishes[name] = like
        self._consts[name] = stored
        self._types[name] = TensorType(tuple(int(d) for d in stored.shape), "float32")
        return name

    def moments(self, bias: str) -> Moments | None:
        """Mean and standard deviation of what the layer with this bias gives before its activation, if known."""
        return self._moments.get(bias)

    def set_moments(self, bias: str, moments: Moments) -> None:
        """Say so of a new bias; without it the moments of the old one are forgotten."""
        self._moments[bias] = moments

    def current(self, node: Node) -> Node:
        """An old node, reading the new graph."""
        return replace(node, inputs=tuple(self._now[value] for value in node.inputs))

    def keep(self, node: Node) -> None:
        """Take a node over as it is (its inputs are values of the new graph)."""
        for value in node.outputs:
            self._types[value] = self.graph.types[value]
            self._nodes[value] = node
            self._now[value] = value
            self._reads[value] = self._old_reads[value]

    def become(self, old: str, new: str) -> None:
        """From here on, what was ``old`` is ``new``."""
        self._now[old] = new
        self._reads[new] += self._old_reads[old]
        if new not in self.graph.types:
            self._wishes.setdefault(new, old)

    def finish(self) -> Graph:
        """The new graph, without dead code, with the old names where they are free."""
        outputs = self._outputs()
        nodes = list(dict.fromkeys(self._nodes.values()))
        types, consts, moments = self._types, self._consts, self._moments
        graph = self.graph.with_(
            outputs=outputs, nodes=tuple(nodes), types=types, consts=consts, layouts={}, moments=moments
        )
        graph = without_dead_code(graph)
        graph = rename_values(graph, self._granted(graph))
        return graph.with_(outputs=self.graph.outputs, layouts=self.graph.layouts)

    def _outputs(self) -> tuple[str, ...]:
        """The new values of the outputs: each a value of its own, made by a node unless it was none before."""
        claimed: dict[str, str] = {}
        for old in self.graph.outputs:
            new = self._now[old]
            if new != old and (new not in self._nodes or claimed.get(new, old) != old or new in self.graph.outputs):
                new = self.add(Identity(), [new], Node(old, Identity(), (), (old,)))
            if new != old:
                self._wishes[new] = old
            claimed[new] = old
        return tuple({old: new for new, old in claimed.items()}[old] for old in self.graph.outputs)

    def _granted(self, graph: Graph) -> dict[str, str]:
        """New names: the outputs' first, then whoever comes first."""
        wishes = {new: old for new, old in zip(graph.outputs, self.graph.outputs, strict=True) if new != old}
        used = set(graph.types) | set(wishes.values())
        for value in graph.types:
            wish = self._wishes.get(value)
            if wish is not None and value not in wishes and wish not in used:
                wishes[value] = wish
                used.add(wish)
        return wishes

    def _fresh(self, base: str) -> str:
        while True:
            self._next[base] += 1
            name = f"{base}_{self._next[base]}"
            if name not in self._taken:
                self._taken.add(name)
                return name


Rule = Callable[[Draft, Node], str | None]


def sweep(graph: Graph, rule: Rule, bold: bool = False) -> Graph:
    """Apply ``rule`` to every node once, in order; the graph itself when the rule never fires."""
    draft = Draft(graph, bold)
    changed = False
    for node in graph.nodes:
        current = draft.current(node)
        value = rule(draft, current) if len(node.outputs) == 1 else None
        if value is None:
            draft.keep(current)
        else:
            changed = True
            draft.become(node.outputs[0], value)
    return draft.finish() if changed else graph


def without_dead_code(graph: Graph) -> Graph:
    """The graph without the nodes and constants that no output needs (inputs stay); itself when there are none."""
    needed = set(graph.outputs)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            needed.update(node.inputs)
    live = needed.union(graph.inputs, *(node.outputs for node in nodes))
    if len(nodes) == len(graph.nodes) and live.issuperset(graph.types):
        return graph
    types = {name: type for name, type in graph.types.items() if name in live}
    consts = {name: array for name, array in graph.consts.items() if name in live}
    return graph.with_(nodes=tuple(reversed(nodes)), types=types, consts=consts)


def rename_values(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Give values new names, which must be free or given up by the same call; a node is named as its output."""
    if not names:
        return graph

    def now(value: str) -> str:
        return names.get(value, value)

    taken = {node.name for node in graph.nodes if not any(value in names for value in node.outputs)}
    nodes = []
    for node in graph.nodes:
        inputs, outputs = tuple(map(now, node.inputs)), tuple(map(now, node.outputs))
        name = node.name
        if outputs != node.outputs:
            name = outputs[0] if outputs[0] not in taken else node.name
            taken.add(name)
        nodes.append(replace(node, name=name, inputs=inputs, outputs=outputs))
    return graph.with_(
        inputs=tuple(map(now, graph.inputs)),
        outputs=tuple(map(now, graph.outputs)),
        nodes=tuple(nodes),
        types={now(value): type for value, type in graph.types.items()},
        consts={now(value): array for value, array in graph.consts.items()},
        layouts={now(value): perm for value, perm in graph.layouts.items()},
        moments={now(value): pair for value, pair in graph.moments.items()},
    )
