"""How near an output may come to its input, from the order in which a kernel reads and writes.

Example: three pixels of two bytes become three of four; each is read whole and then written. ::

    start = np.arange(3)
    distance((2 * start, 2 * start + 2), (4 * start, 4 * start + 4))      # Distance(below=4, above=6)

The output may start 4 bytes before the input: its second pixel then ends where the input's third begins.

Algorithm: after step s everything up to the highest byte written is lost where the output lies below what is still to
be read, so ``below`` is the largest (highest written until s) - (lowest read after s); and ``above`` the mirror image.
Both bytes are really touched, so one byte nearer would be wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distance", "Spans", "distance"]

Spans = tuple[NDArray[np.int64], NDArray[np.int64]]
"""For each step the first byte and the end of what it touches; nothing where the end is not behind the first."""

_NOWHERE = 1 << 60


class Distance(NamedTuple):
    """A kernel is right while its output starts ``below`` bytes or more before its input, or ``above`` or more after
    it; with ``same`` also where both start at one address."""

    below: int
    above: int
    same: bool = False

    def allows(self, shift: int) -> bool:
        """Whether the output may start ``shift`` bytes after its input."""
        return shift <= -self.below or shift >= self.above or (self.same and shift == 0)


def distance(reads: Spans, writes: Spans, *, reads_first: bool = True) -> Distance:
    """The distances of a kernel whose steps each read, then write; or write before they have read, if not so.

    Where nothing is read after something was written, every place is right: ``below`` and ``above`` are negative.
    """
    read_from, read_to = (np.asarray(bound, dtype=np.int64).reshape(-1) for bound in reads)
    write_from, write_to = (np.asarray(bound, dtype=np.int64).reshape(-1) for bound in writes)
    empty = read_to <= read_from
    low, high = np.where(empty, _NOWHERE, read_from), np.where(empty, -_NOWHERE, read_to)
    unread = np.append(np.minimum.accumulate(low[::-1])[::-1], _NOWHERE)
    until = np.append(np.maximum.accumulate(high[::-1])[::-1], -_NOWHERE)
    later = slice(1, None) if reads_first else slice(0, -1)
    idle = write_to <= write_from
    written = np.maximum.accumulate(np.where(idle, -_NOWHERE, write_to))
    start = np.minimum.accumulate(np.where(idle, _NOWHERE, write_from))
    counts = (unread[later] < _NOWHERE) & (written > -_NOWHERE)
    below = np.max(written - unread[later], where=counts, initial=-max(int(until[0]), 0))
    above = np.max(until[later] - start, where=counts, initial=-max(int(written[-1]), 0))
    return Distance(int(below), int(above))
