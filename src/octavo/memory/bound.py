"""The lower bound: bytes that each step must hold, whatever the plan.

A step holds all blocks that are alive in it, less what rules let overlap. Inputs of a step are disjoint, and so are
its outputs; so the bytes that overlap are at most the sum over all pairs of what one pair can, and at most the size of
the outputs, or of the inputs, that take part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from octavo.memory.access import Distance
from octavo.memory.blocks import Block
from octavo.memory.gaps import Pairs

__all__ = ["live_bytes", "lower_bound", "most_common", "most_overlapping", "rounded"]


def live_bytes(blocks: Sequence[Block], pairs: Pairs, alignment: int = 1) -> list[int]:
    """Bytes that must be held in each step, from step 0 on.

    With an ``alignment``, offsets are multiples of it: sizes and distances then count rounded up, except that the
    topmost block needs no rounding, which spares the largest rounding of the step at most.
    """
    steps = 1 + max((block.last for block in blocks), default=-1)
    total = np.zeros(steps, dtype=np.int64)
    spared = np.zeros(steps, dtype=np.int64)
    for block in blocks:
        life = slice(block.first, block.last + 1)
        size = rounded(block.size, alignment)
        total[life] += size
        np.maximum(spared[life], size - block.size, out=spared[life])
    common: dict[int, dict[tuple[int, int], int]] = {}
    sizes = {index: rounded(blocks[index].size, alignment) for pair in pairs for index in pair}
    for (upper, lower), gap in pairs.items():
        nearest = Distance(rounded(gap.below, alignment), rounded(gap.above, alignment), gap.same)
        most = most_common(sizes[upper], sizes[lower], nearest)
        common.setdefault(blocks[upper].first, {})[upper, lower] = most
    for step, shares in common.items():
        total[step] -= most_overlapping(shares, sizes)
    held: list[int] = (total - spared).tolist()
    return held


def lower_bound(blocks: Sequence[Block], pairs: Pairs, alignment: int = 1) -> int:
    """No plan of these blocks is smaller: the most bytes that one step holds."""
    return max(live_bytes(blocks, pairs, alignment), default=0)


def rounded(size: int, alignment: int) -> int:
    """``size`` up to the next multiple."""
    return -(-size // alignment) * alignment


def most_common(output: int, source: int, nearest: Distance) -> int:
    """Bytes that an output and an input of these sizes have in common at their best distance."""
    apart = max(output - nearest.below, source - nearest.above, 0)
    return min(output, source) if nearest.same else min(output, source, apart)


def most_overlapping(shares: Mapping[tuple[int, int], int], sizes: Mapping[int, int]) -> int:
    """Bytes that overlap at most in one step, from those of each pair (output, input)."""
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for pair, share in shares.items():
        for side, member in zip(sides, pair, strict=True):
            side[member] = side.get(member, 0) + share
    return min(sum(min(sizes[member], share) for member, share in side.items()) for side in sides)
