"""A network cut into blocks: parts that are learned together, each with one output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from octavo.ir.extract import extract
from octavo.ir.graph import Graph, Node
from octavo.ops import Clip, LogSoftmax, Maximum, Minimum, Softmax
from octavo.quant.rounding.windows import layout_of

__all__ = ["Block", "partition"]

_CLAMPS = Clip | Maximum | Minimum
_LARGEST = 8


@dataclass(frozen=True)
class Block:
    """Nodes in order, and those of them that are linear layers; ``output`` is None where there is nothing to learn."""

    nodes: tuple[Node, ...]
    layers: tuple[Node, ...]
    output: str | None

    @property
    def name(self) -> str:
        """The source of the first and of the last layer."""
        names = [node.source or node.name for node in self.layers]
        return names[0] if len(names) < 2 else f"{names[0]} to {names[-1]}"


def partition(graph: Graph, most: int) -> list[Block]:
    """Blocks of about ``most`` linear layers, in an order in which they can run; every node is in one of them.

    A cut is where one value alone is alive, so that a residual branch is never cut (Li et al. 2021, BRECQ). What lies
    between two cuts stays whole, however many layers it has; neighbours join up to ``most`` layers. With ``most`` 1,
    or where more than eight layers or several outputs lie between two cuts, each layer is a block of its own, with the
    clamps that alone read it. A Softmax is never in a block with layers: behind it an error hardly shows.
    """
    blocks: list[Block] = []
    for nodes in _joined(graph, list(_between_cuts(graph)), most):
        count = sum(layout_of(graph, node) is not None for node in nodes)
        split = most == 1 or count > max(most, _LARGEST) or len(extract(graph, nodes).outputs) > 1
        parts = _single(graph, nodes) if split else [nodes]
        blocks += [_block(graph, part) for part in parts]
    return blocks


def _between_cuts(graph: Graph) -> Iterator[tuple[Node, ...]]:
    last = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
    live, start = set(graph.inputs), 0
    for index, node in enumerate(graph.nodes):
        live.update(node.outputs)
        live = {value for value in live if last.get(value, -1) > index or value in graph.outputs}
        if len(live) == 1 or index == len(graph.nodes) - 1:
            yield graph.nodes[start : index + 1]
            start = index + 1


def _joined(graph: Graph, parts: Sequence[tuple[Node, ...]], most: int) -> list[tuple[Node, ...]]:
    """Neighbours together, up to ``most`` layers; what has none stays with the layers before it."""
    found: list[tuple[Node, ...]] = []
    before = 0
    for nodes in parts:
        count = sum(layout_of(graph, node) is not None for node in nodes)
        apart = any(isinstance(node.op, Softmax | LogSoftmax) for node in nodes)
        if found and not apart and (count == 0 or 0 < before and before + count <= most):
            found[-1] += nodes
            before += count
        else:
            found.append(nodes)
            before = most if apart else count
    return found


def _single(graph: Graph, nodes: tuple[Node, ...]) -> list[tuple[Node, ...]]:
    """Each layer with the clamps that follow it; the other nodes alone."""
    readers = graph.consumers()
    taken: set[str] = set()
    found = []
    for node in nodes:
        if node.name in taken:
            continue
        part = [node]
        while layout_of(graph, node) is not None and len(readers[part[-1].outputs[0]]) == 1:
            following = readers[part[-1].outputs[0]][0]
            moving = [value for value in following.inputs if value not in graph.consts]
            if not isinstance(following.op, _CLAMPS) or len(moving) > 1 or part[-1].outputs[0] in graph.outputs:
                break
            part.append(following)
        taken |= {each.name for each in part}
        found.append(tuple(part))
    return found


def _block(graph: Graph, nodes: tuple[Node, ...]) -> Block:
    layers = tuple(node for node in nodes if layout_of(graph, node) is not None)
    outputs = extract(graph, nodes).outputs
    return Block(nodes, layers, outputs[0] if layers and len(outputs) == 1 else None)
