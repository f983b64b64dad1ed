"""The choice of a format for every layer as an integer linear program, solved exactly.

Minimise   sum noise[n, c] x[n, c] + sum narrowing[v] z8[v]
subject to sum cost[n, c] x[n, c] + sum change[v] (z8[v] + z16[v]) <= budget,
           sum_c x[n, c] = 1 for every node n, x binary,
           z8[v] >= W[maker] - W[reader], z16[v] >= W[reader] - W[maker] for every value v and its readers,
with W[n] the sum of x[n, c] over the int16 choices: z8 and z16 say that a Requantize makes v int8 or int16. Inputs and
outputs of the network have W = 0. (Layers' bits by integer programming: Hubara et al. 2021; Yao et al. 2021, HAWQ-V3.)
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from octavo.errors import OctavoError
from octavo.num.options import Option
from octavo.quant.mixed.costs import Costs
from octavo.quant.mixed.sensitivities import Sensitivities
from octavo.quant.quantize import Scheme

__all__ = ["Assignment", "choose", "evaluate", "least", "mixed_scheme", "pareto"]

Vector = NDArray[np.float64]
_SLACK, _STEP, _RESOLUTION = 1e-7, 1e-6, 1e4
_OPTIONS = {
    "mip_rel_gap": 0.0,
    "presolve": False,
    "mip_feasibility_tolerance": 1e-9,
    "primal_feasibility_tolerance": 1e-9,
}
"""Exact; presolve off, because what it undoes may violate a row by the tolerance, which HiGHS then repairs aloud."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard output is for answers: what HiGHS prints there when it repairs a solution goes nowhere."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 1)
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(sink)


@dataclass(frozen=True)
class Assignment:
    """The option of each linear layer and the nodes that are ``wide`` (int16); its cost, and the noise expected of it.

    ``noise`` is noise power over signal power at the outputs.
    """

    layers: Mapping[str, Option]
    wide: frozenset[str]
    cost: float
    noise: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))

    @property
    def noise_db(self) -> float:
        """10 log10(noise), negative: the negated SQNR that is expected."""
        return 10 * math.log10(self.noise) if self.noise > 0 else -math.inf

    @property
    def counts(self) -> dict[str, int]:
        """How many layers have each option, by its name."""
        return dict(sorted(Counter(option.name for option in self.layers.values()).items()))


def evaluate(found: Sensitivities, costs: Costs, choices: Mapping[str, str]) -> tuple[float, float]:
    """(cost, noise) of a choice for every node, the Requantizes between them included."""
    cost = sum(costs.choices[node][choice] for node, choice in choices.items())
    noise = found.constant + sum(found.noise[node][choice] for node, choice in choices.items())
    wide = {node: found.is_wide(choice) for node, choice in choices.items()}
    for value in found.values:
        made = wide.get(value.maker, False)
        read = {wide[reader] for reader in value.readers} | ({False} if value.output else set())
        if not made and True in read:
            cost += costs.changes[value.name]
        if made and False in read:
            cost += costs.changes[value.name]
            noise += value.narrowing
    return cost, noise


def choose(found: Sensitivities, costs: Costs, budget: float) -> Assignment:
    """The least noise that ``budget`` (in the unit of ``costs``) allows, and the cheapest assignment that has it.

    OctavoError for a budget below the least possible cost, which it states.
    """
    problem = _Problem.of(found, costs)
    if problem.minimise(problem.noise, problem.cost, budget) is None:
        cheapest = _must(problem.minimise(problem.cost))
        raise OctavoError(
            f"budget of {budget:,.0f} {costs.kind}",
            f"is less than the {math.ceil(cheapest.cost):,} {costs.kind} that the smallest choice takes",
            "Allow more, or offer options of fewer bits.",
        )
    return problem.minimise_both(problem.noise, problem.cost, budget)


