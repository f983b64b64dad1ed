"""How far two blocks must be apart: the sizes of both, or what an overlap rule leaves of them.

Everything is said by one matrix: of two blocks, either i starts at least ``gap[i, j]`` bytes before j, or j at least
``gap[j, i]`` before i. Blocks that never meet have the gap ``FREE``, which any two offsets keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.memory.blocks import Block, require
from octavo.memory.buffers import Overlap

__all__ = ["FREE", "Pairs", "gaps", "overlapping"]

FREE = -(1 << 60)

Pairs = Mapping[tuple[int, int], tuple[int, int]]
"""(block of an output, block of its input) -> (least gap below the input, least gap above it)."""


def overlapping(blocks: Sequence[Block], overlaps: Sequence[Overlap]) -> Pairs:
    """The pairs of blocks that may overlap, in the order of ``overlaps``.

    A rule counts where the input's block dies in the step in which the output's block is born. Then the values of
    both that are alive in that step must keep their distances, by rule or disjoint; the others are empty yet or dead.
    """
    home = {value.name: index for index, block in enumerate(blocks) for value in block.values}
    rules: dict[tuple[str, str, int], tuple[int, int]] = {}
    pairs: dict[tuple[int, int], tuple[int, int]] = {}
    for rule in overlaps:
        key = (rule.output, rule.input, rule.step)
        below, above = rules.get(key, (rule.below, rule.above))
        rules[key] = (max(below, rule.below), max(above, rule.above))
    for output, source, step in rules:
        require((output, source), home)
        upper, lower = home[output], home[source]
        counts = upper != lower and blocks[upper].first == step == blocks[lower].last and (lower, upper) not in pairs
        if counts and (upper, lower) not in pairs:
            pairs[upper, lower] = _distance(blocks[upper], blocks[lower], step, rules)
    return pairs


def _distance(
    born: Block, dying: Block, step: int, rules: Mapping[tuple[str, str, int], tuple[int, int]]
) -> tuple[int, int]:
    """Gaps between two blocks that keep every pair of their values apart that is alive in ``step``."""
    gaps = []
    for output, at in zip(born.values, born.positions, strict=True):
        for source, place in zip(dying.values, dying.positions, strict=True):
            if output.first == step == source.last and output.size and source.size:
                below, above = rules.get((output.name, source.name, step), (output.size, source.size))
                gaps.append((min(below, output.size) + at - place, min(above, source.size) + place - at))
    return max((below for below, _ in gaps), default=FREE), max((above for _, above in gaps), default=FREE)


def gaps(blocks: Sequence[Block], pairs: Pairs) -> NDArray[np.int64]:
    """The matrix of gaps of all blocks."""
    facts = [(block.size, block.first, block.last) for block in blocks]
    size, first, last = np.array(facts, dtype=np.int64).reshape(-1, 3).T
    meets = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    meets &= (size[:, None] > 0) & (size[None, :] > 0)
    np.fill_diagonal(meets, False)
    gap = np.where(meets, size[:, None], FREE)
    for (upper, lower), (below, above) in pairs.items():
        if meets[upper, lower]:
            gap[upper, lower], gap[lower, upper] = below, above
    return gap
