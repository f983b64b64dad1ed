"""The order of steps: against all orders of small random graphs, with the planner's lower bound as the measure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.memory import Buffer, Overlap, Step, View, plan_memory, schedule


@st.composite
def graphs(draw: st.DrawFn, most: int) -> tuple[list[Step], dict[str, int], list[str]]:
    """Steps that each read one to three earlier values, with one or two outputs and some scratch memory."""
    sizes = {"in0": draw(st.integers(0, 20)), "in1": draw(st.integers(0, 20))}
    steps = []
    for index in range(draw(st.integers(1, most))):
        inputs = draw(st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=3, unique=True))
        outputs = [f"v{index}.{part}" for part in range(draw(st.sampled_from([1, 1, 1, 2])))]
        sizes |= {name: draw(st.integers(0, 20)) for name in outputs}
        steps.append(Step(tuple(inputs), tuple(outputs), draw(st.sampled_from([0, 0, 5]))))
    return steps, sizes, draw(st.lists(st.sampled_from(sorted(sizes)), max_size=2, unique=True))


def orders(steps: Sequence[Step], done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """All orders in which every value is written before it is read."""
    if len(done) == len(steps):
        yield done
    made = {name for index in done for name in steps[index].outputs}
    later = {name for index, step in enumerate(steps) if index not in done for name in step.outputs} - made
    for index, step in enumerate(steps):
        if index not in done and later.isdisjoint(step.inputs):
            yield from orders(steps, (*done, index))


def peak(
    order: Sequence[int],
    steps: Sequence[Step],
    sizes: dict[str, int],
    outputs: Sequence[str] = (),
    views: Sequence[View] = (),
    overlaps: Sequence[Overlap] = (),
) -> int:
    """The planner's lower bound for the lives that an order gives."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    values = []
    for now, index in enumerate(order):
        for name in (*steps[index].inputs, *steps[index].outputs):
            first.setdefault(name, now if name in steps[index].outputs else 0)
            last[name] = now
        values.append(Buffer(f"scratch {index}", steps[index].scratch, now, now))
    last |= {name: len(order) for name in outputs if name in first}
    values += [Buffer(name, sizes[name], first[name], last[name]) for name in first]
    when = {index: now for now, index in enumerate(order)}
    moved = [Overlap(rule.output, rule.input, when[rule.step], rule.below, rule.above) for rule in overlaps]
    return plan_memory(values, views, moved, 1, effort=0).lower_bound


@given(graphs(6))
@settings(max_examples=200, deadline=None)
def test_no_order_of_a_small_graph_is_better(graph: tuple[list[Step], dict[str, int], list[str]]) -> None:
    steps, sizes, outputs = graph
    order = schedule(steps, sizes, outputs)
    assert tuple(order) in set(orders(steps))
    assert peak(order, steps, sizes, outputs) == min(peak(o, steps, sizes, outputs) for o in orders(steps))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_order_is_better_where_values_share_memory(data: st.DataObject) -> None:
    """Rules let outputs overlap inputs; steps without a rule may be reshapes."""
    steps, sizes, outputs = data.draw(graphs(5))
    views, overlaps = [], []
    for index, step in enumerate(steps):
        output, source = step.outputs[0], step.inputs[0]
        if data.draw(st.booleans()):
            below, above = data.draw(st.integers(0, sizes[output])), data.draw(st.integers(0, sizes[source]))
            overlaps.append(Overlap(output, source, index, below, above))
        elif len(step.outputs) == 1 and data.draw(st.booleans()) and not overlaps:
            sizes[output] = sizes[source]
            views.append(View(output, source))
    order = schedule(steps, sizes, outputs, views, overlaps)
    least = min(peak(o, steps, sizes, outputs, views, overlaps) for o in orders(steps))
    assert peak(order, steps, sizes, outputs, views, overlaps) == least


@given(graphs(40))
@settings(max_examples=30, deadline=None)
def test_a_bounded_search_is_legal_repeatable_and_never_worse(
    graph: tuple[list[Step], dict[str, int], list[str]],
) -> None:
    steps, sizes, outputs = graph
    given_order = list(range(len(steps)))
    for effort in (0, 2_000):
        order = schedule(steps, sizes, outputs, effort=effort)
        assert sorted(order) == given_order
        seen: set[str] = {"in0", "in1"}
        for index in order:
            assert seen.issuperset(steps[index].inputs)
            seen |= set(steps[index].outputs)
        assert order == schedule(steps, sizes, outputs, effort=effort)
        assert peak(order, steps, sizes, outputs) <= peak(given_order, steps, sizes, outputs)


