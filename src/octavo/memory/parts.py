"""Parts of one piece of memory for users that take turns: those that must keep their bytes together lie side by side.

Unlike values of one network, users have no order in time, only pairs that may not overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import permutations

__all__ = ["place_parts"]

MOST_TRIED = 7
"""Users whose every order is tried (7! = 5,040); more are placed with the largest first."""


def place_parts(
    sizes: Mapping[str, int], together: Collection[frozenset[str]], alignments: Mapping[str, int]
) -> dict[str, int]:
    """Offsets in bytes by user, so that no two users of one set in ``together`` overlap and the end is near.

    First-fit in some order reaches the smallest end; with few users every order is tried.
    """
    apart = {name: {other for group in together if name in group for other in group} - {name} for name in sizes}
    placed_freely = {name: 0 for name in sizes if not apart[name]}
    tied = sorted((name for name in sizes if apart[name]), key=lambda name: (-sizes[name], name))
    orders: Iterable[tuple[str, ...]] = permutations(tied) if len(tied) <= MOST_TRIED else [tuple(tied)]
    # The first order of equally good ones wins: the result is the same in every run.
    best = min((_first_fit(order, sizes, apart, alignments) for order in orders), key=lambda plan: _end(plan, sizes))
    return {name: (placed_freely | best)[name] for name in sizes}


def _end(offsets: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    return max((offset + sizes[name] for name, offset in offsets.items()), default=0)


def _first_fit(
    order: tuple[str, ...], sizes: Mapping[str, int], apart: Mapping[str, set[str]], alignments: Mapping[str, int]
) -> dict[str, int]:
    """Each user at the lowest place that is free of those it may not overlap."""
    offsets: dict[str, int] = {}
    for name in order:
        offset = 0
        for start, end in sorted((offsets[o], offsets[o] + sizes[o]) for o in apart[name] & offsets.keys()):
            if offset + sizes[name] <= start:
                break
            offset = max(offset, -(-end // alignments[name]) * alignments[name])
        offsets[name] = offset
    return offsets
