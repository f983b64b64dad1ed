"""Mixed precision as a rung: measure what each layer costs and spoils, choose exactly, quantize what was chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.num.options import Option, find_options
from octavo.pipeline.plain import user_order
from octavo.pipeline.rung import Rung, Stage, silent
from octavo.pipeline.samples import Samples
from octavo.quant.mixed import (
    Assignment,
    Budget,
    Costs,
    Sensitivities,
    choose,
    layer_costs,
    mixed_scheme,
    pareto,
    sensitivities,
)
from octavo.quant.observe import Observation, observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.regions import followed
from octavo.quant.rounding.least_squares import LeastSquares, least_squares_rounding
from octavo.targets import Target

__all__ = ["Mixture", "Mixing", "assignment_rows", "assignments", "explore", "mixed_quantized", "mixed_rungs"]


@dataclass(frozen=True)
class Mixing:
    """What layers may be (names of octavo.num.options), and what all together may cost; None: as little as it takes."""

    options: tuple[str, ...]
    budget: Budget | None = None


@dataclass(frozen=True)
class Mixture:
    """What was measured of a float graph: enough to quantize every assignment without another pass over the data."""

    graph: Graph
    observation: Observation
    scheme: Scheme
    target: str
    sensitivities: Sensitivities
    costs: Costs


def explore(
    graph: Graph,
    samples: Samples,
    scheme: Scheme,
    target: Target,
    options: Sequence[str] = ("int8", "int4"),
    kind: str = "bytes",
    rounding: LeastSquares | None = None,
    count: int = 32,
    observation: Observation | None = None,
    stage: Stage = silent,
) -> Mixture:
    """Measure every option of every layer of a normalised float graph, on ``count`` of the calibration samples.

    ``options`` are names of octavo.num.options, ``kind`` is that of the budget (bytes, mac-bits, latency).
    ``scheme`` gives the range methods and the base format; its own layers and int16 regions are replaced. With
    ``rounding`` the weights of fewer than 8 bits are measured as least squares rounds them. ``observation`` saves the
    calibration where the graph, as ``align`` prepares it, was observed already. OctavoError for options that are
    unknown or that the target does not have.
    """
    chosen = find_options(options, scheme.format, target.formats)
    prepared = align(graph)
    seen = observation or observe(
        prepared,
        (user_order(prepared, batch) for batch in samples.batches()),
        _counted(stage, "calibrating", len(samples)),
    )
    plain = replace(scheme, layers={}, wide=frozenset())
    rounded = {} if rounding is None else _rounded(prepared, samples, seen, plain, chosen, rounding, stage)
    progress = _counted(stage, "measuring layers", len(prepared.nodes))
    found = sensitivities(prepared, samples.inputs, chosen, plain, seen, rounded, count, progress=progress)
    return Mixture(prepared, seen, plain, target.name, found, layer_costs(prepared, found, kind, target.costs))


def _counted(report: Stage, what: str, total: int) -> Callable[[int], None]:
    done = 0

    def progress(more: int) -> None:
        nonlocal done
        done += more
        report(what, done, total)

    return progress


def _rounded(
    graph: Graph,
    samples: Samples,
    seen: Observation,
    scheme: Scheme,
    options: Sequence[Option],
    settings: LeastSquares,
    report: Stage,
) -> Mapping[str, Quantized]:
    """The network with all weights in each format of fewer than 8 bits, least-squares rounded, by option."""
    found: dict[str, Quantized] = {}
    data = user_order(graph, dict(samples.inputs))
    for option in options:
        if option.weights.bits < 8:
            report(f"rounding to {option.weights.bits} bits", 0, None)
            whole = replace(scheme, format=replace(scheme.format, weights=option.weights))
            plain = replace(settings, compensate=False)
            found[option.name] = least_squares_rounding(quantize_observed(graph, seen, whole), data, plain)
    return found


def mixed_quantized(mixture: Mixture, assignment: Assignment) -> Quantized:
    """The network as assigned, weights rounded to nearest; the plan's notes say which layers have which option."""
    scheme = mixed_scheme(assignment, mixture.scheme)
    graph = align(mixture.graph, scheme.wide)
    quantized = quantize_observed(graph, followed(mixture.observation, graph), scheme, mixture.target)
    return quantized.with_(notes=(*quantized.plan.notes, *_notes(mixture, assignment)))


def _notes(mixture: Mixture, assignment: Assignment) -> tuple[str, ...]:
    notes = [
        f"mixed precision: {_words(assignment)}; {assignment.cost:,.0f} {mixture.costs.kind}, "
        f"expected SQNR {-assignment.noise_db:.1f} dB"
    ]
    for name in assignment.counts:
        layers = [node for node, option in assignment.layers.items() if option.name == name]
        notes.append(f"{name}: {', '.join(layers)}")
    return tuple(notes)


def _words(assignment: Assignment) -> str:
    return ", ".join(f"{count} layers {name}" for name, count in assignment.counts.items())


def assignments(mixture: Mixture, budget: Budget | None = None, points: int = 9) -> tuple[Assignment, ...]:
    """With a budget: the one with the least expected noise. Without: the Pareto front from its cheapest end.

    OctavoError, stating the least possible cost, where a budget allows none.
    """
    if budget is not None:
        return (choose(mixture.sensitivities, mixture.costs, budget.amount),)
    return pareto(mixture.sensitivities, mixture.costs, points)


def mixed_rungs(mixture: Mixture, front: Sequence[Assignment]) -> Iterator[Rung]:
    """A rung for each assignment, its weights rounded to nearest."""
    for assignment in front:
        start = time.perf_counter()
        quantized = mixed_quantized(mixture, assignment)
        yield Rung(f"mixed precision, {_words(assignment)}", quantized, time.perf_counter() - start)


def assignment_rows(mixture: Mixture, front: Sequence[Assignment]) -> list[dict[str, object]]:
    """Assignments as plain rows for a table.

    Keys: the kind of the cost (bytes, mac-bits or latency), ``expected_sqnr_db``, ``layers`` (counts by option) and
    ``int16_nodes``.
    """
    return [
        {
            mixture.costs.kind: entry.cost,
            "expected_sqnr_db": round(-entry.noise_db, 2),
            "layers": entry.counts,
            "int16_nodes": len(entry.wide),
        }
        for entry in front
    ]
