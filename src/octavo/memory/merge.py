"""Which values may lie in the same bytes although both are alive.

Two reasons, in this order:

1. alias: the two values are the same bytes (a reshape). They become one buffer that lives as long as either.
2. in place: a step writes its output over an input that nobody reads afterwards. Input and output stay two buffers,
   but get one offset. That is taken when the input's last step is the step that writes the output, the output is not
   larger, and nothing else that already shares the input's offset is alive together with the output. Since each
   buffer keeps its own life, no step ever holds more bytes than without the merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from octavo.errors import OctavoError
from octavo.memory.buffers import Buffer, Group

__all__ = ["InPlace", "merge"]

InPlace = tuple[str, str, int]
"""(output, input, step): the step may write the output over the input."""


def merge(values: Sequence[Buffer], aliases: Sequence[tuple[str, str]], in_place: Sequence[InPlace]) -> list[Group]:
    """Group ``values`` (in their order) by ``aliases`` (always) and ``in_place`` (where possible, first come)."""
    root = _classes(values, aliases)
    members: dict[str, list[Buffer]] = {}
    for value in values:
        members.setdefault(root[value.name], []).append(value)
    groups = {name: Group(tuple(v.name for v in held), (_hull(held),)) for name, held in members.items()}
    home = {name: name for name in groups}
    hull = {name: group.buffers[0] for name, group in groups.items()}
    size = {value.name: value.size for value in values}
    for output, source, step in in_place:
        _require_known(size, (output, source))
        above, below = root[output], root[source]
        if size[output] > size[source] or hull[below].last != step or hull[above].first != step:
            continue
        upper, lower = home[above], home[below]
        if upper == lower or not _only_these_meet(groups[upper], groups[lower], hull[above], hull[below]):
            continue
        joined = Group(
            groups[lower].values + groups[upper].values,
            groups[lower].buffers + groups[upper].buffers,
        )
        groups[lower] = joined
        del groups[upper]
        home = {name: lower if place == upper else place for name, place in home.items()}
    return list(groups.values())


def _classes(values: Sequence[Buffer], aliases: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Name of the first value (in the order given) of each value's alias class."""
    rank = {value.name: index for index, value in enumerate(values)}
    if len(rank) != len(values):
        raise OctavoError("memory plan", "two values have the same name", "Give every value a name of its own.")
    parent = {value.name: value.name for value in values}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in aliases:
        _require_known(rank, (one, other))
        early, late = sorted((find(one), find(other)), key=rank.__getitem__)
        parent[late] = early
    return {name: find(name) for name in parent}


def _require_known(known: dict[str, int], names: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise OctavoError(f"value {name}", "shares memory but is not planned", "Plan every value that is named.")


def _hull(held: Sequence[Buffer]) -> Buffer:
    first, last = min(v.first for v in held), max(v.last for v in held)
    return Buffer(held[0].name, max(v.size for v in held), first, last)


def _only_these_meet(one: Group, other: Group, above: Buffer, below: Buffer) -> bool:
    """Whether ``above`` (in ``one``) and ``below`` (in ``other``) are the only buffers of the two that meet."""
    pairs = product(one.buffers, other.buffers)
    return all((a is above and b is below) or not a.meets(b) for a, b in pairs)
