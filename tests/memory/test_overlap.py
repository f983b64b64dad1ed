"""Overlap rules and views: against an exhaustive optimum that knows only what a rule says, and by hand."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.memory import Arena, Buffer, Overlap, View, plan_memory, verify


@st.composite
def ruled(draw: st.DrawFn) -> tuple[list[Buffer], list[Overlap]]:
    """Up to five small buffers, and rules for some of those that meet as input and output of one step."""
    rows = draw(st.lists(st.tuples(*[st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)]), min_size=1, max_size=5))
    values = [Buffer(f"b{i}", size, min(a, b), max(a, b)) for i, (size, a, b) in enumerate(rows)]
    overlaps = []
    for i, output in enumerate(values):
        for source in values[:i]:
            if output.first == source.last and draw(st.booleans()):
                below, above = draw(st.integers(-3, output.size)), draw(st.integers(-3, source.size))
                same = draw(st.booleans())
                overlaps.append(Overlap(output.name, source.name, output.first, below, above, same))
    return values, overlaps


def legal(one: Buffer, at: int, other: Buffer, there: int, overlaps: list[Overlap]) -> bool:
    """Whether two buffers at these offsets leave each other alone, by definition of the rules."""
    if not one.meets(other) or at + one.size <= there or there + other.size <= at or not one.size or not other.size:
        return True
    offset = {one.name: at, other.name: there}
    rules = [rule for rule in overlaps if {rule.output, rule.input} == {one.name, other.name}]
    return any(offset[r.output] <= offset[r.input] - r.below or offset[r.output] >= offset[r.input] + r.above
               or (r.same and offset[r.output] == offset[r.input]) for r in rules)  # fmt: skip


def fits(values: list[Buffer], overlaps: list[Overlap], size: int, alignment: int, placed: list[int]) -> bool:
    """Whether the values from ``len(placed)`` on find offsets within ``size`` bytes."""
    if len(placed) == len(values):
        return True
    value = values[len(placed)]
    for at in range(0, size - value.size + 1, alignment):
        free = all(legal(value, at, other, there, overlaps) for other, there in zip(values, placed, strict=False))
        if free and fits(values, overlaps, size, alignment, [*placed, at]):
            return True
    return False


@given(ruled(), st.sampled_from([1, 2, 4]))
@settings(max_examples=200, deadline=None)
def test_tiny_cases_are_optimal_and_above_the_bound(
    problem: tuple[list[Buffer], list[Overlap]], alignment: int
) -> None:
    values, overlaps = problem
    arena = plan_memory(values, (), overlaps, alignment)
    verify(arena, values, (), overlaps)
    optimum = next(size for size in count() if fits(values, overlaps, size, alignment, []))
    assert arena.lower_bound <= optimum
    assert arena.size == optimum


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_the_checker_agrees_with_the_definition(data: st.DataObject) -> None:
    values, overlaps = data.draw(ruled())
    offsets = {value.name: data.draw(st.integers(0, 8)) for value in values}
    arena = Arena(20, 0, offsets, {}, 1, "by hand")
    right = all(
        legal(one, offsets[one.name], other, offsets[other.name], overlaps)
        for i, one in enumerate(values)
        for other in values[:i]
    )
    if right:
        verify(arena, values, (), overlaps)
    else:
        with pytest.raises(OctavoError, match="against the rules"):
            verify(arena, values, (), overlaps)


def chain(*sizes: int) -> list[Buffer]:
    """Values each computed from the one before."""
    return [Buffer(f"v{i}", size, max(i - 1, 0), i) for i, size in enumerate(sizes)]


def test_a_small_result_in_place_keeps_only_its_own_bytes() -> None:
    values = [Buffer("big", 1000, 0, 1), Buffer("small", 8, 1, 9), Buffer("later", 1000, 2, 3)]
    arena = plan_memory(values, (), [Overlap("small", "big", 1, 0, 1000)])
    assert arena.lower_bound == 1008 == arena.size


def test_a_residual_sum_goes_over_one_branch() -> None:
    values = [Buffer("x", 1000, 0, 2), Buffer("y", 1000, 0, 1), Buffer("z", 1000, 1, 2), Buffer("sum", 1000, 2, 3)]
    rules = [Overlap("sum", source, 2, 0, 1000) for source in ("x", "z")]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 3000


def test_a_larger_output_slides_below_its_input() -> None:
    values = chain(100, 300)
    arena = plan_memory(values, (), [Overlap("v1", "v0", 0, 220, 100)])
    assert arena.size == arena.lower_bound == 320
    assert arena.offsets["v0"] - arena.offsets["v1"] == 220


def test_a_larger_output_slides_above_its_input_when_the_kernel_runs_backward() -> None:
    values = chain(100, 300)
    arena = plan_memory(values, (), [Overlap("v1", "v0", 0, 300, 20)])
    assert arena.size == arena.lower_bound == 320
    assert arena.offsets["v1"] - arena.offsets["v0"] == 20


def test_a_kernel_that_runs_channel_by_channel_keeps_its_place() -> None:
    values = [*chain(100, 60), Buffer("scratch", 32, 0, 0), Buffer("held", 52, 0, 1)]
    rules = [Overlap("v1", "v0", 0, 58, 98, same=True)]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 184
    assert arena.offsets["v1"] == arena.offsets["v0"]
    for shift in (-4, 4, 40, 96):
        offsets = {"v0": 100, "v1": 100, "scratch": 200, "held": 232}
        verify(Arena(300, 184, offsets, {}, 2, "by hand"), values, (), rules)
        moved = Arena(300, 184, {**offsets, "v1": 100 + shift}, {}, 2, "by hand")
        with pytest.raises(OctavoError, match="v0, v1"):
            verify(moved, values, (), rules)


def test_of_two_inputs_only_one_is_where_the_output_must_be() -> None:
    values = [Buffer("x", 40, 0, 1), Buffer("y", 40, 0, 1), Buffer("z", 40, 1, 2)]
    rules = [Overlap("z", "x", 1, 40, 40, same=True), Overlap("z", "y", 1, 40, 40, same=True)]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 80


def test_every_value_of_a_chain_slides_below_the_last() -> None:
    values = chain(100, 200, 200, 150, 10)
    below = [112, 12, 8, 4]
    rules = [Overlap(f"v{i + 1}", f"v{i}", i, gap, values[i].size) for i, gap in enumerate(below)]
    arena = plan_memory(values, (), rules, 1)
    verify(arena, values, (), rules)
    assert arena.lower_bound == 212
    # v3 starts at 0, so v2 at 8, v1 at 20, and v0 at 132; the last value is small enough to go above v3.
    assert [arena.offsets[f"v{i}"] for i in range(4)] == [132, 20, 8, 0]
    assert arena.size == 232


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    values = [Buffer("x", 100, 0, 5), Buffer("y", 100, 2, 4)]
    rules = [Overlap("y", "x", 2, 0, 100)]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 200


def test_two_outputs_do_not_share_one_input() -> None:
    values = [Buffer("x", 100, 0, 1), Buffer("a", 100, 1, 2), Buffer("b", 100, 1, 2)]
    rules = [Overlap("a", "x", 1, 0, 100), Overlap("b", "x", 1, 0, 100)]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 200


def test_scratch_memory_of_one_step_is_nobody_elses_then_and_free_for_all_otherwise() -> None:
    values = [*chain(100, 300, 40), Buffer("scratch", 64, 1, 1)]
    rules = [Overlap("v1", "v0", 0, 220, 100), Overlap("v2", "v1", 1, 0, 300)]
    arena = plan_memory(values, (), rules)
    verify(arena, values, (), rules)
    assert arena.size == arena.lower_bound == 364
    inside = Arena(364, 364, {**arena.offsets, "scratch": arena.offsets["v1"] + 100}, {}, 4, "by hand")
    with pytest.raises(OctavoError, match="scratch"):
        verify(inside, values, (), rules)


def test_views_live_as_long_as_any() -> None:
    values = [Buffer("x", 100, 0, 1), Buffer("flat", 100, 1, 5), Buffer("y", 50, 3, 6)]
    arena = plan_memory(values, [View("flat", "x")], ())
    assert arena.offsets["flat"] == arena.offsets["x"]
    assert arena.size == 150 == arena.lower_bound


def test_parts_of_a_concatenation_lie_where_it_wants_them() -> None:
    values = [Buffer("x", 30, 0, 1), Buffer("a", 10, 0, 2), Buffer("b", 20, 1, 2), Buffer("all", 30, 2, 3)]
    views = [View("a", "all", 0), View("b", "all", 10)]
    arena = plan_memory(values, views, (), 4)
    verify(arena, values, views)
    assert [arena.offsets[name] - arena.offsets["all"] for name in ("a", "b")] == [0, 10]
    assert (arena.size, arena.lower_bound) == (62, 60)
    moved = Arena(64, 62, {**arena.offsets, "b": arena.offsets["b"] + 1}, {}, 4, "by hand")
    with pytest.raises(OctavoError, match="view b"):
        verify(moved, values, views)


def test_views_of_views_add_their_offsets() -> None:
    values = [Buffer(name, size, step, step + 1) for step, (name, size) in enumerate([("x", 12), ("y", 8), ("z", 2)])]
    views = [View("z", "y", 4), View("y", "x", 2)]
    arena = plan_memory(values, views, ())
    assert dict(arena.offsets) == {"x": 0, "y": 2, "z": 6}
    assert arena.size == 12


def test_an_output_may_overlap_the_part_that_its_step_reads_only_as_the_rule_says() -> None:
    """The last 40 of 100 bytes are read in step 1; the output comes from the front, 4 bytes ahead at most."""
    values = [Buffer("x", 100, 0, 0), Buffer("part", 40, 0, 1), Buffer("y", 40, 1, 2)]
    views, rules = [View("part", "x", 60)], [Overlap("y", "part", 1, -4, 40)]
    arena = plan_memory(values, views, rules)
    verify(arena, values, views, rules)
    assert arena.size == 100
    for at, right in ((0, True), (20, True), (60, True), (64, True), (68, False), (96, False), (100, True)):
        by_hand = Arena(140, 100, {"x": 0, "part": 60, "y": at}, {}, 4, "by hand")
        if right:
            verify(by_hand, values, views, rules)
        else:
            with pytest.raises(OctavoError, match="against the rules"):
                verify(by_hand, values, views, rules)


def test_a_rule_for_one_view_does_not_hold_for_another_that_is_read_in_the_same_step() -> None:
    values = [Buffer("x", 8, 0, 1), Buffer("flat", 8, 0, 1), Buffer("y", 8, 1, 2)]
    views, rules = [View("flat", "x")], [Overlap("y", "x", 1, 0, 8)]
    assert plan_memory(values, views, rules).size == 16
    both = [*rules, Overlap("y", "flat", 1, 0, 8)]
    assert plan_memory(values, views, both).size == 8
    one_place = Arena(8, 8, dict.fromkeys(("x", "flat", "y"), 0), {}, 4, "by hand")
    verify(one_place, values, views, both)
    with pytest.raises(OctavoError, match="flat, y"):
        verify(one_place, values, views, rules)


@pytest.mark.parametrize("offset", [-1, 5])
def test_a_part_that_is_not_inside_its_whole_is_refused(offset: int) -> None:
    values = [Buffer("x", 8, 0, 1), Buffer("part", 4, 0, 1)]
    with pytest.raises(OctavoError, match="view part"):
        plan_memory(values, [View("part", "x", offset)], ())


def test_a_part_at_two_places_is_refused() -> None:
    values = [Buffer("x", 8, 0, 1), Buffer("part", 4, 0, 1)]
    with pytest.raises(OctavoError, match="view part"):
        plan_memory(values, [View("part", "x", 0), View("part", "x", 4)], ())


def test_the_checker_allows_overlaps_only_in_their_step() -> None:
    values = [Buffer("x", 8, 0, 2), Buffer("y", 8, 2, 3)]
    arena = Arena(8, 8, {"x": 0, "y": 0}, {}, 4, "by hand")
    verify(arena, values, (), [Overlap("y", "x", 2, 0, 8)])
    for step in (0, 1, 3):
        with pytest.raises(OctavoError, match="overlap"):
            verify(arena, values, (), [Overlap("y", "x", step, 0, 8)])
    with pytest.raises(OctavoError, match="overlap"):
        verify(arena, values)
    for longer in ([Buffer("x", 8, 0, 3), values[1]], [values[0], Buffer("y", 8, 1, 3)]):
        with pytest.raises(OctavoError, match="overlap"):
            verify(arena, longer, (), [Overlap("y", "x", 2, 0, 8)])
