"""Samples as bytes: how harnesses on the host and on boards hand the values of a network over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array, Graph

__all__ = ["pack", "unpack"]


def pack(graph: Graph, names: Sequence[str], values: Mapping[str, Array]) -> NDArray[np.int8]:
    """The bytes of the values [N, ...] of each sample, one value after the other, little-endian: int8 [N, bytes]."""
    parts = []
    for name in names:
        array = np.ascontiguousarray(values[name], np.dtype(graph.types[name].dtype).newbyteorder("<"))
        parts.append(array.reshape(len(array), -1).view(np.int8))
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def unpack(graph: Graph, names: Sequence[str], packed: NDArray[np.int8]) -> dict[str, Array]:
    """The values [N, ...] that ``pack`` made int8 [N, bytes] of."""
    values: dict[str, Array] = {}
    start = 0
    for name in names:
        type_ = graph.types[name]
        part = np.ascontiguousarray(packed[:, start : start + type_.nbytes])
        values[name] = part.view(np.dtype(type_.dtype).newbyteorder("<")).reshape(len(packed), *type_.shape[1:])
        start += type_.nbytes
    return values
