"""The arena plan: an offset for every value, so that values alive together don't overlap and the arena is small.

Example::

    values = [Buffer("image", 784, 0, 0), Buffer("conv", 1568, 0, 1), Buffer("relu", 1568, 1, 2)]
    arena = plan_memory(values, views=[], overlaps=[Overlap("relu", "conv", 1, below=0, above=1568)])
    arena.size, arena.lower_bound, arena.offsets["relu"]      # 2352, 2352, the offset of "conv"

Algorithm: views of the same bytes become blocks (``blocks``), rules say how near two blocks may come (``gaps``),
blocks at one offset become groups (``groups``), the groups are placed first-fit in several greedy orders (``place``),
and when the best of them is above what any plan needs (``bound``, ``window``), a bounded and seeded search goes on.
Everything is a function of sizes, lives and rules; operators and graphs are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from octavo.errors import OctavoError
from octavo.memory.blocks import Block, gather
from octavo.memory.bound import live_bytes, lower_bound
from octavo.memory.buffers import Buffer, Overlap, View
from octavo.memory.gaps import Pairs, gaps, level, nearest, overlapping
from octavo.memory.groups import tie
from octavo.memory.place import Placement, Problem, first_fit, greedy_orders, search
from octavo.memory.window import window_bound

__all__ = ["Arena", "held", "plan", "plan_memory"]

EFFORT = 2_000_000
"""Conflicts that the searches for one plan may look at: about a second."""


@dataclass(frozen=True)
class Arena:
    """A finished plan.

    ``size`` is the arena's bytes and ``lower_bound`` the most bytes that one step must hold (unaligned; bytes that
    values share or may share count once). ``offsets`` and ``lifetimes`` (first and last step) have an entry for every
    value; ``strategy`` says which order won.
    """

    size: int
    lower_bound: int
    offsets: Mapping[str, int]
    lifetimes: Mapping[str, tuple[int, int]]
    alignment: int
    strategy: str

    @property
    def excess(self) -> float:
        """How far the arena is above its lower bound: 0.05 is 5 %."""
        return self.size / self.lower_bound - 1.0 if self.lower_bound else 0.0


def held(values: Sequence[Buffer], views: Sequence[View], overlaps: Sequence[Overlap]) -> list[int]:
    """The bytes that each step must hold, whatever the plan."""
    blocks = gather(values, views)
    return live_bytes(blocks, overlapping(blocks, overlaps))


def plan(buffers: Sequence[Buffer], alignment: int = 4, *, effort: int = EFFORT, seed: int = 0) -> Arena:
    """Plan ``buffers`` that share nothing. Offsets are multiples of ``alignment``."""
    return plan_memory(buffers, (), (), alignment, effort=effort, seed=seed)


def plan_memory(
    values: Sequence[Buffer],
    views: Sequence[View],
    overlaps: Sequence[Overlap],
    alignment: int = 4,
    *,
    effort: int = EFFORT,
    seed: int = 0,
) -> Arena:
    """Plan ``values``, of which some share bytes: always as ``views``, where it helps as ``overlaps`` allow.

    Offsets are multiples of ``alignment``, those of parts of a view excepted: they follow from the whole's.
    """
    if alignment < 1:
        raise OctavoError("memory plan", f"alignment {alignment} is not positive", "Use 1, 4, 8 or 16.")
    blocks = gather(values, views)
    pairs = overlapping(blocks, overlaps)
    target = lower_bound(blocks, pairs, alignment)
    best: tuple[Placement, Problem] | None = None
    started: list[tuple[Placement, Problem]] = []
    for problem in _problems(blocks, pairs, alignment):
        started.append((_greedy(problem, target), problem))
        best = min(started, key=lambda pair: pair[0].size)
        if best[0].size <= target:
            break
    assert best is not None
    if best[0].size > target:
        target = window_bound(blocks, gaps(blocks, nearest(pairs)), target, alignment)
    for index, (placement, problem) in enumerate(started, 1):
        if best[0].size > target:
            # The last problem is the one without rules: it gets as much as it would alone, so that no rule costs.
            share = effort if index == len(started) else effort // (len(started) - 1)
            searched = search(problem, placement, target, share, seed)
            best = min(best, (searched, problem), key=lambda pair: pair[0].size)
    return _arena(blocks, values, *best, lower_bound(blocks, pairs))


def _problems(blocks: Sequence[Block], pairs: Pairs, alignment: int) -> Iterator[Problem]:
    """What may be placed: outputs at the offsets of their inputs where rules allow it (the first rules first, the last,
    or only those that no distance replaces), or every block for itself; and the others as near as rules allow, or
    disjoint, so that a rule never costs.
    """
    near, apart = gaps(blocks, pairs), gaps(blocks, {})
    exact = [(i, j) for (i, j), distance in pairs.items() if distance.same and min(near[i, j], near[j, i]) > 0]
    together = level(near, pairs)
    ties = [tie(blocks, together, order) for order in (list(pairs), list(pairs)[::-1], exact, ())]
    seen: list[Problem] = []
    for gap, groups in product((near, apart), ties):
        tied = {pair: pairs[pair] for pair in pairs for group in groups if set(pair) <= set(group.blocks)}
        problem = Problem.of(groups, gap, live_bytes(blocks, tied), alignment)
        if problem not in seen:
            seen.append(problem)
            yield problem


def _greedy(problem: Problem, target: int) -> Placement:
    """The best greedy placement."""
    best: Placement | None = None
    for strategy, order in greedy_orders(problem):
        trial = first_fit(problem, order, strategy)
        best = trial if best is None or trial.size < best.size else best
        if best.size <= target:
            break
    assert best is not None
    return best


def _arena(
    blocks: Sequence[Block], values: Sequence[Buffer], placement: Placement, problem: Problem, bound: int
) -> Arena:
    offset: dict[str, int] = {}
    for group, start in zip(problem.groups, placement.offsets, strict=True):
        for block in (blocks[index] for index in group.blocks):
            offset |= {value.name: start + at for value, at in zip(block.values, block.positions, strict=True)}
    return Arena(
        size=placement.size,
        lower_bound=bound,
        offsets=MappingProxyType({value.name: offset[value.name] for value in values}),
        lifetimes=MappingProxyType({value.name: (value.first, value.last) for value in values}),
        alignment=problem.alignment,
        strategy=placement.strategy,
    )