def least(found: Sensitivities, costs: Costs, noise: float) -> Assignment:
    """The least cost whose expected noise over signal power is at most ``noise``.

    OctavoError for a bound below the least possible noise, which it states.
    """
    problem = _Problem.of(found, costs)
    chosen = problem.minimise(problem.cost, problem.noise, noise - found.constant)
    if chosen is None:
        best = _must(problem.minimise(problem.noise))
        raise OctavoError(
            f"noise of at most {noise:.3g} of the signal",
            f"is less than the {best.noise:.3g} that the finest choice is expected to have",
            "Allow more, or offer options of more bits.",
        )
    return chosen


def pareto(found: Sensitivities, costs: Costs, points: int = 17) -> tuple[Assignment, ...]:
    """Assignments of which none has both less cost and less noise, by rising cost; each is the best at its cost.

    The ends are the least cost and the least noise; between them the widest gap is halved, again and again, until
    there are ``points`` entries or no gap can hold another. So the front is complete where it has fewer entries (costs
    and noises are told apart to a millionth). Deterministic.
    """
    problem = _Problem.of(found, costs)
    ends = problem.minimise_both(problem.cost, problem.noise), problem.minimise_both(problem.noise, problem.cost)
    front = _undominated(ends)
    closed: set[float] = set()
    while len(front) < points:
        gaps = [(b.cost - a.cost, a, b) for a, b in zip(front, front[1:], strict=False) if b.cost not in closed]
        if not gaps:
            break
        _, low, high = max(gaps, key=lambda gap: gap[0])
        for budget in ((low.cost + high.cost) / 2, high.cost * (1 - _STEP)):
            entry = problem.minimise_both(problem.noise, problem.cost, budget) if budget > low.cost else low
            if entry.cost > low.cost and entry.noise < low.noise:
                front = _undominated((*front, entry))
                break
        else:
            closed.add(high.cost)
    return tuple(front)


def _undominated(entries: Sequence[Assignment]) -> list[Assignment]:
    """Those that no other beats in both, by rising cost."""
    front: list[Assignment] = []
    for entry in sorted(entries, key=lambda entry: (entry.cost, entry.noise)):
        if not front or entry.noise < front[-1].noise:
            front.append(entry)
    return front


def mixed_scheme(assignment: Assignment, scheme: Scheme) -> Scheme:
    """The scheme with the assignment's weights and int16 nodes in place of its own ``layers`` and ``wide``."""
    layers = {name: option.weights for name, option in assignment.layers.items()}
    return replace(scheme, layers=layers, wide=assignment.wide)


