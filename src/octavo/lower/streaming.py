"""Which layers read their constants from slow memory, by way of buffers in the arena, and how long these live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.memory import Buffer
from octavo.ops.base import IntegerOp

__all__ = [
    "LEAST",
    "Stream",
    "Streaming",
    "check_stream",
    "choose_streams",
    "stream_buffers",
    "stream_name",
    "stream_of",
]

LEAST = 64
"""Bytes: fewer constants than these are not worth a copy, and a layer that has no more computes next to nothing."""


def check_stream(limit: int) -> None:
    """OctavoError for buffers too small for any layer."""
    if limit < LEAST:
        raise OctavoError(f"stream {limit}", f"is less than {LEAST} bytes", f"Allow each buffer {LEAST} bytes or more.")


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


def choose_streams(graph: Graph, limit: int | None, whole: Mapping[str, str] | None = None) -> Streaming:
    """Every node whose constants take LEAST to ``limit`` bytes is streamed; none without a limit.

    Constants that several nodes read stay where they are, and so do their nodes. ``whole`` says by node why one with
    more constants was not cut into pieces. Fewer constants than LEAST stay without a word.
    """
    if limit is None:
        return Streaming()
    readers = Counter(value for node in graph.nodes for value in set(node.inputs) if value in graph.consts)
    streams, resident = {}, {}
    for node in graph.nodes:
        stream = stream_of(graph, node)
        if stream is None or stream.nbytes < LEAST:
            continue
        if stream.nbytes > limit:
            why = (whole or {}).get(node.name, "")
            resident[node.name] = f"{stream.nbytes:,} bytes, more than {limit:,}" + (f", {why}" if why else "")
        elif any(readers[value] > 1 for value in stream.consts):
            resident[node.name] = "shares constants with another layer"
        else:
            streams[node.name] = stream
    return Streaming(streams, resident)


def stream_of(graph: Graph, node: Node) -> Stream | None:
    """A node's constants as one block; None when it has none."""
    assert isinstance(node.op, IntegerOp)
    consts = [value for value in dict.fromkeys(node.inputs) if value in graph.consts]
    if not consts or node.op.alias:
        return None
    width = {value: np.dtype(graph.types[value].dtype).itemsize for value in consts}
    order = sorted(consts, key=lambda value: (-width[value], -graph.types[value].nbytes))
    widest = width[order[0]]
    total = sum(graph.types[value].nbytes for value in consts)
    return Stream(tuple(order), -(-total // widest) * widest, widest)


def stream_buffers(graph: Graph, streaming: Streaming) -> list[Buffer]:
    """The buffers' lives: from the step during which they are filled to the one that reads them.

    They are filled while the layer before computes, from its first instruction on. Steps that have next to no
    constants are no such layers: a pooling or a copy would be over before the constants have come.
    """
    buffers = []
    calls = [step for step, node in enumerate(graph.nodes) if isinstance(node.op, IntegerOp) and not node.op.alias]
    start = calls[0] if calls else 0
    for step, node in enumerate(graph.nodes):
        stream = stream_of(graph, node)
        if stream is None or stream.nbytes < LEAST:
            continue
        if node.name in streaming.streams:
            buffers.append(Buffer(stream_name(node), stream.nbytes, start, step))
        start = step
    return buffers