def inception(blocks: int) -> tuple[list[Step], dict[str, int]]:
    """Blocks of four branches, all wide layers first and then all narrow ones: the worst order."""
    steps, sizes, x = [], {"x": 64}, "x"
    for block in range(blocks):
        names = [f"{block}.{branch}" for branch in range(4)]
        steps += [Step((x,), (f"{name} wide",)) for name in names]
        steps += [Step((f"{name} wide",), (f"{name} narrow",)) for name in names]
        sizes |= {f"{name} wide": 200 + 10 * index for index, name in enumerate(names)}
        sizes |= {f"{name} narrow": 16 for name in names}
        x = f"{block} joined"
        steps.append(Step(tuple(f"{name} narrow" for name in names), (x,)))
        sizes[x] = 64
    return steps, sizes


def test_branches_run_one_after_the_other() -> None:
    steps, sizes = inception(8)
    started = time.process_time()
    order = schedule(steps, sizes)
    assert time.process_time() - started < 2.0
    # x, the widest layer and its result or three narrow results: the widest runs first.
    assert peak(order, steps, sizes) == max(64 + 230 + 16, 64 + 220 + 2 * 16, 64 + 210 + 3 * 16, 200 + 64 + 3 * 16)
    assert peak(range(len(steps)), steps, sizes) > 860


def test_a_residual_block_runs_its_cheap_branch_when_it_costs_least() -> None:
    """The shortcut is smaller than what it is computed from: it waits for the end of the long branch."""
    steps = [
        Step(("x",), ("shortcut",)),
        Step(("x",), ("wide",)),
        Step(("wide",), ("narrow",)),
        Step(("narrow", "shortcut"), ("sum",)),
    ]
    sizes = {"x": 50, "shortcut": 60, "wide": 300, "narrow": 20, "sum": 60}
    assert schedule(steps, sizes, ("sum",)) == [1, 2, 0, 3]
    assert schedule(steps, sizes | {"shortcut": 0}, ("sum",)) == [0, 1, 2, 3]


def test_in_place_results_decide() -> None:
    """Two results of 90 from inputs of 100 and 95, one of which may be written over its input."""
    steps = [Step(("a",), ("a'",)), Step(("b",), ("b'",)), Step(("a'", "b'"), ("c",))]
    sizes = {"a": 100, "b": 95, "a'": 90, "b'": 90, "c": 1}
    assert schedule(steps, sizes) == [0, 1, 2]
    assert schedule(steps, sizes, overlaps=[Overlap("b'", "b", 1, 0, 95)]) == [1, 0, 2]


def test_a_chain_stays_and_so_does_an_order_that_nothing_betters() -> None:
    steps = [Step((f"v{i}",), (f"v{i + 1}",)) for i in range(2000)]
    assert schedule(steps, {f"v{i}": i % 7 for i in range(2001)}) == list(range(2000))
    pair = [Step(("x",), ("a",)), Step(("x",), ("b",))]
    assert schedule(pair, {"x": 1, "a": 1, "b": 1}, ("a", "b")) == [0, 1]
    assert schedule((), {}) == []


def test_mistakes_of_the_caller_are_named() -> None:
    with pytest.raises(OctavoError, match="written later"):
        schedule([Step(("b",), ("a",)), Step(("x",), ("b",))], {"x": 1, "a": 1, "b": 1})
    branches = [Step(("x",), ("a",)), Step(("x",), ("b",))]
    with pytest.raises(OctavoError, match="ghost"):
        schedule(branches, {"x": 1, "a": 1, "b": 1}, overlaps=[Overlap("ghost", "x", 0, 0, 1)])


def test_a_value_that_no_step_uses_counts_in_no_order() -> None:
    steps = [Step(("in0",), ("kept",)), Step(("in0",), ("dropped",))]
    sizes = {"in0": 0, "unused": 1, "kept": 1, "dropped": 1}
    assert schedule(steps, sizes, outputs=("unused", "kept")) == [1, 0]


def test_a_rule_for_one_view_is_none_for_another_that_the_step_reads() -> None:
    steps = [Step(("x",), ("flat",)), Step(("x", "flat"), ("y",)), Step(("x",), ("a", "b"))]
    sizes = {"x": 2, "flat": 2, "y": 2, "a": 0, "b": 1}
    views, rule = [View("flat", "x")], Overlap("y", "x", 1, 0, 0)
    assert schedule(steps, sizes, ("b",), views, [rule]) == [0, 1, 2]
    assert peak([0, 1, 2], steps, sizes, ("b",), views, [rule]) == 4
    assert schedule(steps, sizes, ("b",), views, [rule, Overlap("y", "flat", 1, 0, 0)]) == [0, 2, 1]
