"""A sharper target for the search than the lower bound: what a few successive steps need together.

Where every output slides below its input, each pushes the one before upward, and no single step shows it. The few
blocks alive in a window of steps can be placed in all orders; what they need at least, the whole plan needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.memory.blocks import Block
from octavo.memory.groups import tie
from octavo.memory.place import EXHAUSTIVE, Problem, best_of_all, first_fit

__all__ = ["window_bound"]

_STEPS = (2, 3, 4)


def window_bound(blocks: Sequence[Block], gap: NDArray[np.int64], floor: int, alignment: int) -> int:
    """``floor``, or the bytes that some window of few blocks needs when they are more."""
    first, last = (np.array(ends, dtype=np.int64) for ends in zip(*((b.first, b.last) for b in blocks), strict=True))
    seen: set[tuple[int, ...]] = set()
    for steps in _STEPS:
        for start in range(int(last.max()) + 1):
            members = tuple(np.flatnonzero((first < start + steps) & (last >= start)).tolist())
            if len(members) <= EXHAUSTIVE and members not in seen:
                seen.add(members)
                floor = max(floor, _least(blocks, members, gap, floor, alignment))
    return floor


def _least(
    blocks: Sequence[Block], members: tuple[int, ...], gap: NDArray[np.int64], floor: int, alignment: int
) -> int:
    """The size of the best plan of some blocks alone, or any that ``floor`` holds."""
    held = [blocks[index] for index in members]
    problem = Problem.of(tie(held, gap <= 0, ()), gap[np.ix_(members, members)], (), alignment)
    return best_of_all(problem, first_fit(problem, range(len(members)), "window"), floor).size
