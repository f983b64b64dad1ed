"""The order of steps: of all orders that the values allow, one in which fewest bytes are alive at once.

Example::

    steps = [Step(("x",), ("big",)), Step(("x",), ("also big",)), Step(("big",), ("a",)), Step(("also big",), ("b",))]
    schedule(steps, {"x": 10, "big": 100, "also big": 100, "a": 1, "b": 1}, outputs=("a", "b"))      # [0, 2, 1, 3]

Algorithm: what is alive depends on the set of steps that have run and not on their order, so the best way to each set
follows from the best ways to the sets with one step less. Sets are looked at by size. Three things keep them few:

1. a set whose way is no better than an order already known is dropped;
2. a step that can run now without a new peak, and leaves no more alive than before, runs now: any later it would only
   hold on to its inputs meanwhile;
3. of one size, the best ``width`` sets are kept. The result is optimal unless this happened, and in no case worse than
   the order given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from octavo.errors import OctavoError
from octavo.memory.access import Distance
from octavo.memory.blocks import positions, require
from octavo.memory.bound import most_common, most_overlapping
from octavo.memory.buffers import Overlap, View

__all__ = ["Step", "schedule"]

EFFORT = 50_000
"""Sets of steps that a search may look at: a second or two."""

_FIRST_WIDTH = 4


@dataclass(frozen=True)
class Step:
    """The values that a step reads and writes, and the bytes that it needs for itself while it runs."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scratch: int = 0


