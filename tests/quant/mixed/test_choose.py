"""The integer program against all assignments of small random instances, one by one."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octavo.errors import OctavoError
from octavo.num.formats import FORMATS, find_format
from octavo.num.options import find_options
from octavo.quant.mixed import Assignment, Costs, Sensitivities, Value, choose, evaluate, least, mixed_scheme, pareto
from octavo.quant.quantize import Scheme

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
OPTIONS = find_options(("int8", "16x8", "int4"), find_format("affine"), tuple(FORMATS))
Instance = tuple[Sensitivities, Costs]


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """Chains with skips of two to five nodes, some of them not linear, noises over eight decades."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes = [f"n{index}" for index in range(draw(st.integers(2, 5)))]
    linear = frozenset(node for node in nodes if rng.random() < 0.7)
    able = {node: rng.random() < 0.8 for node in nodes}
    names = {
        node: [
            n
            for n in (("int8", "16x8", "int4") if node in linear else ("int8", "int16"))
            if able[node] or "16" not in n
        ]
        for node in nodes
    }
    noise = {node: {name: float(10 ** rng.uniform(-8, 0)) for name in names[node]} for node in nodes}
    values = [Value("x", "", (nodes[0],), False, 0.0)]
    for index, node in enumerate(nodes):
        later = nodes[index + 1 :]
        readers = tuple(reader for place, reader in enumerate(later) if place == 0 or rng.random() < 0.3)
        values.append(Value(f"v{index}", node, readers, not later, float(10 ** rng.uniform(-8, 0))))
    choices = {node: {name: float(rng.integers(0, 100_000)) for name in names[node]} for node in nodes}
    changes = {value.name: float(rng.integers(0, 20_000)) for value in values}
    return Sensitivities(OPTIONS, noise, tuple(values), linear, 1e-9), Costs("bytes", choices, changes)


def every(instance: Instance) -> list[tuple[float, float]]:
    """(cost, noise) of every assignment."""
    found, costs = instance
    nodes = list(found.noise)
    combinations = product(*(found.noise[node] for node in nodes))
    return [evaluate(found, costs, dict(zip(nodes, names, strict=True))) for names in combinations]


def checked(assignment: Assignment, instance: Instance) -> tuple[float, float]:
    """(cost, noise) anew, from what the assignment says of layers and int16 nodes."""
    found, costs = instance
    choices = {
        node: assignment.layers[node].name if node in found.linear else "int16" if node in assignment.wide else "int8"
        for node in found.noise
    }
    assert {node for node, choice in choices.items() if found.is_wide(choice)} == assignment.wide
    assert evaluate(found, costs, choices) == (assignment.cost, assignment.noise)
    return assignment.cost, assignment.noise


@SETTINGS
@given(instance=instances(), share=st.floats(0, 1.1))
def test_choose_is_the_best_of_all(instance: Instance, share: float) -> None:
    points = every(instance)
    costs = [cost for cost, _ in points]
    budget = min(costs) + share * (max(costs) - min(costs))
    cost, noise = checked(choose(*instance, budget), instance)
    assert cost <= budget
    assert noise == pytest.approx(min(n for c, n in points if c <= budget), rel=1e-5)


@SETTINGS
@given(instance=instances(), share=st.floats(0, 1.1))
def test_least_is_the_cheapest_of_all(instance: Instance, share: float) -> None:
    points = every(instance)
    noises = sorted(noise for _, noise in points)
    bound = noises[min(int(share * len(noises)), len(noises) - 1)] * 1.001
    cost, noise = checked(least(*instance, bound), instance)
    assert noise <= bound
    assert cost == pytest.approx(min(c for c, n in points if n <= bound), rel=1e-6, abs=0.1)


@SETTINGS
@given(instance=instances())
def test_the_front_has_no_dominated_point(instance: Instance) -> None:
    points, front = every(instance), pareto(*instance, 9)
    assert [checked(entry, instance) for entry in front]
    for before, after in zip(front, front[1:], strict=False):
        assert before.cost < after.cost and before.noise > after.noise
    assert front[0].cost == min(cost for cost, _ in points)
    assert front[-1].noise == pytest.approx(min(noise for _, noise in points), rel=1e-5)
    for entry in front:
        assert not [1 for c, n in points if c < entry.cost - 0.5 and n < entry.noise * (1 - 1e-5)]
    assert pareto(*instance, 9) == front
    if len(front) < 9:
        best = sorted({(c, n) for c, n in points if not any(d <= c and m <= n and (d, m) != (c, n) for d, m in points)})
        alike = sum(after > before * (1 - 1e-6) for (_, before), (_, after) in zip(best, best[1:], strict=False))
        assert len(best) - alike <= len(front) <= len(best)


def small() -> Instance:
    noise = {"a": {"int8": 1e-4, "int4": 1e-2}, "b": {"int8": 1e-5, "int4": 1e-3}}
    values = (Value("x", "", ("a",), False, 1e-6), Value("a", "a", ("b",), False, 0.0), Value("b", "b", (), True, 0.0))
    costs = Costs("bytes", {"a": {"int8": 100, "int4": 50}, "b": {"int8": 1000, "int4": 500}}, dict.fromkeys("xab", 1))
    return Sensitivities(OPTIONS, noise, values, frozenset("ab"), 1e-6), costs


def test_a_budget_that_nothing_meets_says_the_least() -> None:
    with pytest.raises(OctavoError, match="budget of 549 bytes: is less than the 550 bytes"):
        choose(*small(), 549)
    assert choose(*small(), 550).cost == 550
    with pytest.raises(OctavoError, match="less than the 0.000111 that"):
        least(*small(), 1e-4)


def test_the_scheme_of_an_assignment() -> None:
    assignment = choose(*small(), 600)
    assert assignment.counts == {"int4": 1, "int8": 1} and assignment.noise_db == pytest.approx(-29.59, abs=0.01)
    scheme = mixed_scheme(assignment, Scheme(ranges="mse", wide=frozenset({"z"})))
    assert scheme.ranges == "mse" and scheme.wide == frozenset()
    assert {name: weights.bits for name, weights in scheme.layers.items()} == {"a": 8, "b": 4}


def test_the_solver_says_nothing_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    import ctypes

    from octavo.quant.mixed import choose as module

    printf = ctypes.CDLL(None).printf
    with sys.modules[module.__module__]._quiet():
        printf(b"a line of the solver\n")
    print("an answer")
    assert capfd.readouterr().out == "an answer\n"
