"""The arena plan: an offset for every value, so that values alive together don't overlap and the arena is small.

Example::

    values = [Buffer("image", 784, 0, 0), Buffer("conv", 1568, 0, 1), Buffer("relu", 1568, 1, 2)]
    arena = plan_memory(values, aliases=[], in_place=[("relu", "conv", 1)])
    arena.size, arena.lower_bound, arena.offsets["relu"]      # 2352, 2352, the offset of "conv"

Algorithm: values that may share bytes are merged (``merge``), the groups are placed first-fit in several greedy orders
(``place``), and when the best of them is above what any plan needs, a bounded and seeded search goes on from it.
Everything is a function of sizes and lives; operators and graphs are unknown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from octavo.errors import OctavoError
from octavo.memory.buffers import Buffer, Group, lower_bound
from octavo.memory.merge import InPlace, merge
from octavo.memory.place import Placement, Problem, first_fit, greedy_orders, search

__all__ = ["Arena", "plan", "plan_memory"]

EFFORT = 2_000_000
"""Conflicts that one search may look at: about half a second."""


@dataclass(frozen=True)
class Arena:
    """A finished plan.

    ``size`` is the arena's bytes and ``lower_bound`` the most bytes that one step must hold (unaligned; values that
    share bytes count once). ``offsets`` and ``lifetimes`` (first and last step) have an entry for every value;
    ``groups`` names the values that share one offset; ``strategy`` says which order won.
    """

    size: int
    lower_bound: int
    offsets: Mapping[str, int]
    lifetimes: Mapping[str, tuple[int, int]]
    groups: tuple[tuple[str, ...], ...]
    alignment: int
    strategy: str

    @property
    def excess(self) -> float:
        """How far the arena is above its lower bound: 0.05 is 5 %."""
        return self.size / self.lower_bound - 1.0 if self.lower_bound else 0.0


def plan(buffers: Sequence[Buffer], alignment: int = 4, *, effort: int = EFFORT, seed: int = 0) -> Arena:
    """Plan ``buffers`` that share nothing. Offsets are multiples of ``alignment``."""
    return plan_memory(buffers, (), (), alignment, effort=effort, seed=seed)


def plan_memory(
    values: Sequence[Buffer],
    aliases: Sequence[tuple[str, str]],
    in_place: Sequence[InPlace],
    alignment: int = 4,
    *,
    effort: int = EFFORT,
    seed: int = 0,
) -> Arena:
    """Plan ``values``, of which some share bytes.

    ``aliases`` are pairs that are the same bytes; ``in_place`` are (output, input, step): the step may write the
    output over the input, if the input is dead afterwards and large enough. Where a step has several such inputs, the
    first fitting one is taken, or the last, whichever plans better.
    """
    if alignment < 1:
        raise OctavoError("memory plan", f"alignment {alignment} is not positive", "Use 1, 4, 8 or 16.")
    best: tuple[Placement, list[Group]] | None = None
    bound = None
    for candidates in _choices(in_place):
        groups = merge(values, aliases, candidates)
        floor = lower_bound(groups)
        bound = floor if bound is None else min(bound, floor)
        placement = _place(groups, alignment, effort, seed)
        if best is None or placement.size < best[0].size:
            best = placement, groups
        if best[0].size <= bound:
            break
    assert best is not None and bound is not None
    return _arena(values, *best, bound, alignment)


def _choices(in_place: Sequence[InPlace]) -> list[list[InPlace]]:
    """The orders in which in-place candidates are offered: as given, backwards, and none at all."""
    forward = list(in_place)
    unique = [forward]
    for choice in (forward[::-1], list[InPlace]()):
        if choice not in unique:
            unique.append(choice)
    return unique


def _place(groups: Sequence[Group], alignment: int, effort: int, seed: int) -> Placement:
    """The best greedy placement, bettered by the search where it misses what any plan needs."""
    problem = Problem.of(groups, alignment)
    target = lower_bound(groups, alignment)
    best: Placement | None = None
    for strategy, order in greedy_orders(problem):
        trial = first_fit(problem, order, strategy)
        best = trial if best is None or trial.size < best.size else best
        if best.size <= target:
            return best
    assert best is not None
    return search(problem, best, target, effort, seed)


def _arena(
    values: Sequence[Buffer], placement: Placement, groups: Sequence[Group], bound: int, alignment: int
) -> Arena:
    of_group = zip(groups, placement.offsets, strict=True)
    offset = {name: offset for group, offset in of_group for name in group.values}
    return Arena(
        size=placement.size,
        lower_bound=bound,
        offsets=MappingProxyType({value.name: offset[value.name] for value in values}),
        lifetimes=MappingProxyType({value.name: (value.first, value.last) for value in values}),
        groups=tuple(group.values for group in groups),
        alignment=alignment,
        strategy=placement.strategy,
    )
