"""Groups: blocks that are placed at one common offset.

An operator that runs in place may leave its output exactly where its input was. Whoever decides that beforehand has
fewer things to place; whoever leaves it open has more plans to choose from. The planner tries both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.memory.blocks import Block

__all__ = ["Group", "tie"]


@dataclass(frozen=True)
class Group:
    """Indices of the blocks at one offset; size of the largest, first and last step of any of them."""

    blocks: tuple[int, ...]
    size: int
    first: int
    last: int


def tie(blocks: Sequence[Block], together: NDArray[np.bool_], candidates: Iterable[tuple[int, int]]) -> list[Group]:
    """Group the ``blocks`` (in their order) by pairs of candidates, first come, where all members may lie together."""
    home: dict[int, tuple[int, ...]] = {index: (index,) for index in range(len(blocks))}
    for upper, lower in candidates:
        one, other = home[lower], home[upper]
        if one != other and together[np.ix_(one, other)].all():
            home |= dict.fromkeys(one + other, one + other)
    found = [members for index, members in sorted(home.items()) if index == min(members)]
    return [_group(blocks, members) for members in found]


def _group(blocks: Sequence[Block], members: tuple[int, ...]) -> Group:
    held = [blocks[index] for index in members]
    size = max(block.size for block in held)
    return Group(members, size, min(block.first for block in held), max(block.last for block in held))
