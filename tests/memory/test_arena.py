"""The planner against an exhaustive optimum, against the independent checker, and on the shapes of real networks."""

from __future__ import annotations

import time
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.memory import Arena, Buffer, Overlap, View, plan, plan_memory, verify


def buffers(most: int, steps: int, largest: int, smallest: int = 0) -> st.SearchStrategy[list[Buffer]]:
    """Lists of up to ``most`` buffers named b0, b1, ..."""
    one = st.tuples(st.integers(smallest, largest), st.integers(0, steps - 1), st.integers(0, steps - 1))
    return st.lists(one, min_size=1, max_size=most).map(
        lambda rows: [Buffer(f"b{i}", size, min(a, b), max(a, b)) for i, (size, a, b) in enumerate(rows)]
    )


Network = tuple[list[Buffer], list[View], list[Overlap]]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Values of a random network: step i writes v<i+1> from earlier values, some of it over them or as a view."""
    steps = draw(st.integers(1, 14))
    sizes = [draw(st.integers(1, 50))]
    views: list[View] = []
    overlaps: list[Overlap] = []
    last = [0] * (steps + 1)
    for step in range(steps):
        sources = draw(st.lists(st.integers(0, step), min_size=1, max_size=3, unique=True))
        kind = draw(st.sampled_from(["new", "view", "over"]))
        whole = sizes[sources[0]]
        start = draw(st.sampled_from([0, whole // 3])) if kind == "view" else 0
        sizes.append(whole - start if kind == "view" else draw(st.integers(1, 50)))
        name = f"v{step + 1}"
        if kind == "view":
            sources = sources[:1]
            views.append(View(name, f"v{sources[0]}", start))
        elif kind == "over":
            gaps = [draw(st.tuples(st.integers(-9, sizes[-1]), st.integers(-9, sizes[i]))) for i in sources]
            overlaps += [Overlap(name, f"v{i}", step, *gap) for i, gap in zip(sources, gaps, strict=True)]
        for source in sources:
            last[source] = step
        last[step + 1] = step
    return [Buffer(f"v{i}", sizes[i], max(i - 1, 0), last[i]) for i in range(steps + 1)], views, overlaps


def smallest_arena(values: list[Buffer], alignment: int) -> int:
    """The optimum by trying every offset: for a handful of tiny buffers."""
    return next(size for size in count() if fits(values, size, alignment, []))


def fits(values: list[Buffer], size: int, alignment: int, placed: list[int]) -> bool:
    """Whether the values from ``len(placed)`` on find offsets within ``size`` bytes."""
    if len(placed) == len(values):
        return True
    value = values[len(placed)]
    for offset in range(0, size - value.size + 1, alignment):
        free = all(
            not value.meets(other) or offset + value.size <= at or at + other.size <= offset
            for other, at in zip(values, placed, strict=False)
        )
        if free and fits(values, size, alignment, [*placed, offset]):
            return True
    return False


@given(buffers(25, 12, 60), st.sampled_from([1, 4, 16]))
@settings(max_examples=150, deadline=None)
def test_random_lives_never_overlap_and_never_beat_the_bound(values: list[Buffer], alignment: int) -> None:
    arena = plan(values, alignment, effort=20_000)
    verify(arena, values)
    by_hand = max(sum(b.size for b in values if b.first <= step <= b.last) for step in range(12))
    assert arena.lower_bound == by_hand
    assert by_hand <= arena.size <= sum(-(-b.size // alignment) * alignment for b in values)


@given(networks(), st.sampled_from([1, 4, 16]))
@settings(max_examples=300, deadline=None)
def test_random_networks_with_sharing_are_safe_and_rules_never_cost(network: Network, alignment: int) -> None:
    values, views, overlaps = network
    arena = plan_memory(values, views, overlaps, alignment, effort=20_000)
    verify(arena, values, views, overlaps)
    assert arena.lower_bound <= arena.size
    apart = plan_memory(values, views, (), alignment, effort=20_000)
    assert arena.lower_bound <= apart.lower_bound
    assert arena.size <= apart.size


@given(buffers(5, 5, 6, smallest=1), st.sampled_from([1, 4]))
@settings(max_examples=200, deadline=None)
def test_tiny_cases_are_optimal(values: list[Buffer], alignment: int) -> None:
    assert plan(values, alignment).size == smallest_arena(values, alignment)


@given(buffers(30, 10, 1000))
@settings(max_examples=20, deadline=None)
def test_the_same_input_gives_the_same_plan(values: list[Buffer]) -> None:
    assert plan(values, effort=20_000) == plan(values, effort=20_000)


def test_a_chain_is_two_neighbours() -> None:
    sizes = [3072, 16384, 16384, 8192, 4096, 10]
    values = [Buffer(f"v{i}", size, max(i - 1, 0), i) for i, size in enumerate(sizes)]
    arena = plan(values)
    assert arena.size == arena.lower_bound == 32768
    assert arena.excess == 0.0


def test_the_search_betters_the_greedy_orders() -> None:
    """Random crowds that no greedy order packs well: with the search, within 5 % of the bound."""
    for seed in range(5):
        values = crowd(30, 20, seed)
        greedy, searched = plan(values, 1, effort=0), plan(values, 1)
        verify(searched, values)
        assert searched.size <= greedy.size
        assert searched.excess <= 0.05


def crowd(size: int, steps: int, seed: int) -> list[Buffer]:
    """Buffers by a small congruential generator: the same in every version of Python."""
    state, rows = seed + 1, []
    for i in range(size):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        first = (state >> 33) % steps
        rows.append(Buffer(f"b{i}", 1 + (state >> 20) % 997, first, min(first + (state >> 45) % 6, steps - 1)))
    return rows


def test_five_hundred_buffers_take_seconds_at_most() -> None:
    values = crowd(500, 300, 7)
    started = time.process_time()
    arena = plan(values)
    assert time.process_time() - started < 5.0
    verify(arena, values)
    assert arena.excess <= 0.05


def test_nothing_to_plan() -> None:
    arena = plan(())
    assert (arena.size, arena.lower_bound, dict(arena.offsets)) == (0, 0, {})


@pytest.mark.parametrize(("size", "first", "last"), [(-1, 0, 0), (1, -1, 0), (1, 3, 2)])
def test_a_buffer_refuses_to_be_wrong(size: int, first: int, last: int) -> None:
    with pytest.raises(OctavoError, match="buffer odd"):
        Buffer("odd", size, first, last)


def test_mistakes_of_the_caller_are_named() -> None:
    x = Buffer("x", 1, 0, 0)
    with pytest.raises(OctavoError, match="ghost"):
        plan_memory([x], [View("x", "ghost")], ())
    with pytest.raises(OctavoError, match="ghost"):
        plan_memory([x], (), [Overlap("ghost", "x", 0, 0, 0)])
    with pytest.raises(OctavoError, match="same name"):
        plan([x, x])
    with pytest.raises(OctavoError, match="alignment"):
        plan([x], 0)


@pytest.mark.parametrize(
    "offsets", [{"x": 0, "y": 4}, {"x": 0, "y": 0}, {"x": 0}, {"x": 0, "y": 9}, {"x": 0, "y": 12}, {"x": -8, "y": 8}]
)
def test_the_checker_catches_a_wrong_plan(offsets: dict[str, int]) -> None:
    values = [Buffer("x", 8, 0, 2), Buffer("y", 8, 1, 3)]
    with pytest.raises(OctavoError, match="value"):
        verify(Arena(16, 16, offsets, {}, 4, "by hand"), values)
