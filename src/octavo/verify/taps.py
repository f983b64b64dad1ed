"""When each value of a program is whole on the device, how long it must stay, and where it lies.

The device stands still at marks: at mark m, m calls of kernels have run. A value is whole at the mark behind the call
that makes it, and must hold until the last call that reads it begins. Nodes without code (reshapes, joins) have no
mark; their values are whole when what they name is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import Strips

__all__ = ["Call", "Place", "Tap", "calls_of", "hidden_values", "places_of", "taps_of"]


@dataclass(frozen=True)
class Place:
    """A row of the manifest's plan: a value, working memory or a buffer, and where it lies."""

    name: str
    kind: str
    first: int
    last: int
    offset: int
    nbytes: int

    @property
    def end(self) -> int:
        """The byte behind its last."""
        return self.offset + self.nbytes

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name} (bytes {self.offset:,} to {self.end - 1:,})"


@dataclass(frozen=True)
class Call:
    """A node that runs code, and its step among all nodes."""

    node: Node
    step: int

    @property
    def kernel(self) -> str:
        """The C function, without its prefix."""
        assert isinstance(self.node.op, IntegerOp)
        return self.node.op.kernel


@dataclass(frozen=True)
class Tap:
    """A value that can be compared from mark ``made`` to mark ``until``.

    Its pixels of ``pixel`` bytes begin ``stride`` bytes apart: other channels lie in between where they differ.
    """

    value: str
    made: int
    until: int
    offset: int
    shape: tuple[int, ...]
    dtype: str
    pixel: int
    stride: int

    @property
    def nbytes(self) -> int:
        """Bytes of the value alone."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def extent(self) -> int:
        """Bytes from its first to its last."""
        return self.nbytes if self.pixel == self.stride else self.stride * (self.nbytes // self.pixel - 1) + self.pixel

    def array(self, data: bytes, order: Literal["<", ">"] = "<") -> Array:
        """The value in the ``extent`` bytes that a device gave."""
        raw = np.frombuffer(data, np.uint8)
        if self.pixel != self.stride:
            pixels = self.nbytes // self.pixel
            raw = raw[np.arange(pixels)[:, None] * self.stride + np.arange(self.pixel)].reshape(-1)
        return raw.view(np.dtype(self.dtype).newbyteorder(order)).reshape(self.shape)


def calls_of(graph: Graph) -> list[Call]:
    """The nodes with a mark before them, in order."""
    return [Call(node, step) for step, node in enumerate(graph.nodes) if not _alias(node)]


def _alias(node: Node) -> bool:
    return isinstance(node.op, IntegerOp) and node.op.alias


def places_of(manifest: Mapping[str, Any], where: str) -> dict[str, Place]:
    """The plan in a manifest, by name. OctavoError when it makes no sense."""
    try:
        size = int(manifest["arena_bytes"])
        rows = [
            Place(str(row["name"]), str(row["kind"]), *(int(row[key]) for key in ("first", "last", "offset", "bytes")))
            for row in manifest["arena_values"]
        ]
        if not all(0 <= row.offset and row.end <= size for row in rows):
            raise ValueError("a value lies outside of the arena")
    except (KeyError, TypeError, ValueError) as error:
        raise OctavoError(where, f"has no plan of its arena ({error})", "Compile the model again.") from error
    return {row.name: row for row in rows}


def taps_of(graph: Graph, places: Mapping[str, Place]) -> list[Tap]:
    """Every value of the program, in the order in which they become whole."""
    before = [0]
    for node in graph.nodes:
        before.append(before[-1] + (not _alias(node)))
    made = dict.fromkeys(graph.inputs, 0)
    until: dict[str, int] = {}
    apart: dict[str, int] = {}
    for step, node in enumerate(graph.nodes):
        made[node.outputs[0]] = before[step + 1]
        apart[node.outputs[0]] = _stride(node, graph)
        until |= {value: before[step] for value in node.inputs if value not in graph.consts}
    until |= dict.fromkeys(graph.outputs, before[-1])
    taps = []
    for value, mark in made.items():
        type_ = graph.types[value]
        pixel = type_.shape[-1] * np.dtype(type_.dtype).itemsize if type_.shape else type_.nbytes
        stride = apart.get(value) or pixel
        end = max(until.get(value, mark), mark)
        taps.append(Tap(value, mark, end, places[value].offset, type_.shape, type_.dtype, pixel, stride))
    return sorted(taps, key=lambda tap: tap.made)


def _stride(node: Node, graph: Graph) -> int:
    """Bytes from pixel to pixel of an output that lies in a larger one; 0 where it lies alone."""
    op: Any = node.op
    type_ = graph.types[node.outputs[0]]
    if op.extent(type_) == type_.nbytes:
        return 0
    return int(op.out_stride) * np.dtype(type_.dtype).itemsize


def hidden_values(network: Graph, program: Graph) -> dict[str, str]:
    """Values of the integer network that the device never holds as a whole, and why."""
    hidden: dict[str, str] = {}
    for node in program.nodes:
        if isinstance(node.op, Strips):
            where = node.source or node.name
            for stage in node.op.stages[:-1]:
                hidden[stage.node.outputs[0]] = f"made strip by strip in {where}"
    known = set(program.activations()) | set(hidden)
    for value in network.activations():
        if value not in known:
            hidden[value] = "padding that the convolution after it does itself"
    return hidden
