"""Blocks: values that are views of the same bytes, at fixed distances from each other.

A block is one buffer to the planner. It spans all its values and lives as long as any of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.memory.buffers import Buffer, View

__all__ = ["Block", "gather", "positions", "require"]


@dataclass(frozen=True)
class Block:
    """Values with their positions in the block, in the same order; position 0 is the block's start."""

    values: tuple[Buffer, ...]
    positions: tuple[int, ...]
    size: int
    first: int
    last: int


def gather(values: Sequence[Buffer], views: Sequence[View]) -> list[Block]:
    """The blocks of ``values``, ordered by the first value of each."""
    known = {value.name: value for value in values}
    if len(known) != len(values):
        raise OctavoError("memory plan", "two values have the same name", "Give every value a name of its own.")
    blocks = []
    for places in positions({value.name: value.size for value in values}, views):
        held = tuple(known[name] for name in places)
        size = max(place + value.size for place, value in zip(places.values(), held, strict=True))
        first, last = min(value.first for value in held), max(value.last for value in held)
        blocks.append(Block(held, tuple(places.values()), size, first, last))
    return blocks


def positions(sizes: Mapping[str, int], views: Sequence[View]) -> list[dict[str, int]]:
    """Classes of values that are views of the same bytes, each with its values' distances from the class's start."""
    home = {name: name for name in sizes}
    classes = {name: {name: 0} for name in sizes}
    for view in views:
        _check(view, sizes)
        part, whole = home[view.part], home[view.whole]
        shift = classes[whole][view.whole] + view.offset - classes[part][view.part]
        if part == whole:
            if shift:
                raise OctavoError(f"view {view.part}", "would have to lie at two places", "Name each part once.")
            continue
        moved = {name: place + shift for name, place in classes.pop(part).items()}
        home |= dict.fromkeys(moved, whole)
        classes[whole] |= moved
    rank = {name: index for index, name in enumerate(sizes)}
    found = []
    for places in classes.values():
        start = min(places.values())
        found.append({name: places[name] - start for name in sorted(places, key=rank.__getitem__)})
    return sorted(found, key=lambda places: rank[next(iter(places))])


def _check(view: View, sizes: Mapping[str, int]) -> None:
    require((view.part, view.whole), sizes)
    if view.offset < 0 or view.offset + sizes[view.part] > sizes[view.whole]:
        raise OctavoError(
            f"view {view.part}",
            f"{sizes[view.part]} bytes at {view.offset} are not inside the {sizes[view.whole]} bytes of {view.whole}",
            "A part lies inside its whole.",
        )


def require(names: Iterable[str], known: Container[str]) -> None:
    """Refuse a name that is not among the planned values."""
    for name in names:
        if name not in known:
            raise OctavoError(f"value {name}", "shares memory but is not planned", "Plan every value that is named.")
