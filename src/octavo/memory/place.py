"""Placing groups at offsets: first fit in a given order, several greedy orders, and a search that betters the best.

First fit in the right order is enough to reach an optimal plan. Place its groups by rising offset, but an output that
starts less than its step allows after its input's start (``below`` <= 0) before that input, and likewise for an input
and a kernel that runs backward: each group finds its own offset or a lower one free, because whatever it must stay
under is placed after it. So the search only looks for orders.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from octavo.memory.gaps import FREE
from octavo.memory.groups import Group

__all__ = ["EXHAUSTIVE", "Placement", "Problem", "best_of_all", "first_fit", "greedy_orders", "search"]

EXHAUSTIVE = 6
"""Groups of which all orders are tried."""


@dataclass(frozen=True)
class Problem:
    """Groups with who is in whose way: ``conflicts[i]`` lists (j, below, above).

    With j at offset o, group i may not lie at an offset strictly between ``o - below`` and ``o + above``, of which one
    may be negative. ``held`` are the bytes that each step holds when only blocks of one group overlap.
    """

    groups: tuple[Group, ...]
    conflicts: tuple[tuple[tuple[int, int, int], ...], ...]
    held: tuple[int, ...]
    alignment: int

    @classmethod
    def of(cls, groups: Sequence[Group], gap: NDArray[np.int64], held: Sequence[int], alignment: int) -> Problem:
        """Find all conflicts: two groups must be as far apart as any two of their blocks."""
        owner = np.empty(len(gap), dtype=np.int64)
        for index, group in enumerate(groups):
            owner[list(group.blocks)] = index
        apart = np.full((len(groups), len(groups)), FREE, dtype=np.int64)
        np.maximum.at(apart, (owner[:, None], owner[None, :]), gap)
        near = apart + apart.T > 0
        rows = []
        for index in range(len(groups)):
            others = np.flatnonzero(near[index])
            rows.append(tuple((int(j), int(apart[index, j]), int(apart[j, index])) for j in others if j != index))
        return cls(tuple(groups), tuple(rows), tuple(held), alignment)

    @property
    def visits(self) -> int:
        """How many conflicts one placement looks at: the unit in which a search's effort is counted."""
        return sum(len(row) for row in self.conflicts) + len(self.conflicts)


@dataclass(frozen=True)
class Placement:
    """Offsets of a problem's groups, in their order, and the bytes that they span."""

    size: int
    offsets: tuple[int, ...]
    order: tuple[int, ...]
    strategy: str


def first_fit(problem: Problem, order: Sequence[int], strategy: str) -> Placement:
    """Place the groups in ``order``, each at the lowest aligned offset that is free for all of its life."""
    alignment = problem.alignment
    offsets = [-1] * len(problem.groups)
    for index in order:
        row = problem.conflicts[index]
        taken = sorted((offsets[j] - below, offsets[j] + above) for j, below, above in row if offsets[j] >= 0)
        offset = 0
        for start, end in taken:
            if offset <= start:
                break
            if end > offset:
                offset = -(-end // alignment) * alignment
        offsets[index] = offset
    size = max((offset + group.size for offset, group in zip(offsets, problem.groups, strict=True)), default=0)
    return Placement(size, tuple(offsets), tuple(order), strategy)


def greedy_orders(problem: Problem) -> Iterator[tuple[str, list[int]]]:
    """Orders that are each best on some family of networks, with their names."""
    groups = problem.groups
    indices = range(len(groups))
    life = [group.last - group.first + 1 for group in groups]
    crowd = [sum(max(above, 0) for _, _, above in row) for row in problem.conflicts]
    yield "largest first", sorted(indices, key=lambda i: (-groups[i].size, groups[i].first, i))
    yield "earliest first", sorted(indices, key=lambda i: (groups[i].first, -groups[i].size, i))
    yield "latest first", sorted(indices, key=lambda i: (-groups[i].last, -groups[i].size, i))
    yield "size times life", sorted(indices, key=lambda i: (-groups[i].size * life[i], groups[i].first, i))
    yield "longest life first", sorted(indices, key=lambda i: (-life[i], -groups[i].size, i))
    yield "most crowded first", sorted(indices, key=lambda i: (-crowd[i] - groups[i].size, groups[i].first, i))
    yield "fullest step first", _by_fullest_step(problem)


def _by_fullest_step(problem: Problem) -> list[int]:
    """Groups of the step that holds most bytes first, then those of the next such step, larger groups first."""
    peak = [max(problem.held[group.first : group.last + 1]) for group in problem.groups]
    return sorted(range(len(peak)), key=lambda i: (-peak[i], -problem.groups[i].size, i))


def search(problem: Problem, start: Placement, target: int, effort: int, seed: int) -> Placement:
    """Better ``start`` until ``target`` is met or about ``effort`` conflicts have been looked at.

    With few groups all orders are tried. Otherwise a seeded walk: a group that reaches the top of the arena, or one
    that stands under it, moves to an earlier place in the order; steps that don't enlarge the arena are kept.
    """
    rounds = effort // max(problem.visits, 1)
    if len(problem.groups) <= EXHAUSTIVE:
        return best_of_all(problem, start, target)
    generator = random.Random(seed)
    best = current = start
    stale = 0
    for _ in range(rounds):
        if best.size <= target:
            break
        order = _moved(problem, current, generator)
        trial = first_fit(problem, order, "search")
        if trial.size <= current.size:
            stale = 0 if trial.size < current.size else stale + 1
            current = trial
        else:
            stale += 1
        if current.size < best.size:
            best = current
        if stale > 40 + 2 * len(problem.groups):
            current, stale = _shaken(problem, best, generator), 0
    return best


def best_of_all(problem: Problem, start: Placement, target: int) -> Placement:
    """The best placement of all orders, or the first one found that meets ``target``."""
    best = start
    for order in permutations(range(len(problem.groups))):
        if best.size <= target:
            break
        trial = first_fit(problem, order, "search")
        best = trial if trial.size < best.size else best
    return best


def _moved(problem: Problem, current: Placement, generator: random.Random) -> list[int]:
    """The order with a group at the top, or a group in its way, moved to an earlier place."""
    tops = [i for i, group in enumerate(problem.groups) if current.offsets[i] + group.size == current.size]
    top = generator.choice(tops)
    chosen = top
    if problem.conflicts[top] and generator.random() < 0.5:
        chosen = generator.choice(problem.conflicts[top])[0]
    order = list(current.order)
    place = order.index(chosen)
    order.insert(generator.randrange(place) if place else generator.randrange(len(order)), order.pop(place))
    return order


def _shaken(problem: Problem, best: Placement, generator: random.Random) -> Placement:
    """The best placement's order with a few pairs exchanged: a new start near by."""
    order = list(best.order)
    for _ in range(2 + len(order) // 20):
        one, other = generator.randrange(len(order)), generator.randrange(len(order))
        order[one], order[other] = order[other], order[one]
    return first_fit(problem, order, "search")
