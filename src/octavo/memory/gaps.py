"""How far two blocks must be apart: the sizes of both, or what an overlap rule leaves of them.

Almost all is in one matrix: of two blocks, either i starts at least ``gap[i, j]`` bytes before j, or j at least
``gap[j, i]`` before i. Blocks that never meet have the gap ``FREE``, which any two offsets keep. A second says which
blocks may start at one offset, by the gaps or by a rule that allows just that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.memory.access import Distance
from octavo.memory.blocks import Block, require
from octavo.memory.buffers import Overlap

__all__ = ["FREE", "Pairs", "gaps", "level", "nearest", "overlapping"]

FREE = -(1 << 60)

Pairs = Mapping[tuple[int, int], Distance]
"""(block of an output, block of its input) -> how near the one may come to the other."""


def overlapping(blocks: Sequence[Block], overlaps: Sequence[Overlap]) -> Pairs:
    """The pairs of blocks that may overlap, in the order of ``overlaps``.

    A rule counts where the input's block dies in the step in which the output's block is born. Then the values of
    both that are alive in that step must keep their distances, by rule or disjoint; the others are empty yet or dead.
    """
    home = {value.name: index for index, block in enumerate(blocks) for value in block.values}
    rules: dict[tuple[str, str, int], Distance] = {}
    pairs: dict[tuple[int, int], Distance] = {}
    for rule in overlaps:
        key = (rule.output, rule.input, rule.step)
        known = rules.get(key, Distance(rule.below, rule.above, rule.same))
        same = known.allows(0) and Distance(rule.below, rule.above, rule.same).allows(0)
        rules[key] = Distance(max(known.below, rule.below), max(known.above, rule.above), same)
    for output, source, step in rules:
        require((output, source), home)
        upper, lower = home[output], home[source]
        counts = upper != lower and blocks[upper].first == step == blocks[lower].last and (lower, upper) not in pairs
        if counts and (upper, lower) not in pairs:
            pairs[upper, lower] = _distance(blocks[upper], blocks[lower], step, rules)
    return pairs


def _distance(born: Block, dying: Block, step: int, rules: Mapping[tuple[str, str, int], Distance]) -> Distance:
    """The distances of two blocks that keep every pair of their values apart that is alive in ``step``."""
    gaps: list[tuple[int, int, bool]] = []
    for output, at in zip(born.values, born.positions, strict=True):
        for source, place in zip(dying.values, dying.positions, strict=True):
            if output.first == step == source.last and output.size and source.size:
                rule = rules.get((output.name, source.name, step), Distance(output.size, source.size))
                rule = rule._replace(below=min(rule.below, output.size), above=min(rule.above, source.size))
                gaps.append((rule.below + at - place, rule.above + place - at, rule.allows(at - place)))
    if not gaps:
        return Distance(FREE, FREE)
    below, above, same = zip(*gaps, strict=True)
    return Distance(max(below), max(above), all(same))


def gaps(blocks: Sequence[Block], pairs: Pairs) -> NDArray[np.int64]:
    """The matrix of gaps of all blocks."""
    facts = [(block.size, block.first, block.last) for block in blocks]
    size, first, last = np.array(facts, dtype=np.int64).reshape(-1, 3).T
    meets = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    meets &= (size[:, None] > 0) & (size[None, :] > 0)
    np.fill_diagonal(meets, False)
    gap = np.where(meets, size[:, None], FREE)
    for (upper, lower), (below, above, _) in pairs.items():
        if meets[upper, lower]:
            gap[upper, lower], gap[lower, upper] = below, above
    return gap


def level(gap: NDArray[np.int64], pairs: Pairs) -> NDArray[np.bool_]:
    """Which two blocks may start at one offset."""
    together = (gap <= 0) | (gap.T <= 0)
    for (upper, lower), distance in pairs.items():
        together[upper, lower] |= distance.same
        together[lower, upper] |= distance.same
    return together


def nearest(pairs: Pairs) -> Pairs:
    """Weaker rules without exceptions: blocks that may start at one offset may lie anywhere. For bounds alone."""
    return {pair: Distance(0, 0) if distance.same else distance for pair, distance in pairs.items()}