def schedule(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    outputs: Iterable[str] = (),
    views: Sequence[View] = (),
    overlaps: Sequence[Overlap] = (),
    *,
    effort: int = EFFORT,
) -> list[int]:
    """Indices of ``steps`` in the order in which to run them: as given, unless another order has a lower peak.

    ``sizes`` are those of all values that take memory; other names are constants. What no step writes is alive from
    the start; ``outputs`` are alive to the end. ``views`` and ``overlaps`` are as in ``plan_memory``, and a rule's step
    is a position in ``steps``. About ``effort`` sets of steps are looked at before the search stops being exact.
    """
    problem = _problem(steps, sizes, outputs, views, overlaps)
    given = list(range(len(steps)))
    if problem.is_chain:
        return given
    best, peak = given, problem.peak(given)
    floor = problem.floor()
    for width in (_FIRST_WIDTH, max(effort // len(steps), _FIRST_WIDTH)):
        if peak <= floor:
            break
        order, whole = _best_within(problem, peak, floor, width)
        if order is not None:
            best, peak = order, problem.peak(order)
        if whole:
            break
    return best


@dataclass(frozen=True)
class _Bytes:
    """Memory of one value, or of all views of the same bytes: alive once one of its ``users`` has run, until all have.

    ``given`` is alive from the start, ``kept`` to the end. ``users`` is a set of steps, as the bits of an integer.
    """

    size: int
    users: int
    given: bool
    kept: bool


@dataclass(frozen=True)
class _Problem:
    """For each step: the steps before it as bits, those after it, the memory that it uses, scratch, and overlaps.

    An overlap is (memory of the output, memory of the input): bytes in common at most.
    """

    before: tuple[int, ...]
    after: tuple[tuple[int, ...], ...]
    uses: tuple[tuple[int, ...], ...]
    scratch: tuple[int, ...]
    overlaps: tuple[Mapping[tuple[int, int], int], ...]
    memory: tuple[_Bytes, ...]

    @property
    def is_chain(self) -> bool:
        """Whether only one order exists."""
        return all(self.before[step] >> (step - 1) & 1 for step in range(1, len(self.before)))

    def floor(self) -> int:
        """A peak that no order is below: what one step needs, or what is kept."""
        kept = sum(memory.size for memory in self.memory if memory.kept and memory.users)
        needs = (
            sum(self.memory[index].size for index in used) + scratch - self._common(shares)
            for used, scratch, shares in zip(self.uses, self.scratch, self.overlaps, strict=True)
        )
        return max((kept, *needs))

    def start(self) -> int:
        """Bytes alive before the first step."""
        return sum(memory.size for memory in self.memory if memory.given and memory.users)

    def run(self, done: int, alive: int, step: int) -> tuple[int, int]:
        """Bytes alive in ``step`` and after it, when the steps ``done`` have left ``alive`` bytes."""
        others = ~(done | 1 << step)
        used = [(index, self.memory[index]) for index in self.uses[step]]
        born = {index: m.size for index, m in used if not m.given and not m.users & done}
        dying = {index: m.size for index, m in used if not m.kept and not m.users & others}
        held = alive + sum(born.values())
        shares = {pair: share for pair, share in self.overlaps[step].items() if pair[0] in born and pair[1] in dying}
        return held + self.scratch[step] - self._common(shares), held - sum(dying.values())

    def peak(self, order: Sequence[int]) -> int:
        """The most bytes alive in any step of ``order``."""
        done, alive, peak = 0, self.start(), 0
        for step in order:
            held, alive = self.run(done, alive, step)
            done, peak = done | 1 << step, max(peak, held)
        return peak

    def _common(self, shares: Mapping[tuple[int, int], int]) -> int:
        return most_overlapping(shares, {i: self.memory[i].size for pair in shares for i in pair}) if shares else 0


def _problem(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    outputs: Iterable[str],
    views: Sequence[View],
    overlaps: Sequence[Overlap],
) -> _Problem:
    """Names become indices, sets of steps become bits."""
    writer = {name: index for index, step in enumerate(steps) for name in step.outputs}
    before = [{writer[name] for name in step.inputs if name in writer} for step in steps]
    after: list[list[int]] = [[] for _ in steps]
    for index, earlier in enumerate(before):
        if any(step >= index for step in earlier):
            raise OctavoError(f"step {index}", "reads what is written later", "Give the steps in an order that works.")
        for step in earlier:
            after[step].append(index)
    classes = positions(sizes, views)
    home = {name: index for index, places in enumerate(classes) for name in places}
    uses = [sorted({home[name] for name in (*s.inputs, *s.outputs) if name in home}) for s in steps]
    users = [0] * len(classes)
    for step, used in enumerate(uses):
        for index in used:
            users[index] |= 1 << step
    memory = []
    for places, using in zip(classes, users, strict=True):
        size = max(place + sizes[name] for name, place in places.items())
        memory.append(_Bytes(size, using, not places.keys() <= writer.keys(), not places.keys().isdisjoint(outputs)))
    return _Problem(
        tuple(sum(1 << step for step in earlier) for earlier in before),
        tuple(map(tuple, after)),
        tuple(map(tuple, uses)),
        tuple(step.scratch for step in steps),
        _shares(steps, sizes, home, memory, overlaps),
        tuple(memory),
    )


def _shares(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    home: Mapping[str, int],
    memory: Sequence[_Bytes],
    overlaps: Sequence[Overlap],
) -> tuple[Mapping[tuple[int, int], int], ...]:
    """For each step, the bytes that each output may have in common with an input that dies there.

    A step that reads several views of the same bytes needs a rule for each of them.
    """
    shares: list[dict[tuple[int, int], int]] = [{} for _ in steps]
    ruled = {(rule.output, rule.input, rule.step) for rule in overlaps}
    for rule in overlaps:
        require((rule.output, rule.input), home)
        step, pair = steps[rule.step], (home[rule.output], home[rule.input])
        outputs, inputs = (
            [name for name in names if home.get(name) == index and sizes[name]]
            for names, index in zip((step.outputs, step.inputs), pair, strict=True)
        )
        if pair[0] != pair[1] and all((one, other, rule.step) in ruled for one in outputs for other in inputs):
            output, source = (memory[index].size for index in pair)
            most = most_common(output, source, Distance(rule.below, rule.above, rule.same))
            shares[rule.step][pair] = min(most, shares[rule.step].get(pair, most))
    return tuple(shares)


class _State(NamedTuple):
    """A set of steps that have run: the least peak on a way to it, bytes alive after it, what may run next, the way."""

    peak: int
    alive: int
    ready: int
    way: tuple[int, ...]


def _best_within(problem: _Problem, limit: int, floor: int, width: int) -> tuple[list[int] | None, bool]:
    """The best order with a peak below ``limit`` among the sets kept, and whether all were kept."""
    ready = sum(1 << step for step, before in enumerate(problem.before) if not before)
    level, whole = {0: _State(0, problem.start(), ready, ())}, True
    for _ in problem.before:
        following: dict[int, _State] = {}
        for done, state in level.items():
            for step, peak, alive in _moves(problem, done, state, floor):
                after = done | 1 << step
                if peak < limit and (after not in following or peak < following[after].peak):
                    following[after] = _State(peak, alive, _ready(problem, after, state, step), (*state.way, step))
        if len(following) > width:
            kept = sorted(following.items(), key=lambda item: (item[1].peak, item[1].alive, item[1].way))[:width]
            following, whole = dict(kept), False
        level = following
    return next((list(state.way) for state in level.values()), None), whole


def _moves(problem: _Problem, done: int, state: _State, floor: int) -> list[tuple[int, int, int]]:
    """(step, peak, bytes alive after it) of each step that may run next, or of one that costs nothing."""
    moves = []
    for step in _bits(state.ready):
        held, alive = problem.run(done, state.alive, step)
        if held <= max(state.peak, floor) and alive <= state.alive:
            return [(step, max(state.peak, held), alive)]
        moves.append((step, max(state.peak, held), alive))
    return moves


def _ready(problem: _Problem, done: int, state: _State, step: int) -> int:
    """What may run after ``step``, the last of those ``done``."""
    ready = state.ready & ~(1 << step)
    for later in problem.after[step]:
        if not problem.before[later] & ~done:
            ready |= 1 << later
    return ready


def _bits(number: int) -> Iterator[int]:
    """Positions of the bits that are set, from the lowest."""
    while number:
        yield (number & -number).bit_length() - 1
        number &= number - 1
