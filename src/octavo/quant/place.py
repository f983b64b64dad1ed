"""Which values share an encoding: the operators' constraints, solved by union-find.

Cases: (1) Free: a group of its own; (2) Share: the output joins the inputs' group; (3) Fixed: the group's encoding is
given; a fixed encoding and another in one group are a conflict, which ``align`` resolves beforehand by inserting a
Requantize on the fixed input.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.ops import Maximum, Minimum, Op, Requantize
from octavo.ops.base import Fixed, Share
from octavo.quant.regions import regions

__all__ = ["Placement", "align", "place"]


@dataclass(frozen=True)
class Placement:
    """``groups``: value -> representative; ``fixed``: representative -> its given encoding; ``reasons`` in words."""

    groups: Mapping[str, str]
    fixed: Mapping[str, Fixed]
    reasons: Mapping[str, str]


class _Groups:
    """Union-find over value names; the earliest-defined value represents its group."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self.fixed: dict[str, Fixed] = {}

    def find(self, value: str) -> str:
        root = self._parent.setdefault(value, value)
        while root != self._parent[root]:
            root = self._parent[root]
        self._parent[value] = root
        return root

    def compatible(self, a: str, b: str) -> bool:
        first, second = self.fixed.get(self.find(a)), self.fixed.get(self.find(b))
        return first is None or second is None or first == second

    def union(self, a: str, b: str) -> None:
        first, second = self.find(a), self.find(b)
        if first == second:
            return
        self._parent[second] = first
        if second in self.fixed:
            self.fixed[first] = self.fixed.pop(second)


def _shared_inputs(node: Node, share: Share) -> tuple[str, ...]:
    return node.inputs if share.inputs == (-1,) else tuple(node.inputs[index] for index in share.inputs)


def _judges(graph: Graph, node: Node, share: Share) -> tuple[str, ...]:
    """The inputs whose encodings must agree; a clamp's constant may saturate and adapts to the other."""
    shared = _shared_inputs(node, share)
    moving = tuple(value for value in shared if value not in graph.consts)
    return moving if isinstance(node.op, Minimum | Maximum) else shared


def _constraint(node: Node) -> object:
    assert isinstance(node.op, Op)
    return node.op.constraint()


def place(graph: Graph) -> Placement:
    """Solve the constraints of a graph that ``align`` has prepared."""
    groups = _Groups()
    reasons: dict[str, str] = {}
    for value in graph.inputs:
        groups.find(value)
    for node in graph.nodes:
        constraint, output = _constraint(node), node.outputs[0]
        groups.find(output)
        if isinstance(constraint, Fixed):
            groups.fixed[output] = constraint
            reasons[output] = f"{node.kind} has a fixed output encoding"
        elif isinstance(constraint, Share):
            for value in _shared_inputs(node, constraint):
                if not groups.compatible(value, output):
                    raise OctavoError(
                        node.source or node.name,
                        f"{node.kind} joins values with different fixed encodings",
                        "Run align first.",
                    )
                groups.union(value, output)
            reasons[output] = f"{node.kind} shares its input's encoding"
    members = [*graph.activations(), *(v for v in graph.consts if v in groups._parent)]
    return Placement({value: groups.find(value) for value in members}, dict(groups.fixed), reasons)


def align(graph: Graph, wide: Set[str] = frozenset()) -> Graph:
    """Insert a Requantize where an operator would join a value of a fixed encoding with one of another.

    Without it, the fixed encoding (a sigmoid's [0, 1)) would clip the other values. A Requantize also stands wherever
    the dtype changes between the nodes named in ``wide``, which are int16, and the others.
    """
    graph = regions(graph, wide)
    groups = _Groups()
    nodes: list[Node] = []
    types = dict(graph.types)
    for node in graph.nodes:
        constraint, output = _constraint(node), node.outputs[0]
        groups.find(output)
        if isinstance(constraint, Fixed):
            groups.fixed[output] = constraint
        elif isinstance(constraint, Share):
            inputs = list(node.inputs)
            mixed = len({groups.fixed.get(groups.find(v)) for v in _judges(graph, node, constraint)}) > 1
            for index, value in enumerate(inputs):
                if value not in _shared_inputs(node, constraint):
                    continue
                if mixed and groups.find(value) in groups.fixed:
                    fresh = f"{node.name}.requantize{index}"
                    types[fresh] = types[value]
                    nodes.append(Node(fresh, Requantize(), (value,), (fresh,), node.source))
                    groups.find(fresh)
                    inputs[index] = value = fresh
                groups.union(value, output)
            node = Node(node.name, node.op, tuple(inputs), node.outputs, node.source)
        nodes.append(node)
    return graph.with_(nodes=tuple(nodes), types=types)
