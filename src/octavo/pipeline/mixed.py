"""Mixed precision as a rung: measure what each layer costs and spoils, choose exactly, quantize what was chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.num.options import Option, find_options
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

__all__ = ["Mixture", "Stage", "explore", "mixed_quantized", "mixed_rungs", "pareto_rows"]

Stage = Callable[[str, int, int | None], None]
"""Called with what is done now, how much of it is done, and how much there is."""


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
    stage: Stage | None = None,
) -> Mixture:
    """Measure every option of every layer of a normalised float graph, on ``count`` of the calibration samples.

    ``options`` are names of octavo.num.options, ``kind`` is that of the budget (bytes, mac-bits, latency).
    ``scheme`` gives the range methods and the base format; its own layers and int16 regions are replaced. With
    ``rounding`` the weights of fewer than 8 bits are measured as least squares rounds them. ``observation`` saves the
    calibration where the graph, as ``align`` prepares it, was observed already. OctavoError for options that are
    unknown or that the target does not have.
    """
    report = stage or (lambda what, done, total: None)
    chosen = find_options(options, scheme.format, target.formats)
    prepared = align(graph)
    seen = observation or observe(
        prepared, _in_user_order(prepared, samples), _counted(report, "calibrating", len(samples))
    )
    plain = replace(scheme, layers={}, wide=frozenset())
    rounded = {} if rounding is None else _rounded(prepared, samples, seen, plain, chosen, rounding, report)
    progress = _counted(report, "measuring layers", len(prepared.nodes))
    found = sensitivities(prepared, samples.inputs, chosen, plain, seen, rounded, count, progress=progress)
    return Mixture(prepared, seen, plain, target.name, found, layer_costs(prepared, found, kind, target.costs))


def _counted(report: Stage, what: str, total: int) -> Callable[[int], None]:
    done = 0

    def progress(more: int) -> None:
        nonlocal done
        done += more
        report(what, done, total)

    return progress


def _in_user_order(graph: Graph, samples: Samples) -> Iterator[dict[str, Array]]:
    for batch in samples.batches():
        yield {name: _user(graph, name, array) for name, array in batch.items()}


def _user(graph: Graph, name: str, array: Array) -> Array:
    return array.transpose(np.argsort(graph.layouts[name])) if name in graph.layouts else array


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
    data = {name: _user(graph, name, array) for name, array in samples.inputs.items()}
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


def mixed_rungs(
    graph: Graph,
    samples: Samples,
    scheme: Scheme,
    target: Target,
    options: Sequence[str] = ("int8", "int4"),
    budget: Budget | None = None,
    points: int = 9,
    observation: Observation | None = None,
    stage: Stage | None = None,
) -> Iterator[tuple[str, Quantized, float]]:
    """Rungs of the ladder: (name, network, seconds).

    With a budget: the one network with the least expected noise that it allows (OctavoError, stating the least
    possible cost, where it allows none). Without: the Pareto front of bytes and noise from its cheapest end, so that a
    climb stops at the smallest network that is good enough. Other arguments as in ``explore``.
    """
    start = time.perf_counter()
    kind = "bytes" if budget is None else budget.kind
    mixture = explore(graph, samples, scheme, target, options, kind, observation=observation, stage=stage)
    if budget is not None:
        front: tuple[Assignment, ...] = (choose(mixture.sensitivities, mixture.costs, budget.amount),)
    else:
        front = pareto(mixture.sensitivities, mixture.costs, points)
    for assignment in front:
        quantized = mixed_quantized(mixture, assignment)
        yield f"mixed precision, {_words(assignment)}", quantized, time.perf_counter() - start
        start = time.perf_counter()


def pareto_rows(mixture: Mixture, points: int = 17) -> list[dict[str, object]]:
    """The Pareto front as plain rows by rising cost, for a table.

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
        for entry in pareto(mixture.sensitivities, mixture.costs, points)
    ]
