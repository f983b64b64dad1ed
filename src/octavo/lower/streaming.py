"""Which layers read their constants from slow memory, by way of buffers in the arena, and how long these live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from octavo.ir.graph import Graph, Node
from octavo.memory import Buffer
from octavo.ops.base import IntegerOp

__all__ = ["Stream", "Streaming", "choose_streams", "stream_buffers", "stream_name"]


def stream_name(node: Node) -> str:
    """The name under which the buffer of a node's constants is planned."""
    return f"{node.name}:stream"


@dataclass(frozen=True)
class Stream:
    """A node's constants as one block: the widest elements first, so that there are no gaps; bytes with the end's."""

    consts: tuple[str, ...]
    nbytes: int
    alignment: int


@dataclass(frozen=True)
class Streaming:
    """``streams`` by node; ``resident`` says why a node with constants has none."""

    streams: Mapping[str, Stream] = field(default_factory=dict)
    resident: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "streams", MappingProxyType(dict(self.streams)))
        object.__setattr__(self, "resident", MappingProxyType(dict(self.resident)))

    @property
    def nbytes(self) -> int:
        """Bytes of slow memory."""
        return sum(stream.nbytes for stream in self.streams.values())

    @property
    def alignment(self) -> int:
        """What the buffers' offsets must be multiples of."""
        return max((stream.alignment for stream in self.streams.values()), default=1)


def choose_streams(graph: Graph, limit: int | None) -> Streaming:
    """Every node whose constants take at most ``limit`` bytes is streamed; none without a limit.

    Constants that several nodes read stay where they are, and so do their nodes.
    """
    if limit is None:
        return Streaming()
    readers = Counter(value for node in graph.nodes for value in set(node.inputs) if value in graph.consts)
    streams, resident = {}, {}
    for node in graph.nodes:
        assert isinstance(node.op, IntegerOp)
        consts = [value for value in dict.fromkeys(node.inputs) if value in graph.consts]
        if not consts or node.op.alias:
            continue
        stream = _stream(graph, consts)
        if stream.nbytes > limit:
            resident[node.name] = f"{stream.nbytes:,} bytes, more than {limit:,}"
        elif any(readers[value] > 1 for value in consts):
            resident[node.name] = "shares constants with another layer"
        else:
            streams[node.name] = stream
    return Streaming(streams, resident)


def _stream(graph: Graph, consts: list[str]) -> Stream:
    width = {value: np.dtype(graph.types[value].dtype).itemsize for value in consts}
    order = sorted(consts, key=lambda value: (-width[value], -graph.types[value].nbytes))
    widest = width[order[0]]
    total = sum(graph.types[value].nbytes for value in consts)
    return Stream(tuple(order), -(-total // widest) * widest, widest)


def stream_buffers(graph: Graph, streaming: Streaming) -> list[Buffer]:
    """The buffers' lives: from the call before, during which they are filled, to the call that reads them."""
    buffers = []
    before: int | None = None
    for step, node in enumerate(graph.nodes):
        assert isinstance(node.op, IntegerOp)
        if node.op.alias:
            continue
        if stream := streaming.streams.get(node.name):
            buffers.append(Buffer(stream_name(node), stream.nbytes, step if before is None else before, step))
        before = step
    return buffers
