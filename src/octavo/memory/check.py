"""An independent check of an arena plan: it shares no code with the planner and looks at every pair of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.memory.arena import Arena
from octavo.memory.buffers import Buffer, Overlap, View

__all__ = ["verify"]

_REMEDY = "The plan must not be used: this is a defect of the memory planner, please report it."


def verify(
    arena: Arena, values: Sequence[Buffer], views: Sequence[View] = (), overlaps: Sequence[Overlap] = ()
) -> None:
    """Raise an ``OctavoError`` unless the plan is safe.

    1. every value has an offset inside the arena, aligned unless it is a part of another;
    2. every part lies at its place in the whole;
    3. two values that are no views of the same bytes have no byte in common while any view of either lives. Exception:
       the bytes of the one die in the very step in which those of the other are born, and of the values alive in that
       step every output and input that have bytes in common keep the distance that their overlap rules demand.
    """
    parts = {view.part for view in views}
    for value in values:
        offset = arena.offsets.get(value.name, -1)
        aligned = value.name in parts or offset % arena.alignment == 0
        if offset < 0 or not aligned or offset + value.size > arena.size:
            raise OctavoError(f"value {value.name}", f"has the offset {offset} in {arena.size} bytes", _REMEDY)
    for view in views:
        if arena.offsets[view.part] != arena.offsets[view.whole] + view.offset:
            raise OctavoError(f"view {view.part}", f"is not {view.offset} bytes inside {view.whole}", _REMEDY)
    first, last, clash = _clashes(arena.offsets, values, views)
    rules: dict[tuple[str, str, int], list[Overlap]] = {}
    for rule in overlaps:
        rules.setdefault((rule.output, rule.input, rule.step), []).append(rule)
    for i, j in zip(*np.nonzero(np.triu(clash)), strict=True):
        start, end = max(int(first[i]), int(first[j])), min(int(last[i]), int(last[j]))
        orders = [(o, s) for o, s in ((i, j), (j, i)) if first[o] == last[s] == start == end]
        if not any(_may(arena.offsets, values[o], values[s], rules) for o, s in orders):
            raise OctavoError(
                f"values {values[i].name}, {values[j].name}",
                f"are both alive in steps {start} to {end} and overlap against the rules",
                _REMEDY,
            )


def _may(
    offsets: Mapping[str, int], output: Buffer, source: Buffer, rules: Mapping[tuple[str, str, int], list[Overlap]]
) -> bool:
    """Whether an output may have bytes of an input: its view's bytes are born in the step in which the input's die."""
    if not output.meets(source):
        return True
    distance = offsets[output.name] - offsets[source.name]
    found = rules.get((output.name, source.name, source.last), [])
    return bool(found) and all(
        distance <= -rule.below or distance >= rule.above or (rule.same and distance == 0) for rule in found
    )


def _clashes(
    offsets: Mapping[str, int], values: Sequence[Buffer], views: Sequence[View]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """First and last step of the bytes of each value, and which values live together with bytes in common."""
    index = {value.name: i for i, value in enumerate(values)}
    label = _labels(index, views)
    first, last = _lives(values, label)
    starts = np.array([offsets[value.name] for value in values], dtype=np.int64)
    ends = starts + np.array([value.size for value in values], dtype=np.int64)
    clash = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    clash &= (starts[:, None] < ends[None, :]) & (starts[None, :] < ends[:, None])
    clash &= label[:, None] != label[None, :]
    # An empty value occupies no byte, even where its offset lies inside another value.
    empty = starts == ends
    return first, last, clash & ~(empty[:, None] | empty[None, :])


def _labels(index: Mapping[str, int], views: Sequence[View]) -> NDArray[np.int64]:
    """One number for each class of views, spread until nothing changes."""
    label = np.arange(len(index), dtype=np.int64)
    changed = True
    while changed:
        changed = False
        for view in views:
            one, other = index[view.part], index[view.whole]
            low = min(label[one], label[other])
            changed |= bool(label[one] != low or label[other] != low)
            label[one] = label[other] = low
    return label


def _lives(values: Sequence[Buffer], label: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last step of each value's whole class: what one view needs, the others must not lose."""
    first = np.full(len(values), np.iinfo(np.int64).max)
    last = np.full(len(values), -1, dtype=np.int64)
    np.minimum.at(first, label, np.array([value.first for value in values], dtype=np.int64))
    np.maximum.at(last, label, np.array([value.last for value in values], dtype=np.int64))
    return first[label], last[label]
