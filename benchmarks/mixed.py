"""Mixed precision: the front of bytes and noise, what is measured of it, and a greedy choice at the same budgets.

Expected noise is that of the logits (the input of the softmax), and so is the SQNR; accuracy is that of all test
samples, which neither calibration nor the choice has seen. Numbers are those of the simulated integers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from benchmarks.workloads import Workload, efficientnet_lite0, tiny
from octavo import api
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.mixed import Mixture, explore, mixed_quantized
from octavo.pipeline.samples import Samples, gather
from octavo.quant.mixed import Assignment, evaluate, pareto
from octavo.quant.observe import observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme
from octavo.quant.rounding import LeastSquares, compensated, least_squares_rounding
from octavo.targets import load_target

__all__ = ["greedy", "main"]

POINTS = 6
RANDOM, FEW = 24, 1000


def main() -> None:
    """For each network: bytes with int8 and int4, nearest and least-squares rounded; estimated cycles with 16x8."""
    for name in ("resnet8_cifar10", "dscnn_kws"):
        workload = tiny(name)
        graph = api.load(workload.model)
        assert isinstance(graph, Graph)
        test, _ = gather(graph, workload.test, workload.labels)
        for rounding in (None, LeastSquares()):
            _table(workload, graph, test, ("int8", "int4"), "bytes", rounding)
        _table(workload, graph, test, ("int8", "16x8"), "latency", None)
    _large()


def _large() -> None:
    """How long a network of fifty layers takes."""
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    assert isinstance(graph, Graph)
    samples, _ = gather(graph, workload.calibration)
    marks = [time.perf_counter()]
    scheme = Scheme(ranges="mse", weight_ranges="mse")
    seen = observe(align(graph), [workload.calibration])
    marks.append(time.perf_counter())
    mixture = explore(
        graph, samples, scheme, load_target("host"), ("int8", "int4", "16x8"), "latency", observation=seen
    )
    marks.append(time.perf_counter())
    front = pareto(mixture.sensitivities, mixture.costs)
    marks.append(time.perf_counter())
    calibration, layers, choice = np.diff(marks)
    print(
        f"{workload.name}: {calibration:.1f} s calibration, {layers:.1f} s for {len(mixture.sensitivities.linear)} "
        f"layers and 3 options, {choice:.1f} s for the front of {len(front)} points"
    )


def greedy(mixture: Mixture, budget: float) -> Assignment:
    """The peer: from the least noise on, toggle the layer that saves most cost for its noise, until the budget is met.

    Layers have two options here, other nodes are int8.
    """
    found, costs = mixture.sensitivities, mixture.costs
    coarse, fine = sorted(found.options, key=lambda option: option.weights.bits)
    choices = {node: fine.name if node in found.linear else "int8" for node in found.noise}
    while evaluate(found, costs, choices)[0] > budget:
        price = {
            node: (found.noise[node][coarse.name] - found.noise[node][fine.name])
            / (costs.choices[node][fine.name] - costs.choices[node][coarse.name])
            for node, choice in choices.items()
            if choice == fine.name and node in found.linear
        }
        choices[min(price, key=lambda node: price[node])] = coarse.name
    cost, noise = evaluate(found, costs, choices)
    layers = {node: option for node in found.linear for option in found.options if option.name == choices[node]}
    return Assignment(layers, frozenset(), cost, noise)


def _table(
    workload: Workload, graph: Graph, test: Samples, options: tuple[str, ...], kind: str, rounding: LeastSquares | None
) -> None:
    logits = replace(graph, nodes=graph.nodes[:-1], outputs=graph.nodes[-1].inputs)
    calibration, _ = gather(logits, workload.calibration)
    scheme, target = Scheme(ranges="mse", weight_ranges="mse"), load_target("host")
    start = time.perf_counter()
    mixture = explore(logits, calibration, scheme, target, options, kind, rounding)
    front = pareto(mixture.sensitivities, mixture.costs)
    seconds = time.perf_counter() - start
    reference = reference_outputs(logits, test)
    title = "nearest" if rounding is None else "least squares"
    print(f"{workload.name}, {' and '.join(options)}, {title}: {seconds:.1f} s for the front of {len(front)} points")
    columns = f"{'expected':>10}{'SQNR dB':>9}{'accuracy':>10}"
    print(f"  {kind:>12}{options[-1]:>8}{columns}" + (f"   greedy: {columns}" if kind == "bytes" else ""))

    def measured(assignment: Assignment) -> str:
        quantized = mixed_quantized(mixture, assignment)
        if rounding is not None:
            quantized = least_squares_rounding(quantized, workload.calibration, compensated(4))
        found = measure(quantized, test, reference)
        return f"{-assignment.noise_db:10.2f}{found.sqnr_db:9.2f}{100 * (found.accuracy or 0):10.2f}"

    shown = [front[round(index * (len(front) - 1) / (POINTS - 1))] for index in range(POINTS)]
    for best in shown:
        row, beside = measured(best), ""
        if kind == "bytes":
            peer = greedy(mixture, best.cost)
            beside = f"{'':11}{row if peer.layers == best.layers else measured(peer)}"
        print(f"  {best.cost:12,.0f}{best.counts.get(options[-1], 0):>5}/{len(best.layers)}{row}{beside}", flush=True)
    if kind == "bytes" and rounding is None:
        few = np.arange(min(FEW, len(test)))
        print(f"  {_additivity(mixture, test.take(few), reference[few])}", flush=True)


def _additivity(mixture: Mixture, test: Samples, reference: np.ndarray) -> str:
    """How far the sum of the layers' noises is from the measured noise, over random assignments."""
    found, rng = mixture.sensitivities, np.random.default_rng(0)
    errors = []
    for _ in range(RANDOM):
        share = rng.random()
        names: Mapping[str, str] = {node: "int4" if rng.random() < share else "int8" for node in sorted(found.linear)}
        choices = {node: names.get(node, "int8") for node in found.noise}
        layers = {node: option for node in names for option in found.options if option.name == names[node]}
        assignment = Assignment(layers, frozenset(), *evaluate(found, mixture.costs, choices))
        quantized: Quantized = mixed_quantized(mixture, assignment)
        errors.append(-assignment.noise_db - measure(quantized, test, reference).sqnr_db)
    return (
        f"expected less measured SQNR over {RANDOM} random assignments: mean {np.mean(errors):.2f} dB, "
        f"deviation {np.std(errors):.2f} dB, largest {np.abs(errors).max():.2f} dB"
    )
