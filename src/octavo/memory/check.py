"""An independent check of an arena plan: it shares no code with the planner and looks at every pair of values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.memory.arena import Arena
from octavo.memory.buffers import Buffer
from octavo.memory.merge import InPlace

__all__ = ["verify"]

_REMEDY = "The plan must not be used: this is a defect of the memory planner, please report it."


def verify(
    arena: Arena,
    values: Sequence[Buffer],
    aliases: Sequence[tuple[str, str]] = (),
    in_place: Sequence[InPlace] = (),
) -> None:
    """Raise an ``OctavoError`` unless the plan is safe.

    1. every value has an offset, aligned and inside the arena;
    2. aliases lie at one offset;
    3. two values with a step in common have no byte in common, unless they are aliases, or are (or alias) the output
       and the not smaller input of one ``in_place`` entry, meet in that step only, and start at the same byte.
    """
    for value in values:
        offset = arena.offsets.get(value.name)
        if offset is None or offset < 0 or offset % arena.alignment or offset + value.size > arena.size:
            raise OctavoError(f"value {value.name}", f"has the offset {offset} in {arena.size} bytes", _REMEDY)
    offsets = np.array([arena.offsets[value.name] for value in values], dtype=np.int64)
    index = {value.name: i for i, value in enumerate(values)}
    label = _labels(index, aliases)
    first, last = _lives(values, label)
    for one, other in aliases:
        if offsets[index[one]] != offsets[index[other]]:
            raise OctavoError(f"values {one}, {other}", "are aliases at different offsets", _REMEDY)

    ends = offsets + np.array([value.size for value in values], dtype=np.int64)
    clash = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    clash &= (offsets[:, None] < ends[None, :]) & (offsets[None, :] < ends[:, None])
    clash &= label[:, None] != label[None, :]
    # An empty value occupies no byte, even where its offset lies inside another value.
    empty = offsets == ends
    clash &= ~(empty[:, None] | empty[None, :])
    size = {value.name: value.size for value in values}
    allowed = {
        (frozenset((int(label[index[output]]), int(label[index[source]]))), step)
        for output, source, step in in_place
        if size[output] <= size[source]
    }
    for i, j in zip(*np.nonzero(np.triu(clash)), strict=True):
        common = (max(int(first[i]), int(first[j])), min(int(last[i]), int(last[j])))
        pair = frozenset((int(label[i]), int(label[j])))
        if common[0] != common[1] or (pair, common[0]) not in allowed or offsets[i] != offsets[j]:
            raise OctavoError(
                f"values {values[i].name}, {values[j].name}",
                f"are both alive in steps {common[0]} to {common[1]} and overlap",
                _REMEDY,
            )


def _labels(index: dict[str, int], aliases: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """One number for each class of aliases, spread until nothing changes."""
    label = np.arange(len(index), dtype=np.int64)
    changed = True
    while changed:
        changed = False
        for one, other in aliases:
            low = min(label[index[one]], label[index[other]])
            changed |= bool(label[index[one]] != low or label[index[other]] != low)
            label[index[one]] = label[index[other]] = low
    return label


def _lives(values: Sequence[Buffer], label: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last step of each value's whole class: what one alias needs, the others must not lose."""
    first = np.full(len(values), np.iinfo(np.int64).max)
    last = np.full(len(values), -1, dtype=np.int64)
    np.minimum.at(first, label, np.array([value.first for value in values], dtype=np.int64))
    np.maximum.at(last, label, np.array([value.last for value in values], dtype=np.int64))
    return first[label], last[label]