@dataclass(frozen=True)
class _Problem:
    """The program: a binary variable for each node and choice, then z8 and z16 of the values that may change.

    ``rows`` x lies between ``low`` and ``high``; ``noise`` and ``cost`` are the coefficients of the two sums.
    """

    found: Sensitivities
    costs: Costs
    columns: tuple[tuple[str, str], ...]
    noise: Vector
    cost: Vector
    rows: csr_array
    low: Vector
    high: Vector

    @staticmethod
    def of(found: Sensitivities, costs: Costs) -> _Problem:
        """Variables and rows, as the module says."""
        columns = [(node, choice) for node, choices in found.noise.items() for choice in choices]
        noise = [found.noise[node][choice] for node, choice in columns]
        cost = [costs.choices[node][choice] for node, choice in columns]
        places = {node: [i for i, (owner, _) in enumerate(columns) if owner == node] for node in found.noise}
        wide = {node: [i for i in at if found.is_wide(columns[i][1])] for node, at in places.items()}
        entries: list[tuple[int, int, float]] = []
        for row, node in enumerate(found.noise):
            entries += [(row, column, 1.0) for column in places[node]]
        equalities, row, size = len(found.noise), len(found.noise), len(columns)
        for value in found.values:
            maker = wide.get(value.maker, [])
            readers = [*(wide[reader] for reader in value.readers), *([[]] if value.output else [])]
            for sign in (1.0, -1.0):
                limits = [reader for reader in readers if (maker if sign > 0 else reader) and reader != maker]
                if not limits:
                    continue
                for reader in limits:
                    entries.append((row, size, -1.0))
                    entries += [(row, column, sign) for column in maker]
                    entries += [(row, column, -sign) for column in reader]
                    row += 1
                noise.append(value.narrowing if sign > 0 else 0.0)
                cost.append(costs.changes[value.name])
                size += 1
        at = np.array([entry[:2] for entry in entries], np.int64).reshape(-1, 2)
        data = np.array([entry[2] for entry in entries])
        rows = csr_array(coo_array((data, (at[:, 0], at[:, 1])), shape=(row, size)))
        low, high = np.full(row, -np.inf), np.zeros(row)
        low[:equalities] = high[:equalities] = 1.0
        return _Problem(found, costs, tuple(columns), np.array(noise), np.array(cost), rows, low, high)

    def minimise(self, objective: Vector, bounded: Vector | None = None, bound: float = math.inf) -> Assignment | None:
        """The assignment with the least ``objective`` while ``bounded`` stays within ``bound``; None where none does.

        The solver's tolerances are absolute, so both sums are scaled: the objective by its least value in the
        relaxed program, the other to a bound of 10,000. A result beyond the bound, by the tolerance, is sought again
        below it.
        """
        limit = bound
        for _ in range(3):
            solution = self._solve(objective, bounded, limit)
            if solution is None:
                return None
            if bounded is None or float(bounded @ solution) <= bound * (1 + 1e-12):
                return self._assignment(solution)
            limit -= 4e-6 / _RESOLUTION * abs(bound)
        return None

    def minimise_both(self, first: Vector, second: Vector, bound: float = math.inf) -> Assignment:
        """The least ``second`` among the assignments with the least ``first`` whose cost is within ``bound``."""
        best = _must(self.minimise(first, self.cost, bound) if bound < math.inf else self.minimise(first))
        reached = best.cost if first is self.cost else best.noise - self.found.constant
        refined = self.minimise(second, first, reached * (1 + _SLACK))
        if refined is None or refined.cost > bound:
            return best
        return refined

    def _solve(self, objective: Vector, bounded: Vector | None, bound: float) -> Vector | None:
        rows, low, high = self.rows, self.low, self.high
        if bounded is not None and math.isfinite(bound):
            unit = abs(bound) / _RESOLUTION or 1.0
            rows = csr_array(vstack([rows, csr_array(bounded[None, :] / unit)]))
            low, high = np.append(low, -np.inf), np.append(high, bound / unit)
        integrality = np.zeros(len(objective))
        scale = 1.0
        for whole in (0.0, 1.0):
            integrality[: len(self.columns)] = whole
            with warnings.catch_warnings(), _quiet():
                # SciPy warns that it passes HiGHS's own tolerances on.
                warnings.simplefilter("ignore", RuntimeWarning)
                result = milp(
                    objective / scale,
                    integrality=integrality,
                    bounds=Bounds(0.0, 1.0),
                    constraints=LinearConstraint(rows, low, high),
                    options=dict(_OPTIONS),
                )
            if result.x is None:
                return None
            scale *= abs(float(result.fun)) or float(np.abs(objective).max(initial=0.0)) or 1.0
        return self._whole(np.asarray(result.x))

    def _whole(self, x: Vector) -> Vector:
        """The choices rounded to 0 and 1, and the least z that they need."""
        x = np.concatenate([np.rint(x[: len(self.columns)]), np.zeros(len(x) - len(self.columns))])
        needed = csr_array(self.rows[len(self.found.noise) :])
        excess = needed @ x
        for row in np.flatnonzero(excess > 0.5):
            x[needed.indices[needed.indptr[row] : needed.indptr[row + 1]].max()] = 1.0
        return x

    def _assignment(self, x: Vector) -> Assignment:
        choices = {node: choice for (node, choice), on in zip(self.columns, x, strict=False) if on > 0.5}
        known = {option.name: option for option in self.found.options}
        layers = {node: known[choice] for node, choice in choices.items() if node in self.found.linear}
        wide = frozenset(node for node, choice in choices.items() if self.found.is_wide(choice))
        return Assignment(layers, wide, *evaluate(self.found, self.costs, choices))


def _must(assignment: Assignment | None) -> Assignment:
    """Without a bound there is always one; where the options leave a node no choice there is none."""
    if assignment is None:
        raise OctavoError("mixed precision", "has no assignment that its solver finds", "Offer int8 among the options.")
    return assignment
