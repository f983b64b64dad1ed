"""The first rungs: equalization, range setting, nearest rounding, bias correction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.evenly import evenly
from octavo.passes.balance import balance
from octavo.passes.equalize import Equalization, equalize
from octavo.passes.snap import snap
from octavo.pipeline.rung import Rung, Stage
from octavo.pipeline.said import left_out
from octavo.pipeline.samples import Samples
from octavo.quant.correct import correct_bias, correct_bias_analytic
from octavo.quant.observe import Observation, observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed

__all__ = ["EQUALIZATIONS", "Variants", "corrected", "equalizations", "user_order"]

EQUALIZATIONS = ("auto", "none", "weights", "balance", "align")
_TRIAL = 32


def equalizations(scheme: Scheme, wanted: str, judged: bool) -> tuple[str, ...]:
    """The kinds to try: what the format can use where there are samples to judge by, else none or the wanted one."""
    if wanted not in EQUALIZATIONS:
        raise OctavoError(f"equalization {wanted}", "is unknown", f"Use one of {', '.join(EQUALIZATIONS)}.")
    if wanted != "auto":
        return (wanted,)
    if not judged:
        return ("none",)
    unfit = set()
    if scheme.format.weights.granularity != "per-tensor":
        unfit.add("weights")
    if not scheme.format.activations.power_of_two:
        unfit.add("align")
    return tuple(kind for kind in EQUALIZATIONS[1:] if kind not in unfit)


def user_order(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """Inputs [N, ...] in the axis order of the user's network."""
    return {
        name: array.transpose(np.argsort(graph.layouts[name])) if name in graph.layouts else array
        for name, array in inputs.items()
    }


@dataclass(frozen=True)
class Variants:
    """Plain quantization of one graph by one scheme, from the same samples."""

    graph: Graph
    samples: Samples
    scheme: Scheme
    target: str
    stage: Stage

    def rungs(self, kinds: tuple[str, ...]) -> Iterator[Rung]:
        """One variant for each kind of equalization, calibrated on 32 samples if there are more than twice as many."""
        start = time.perf_counter()
        samples = self.trial if len(kinds) > 1 else self.samples
        observed = self._observe(self.graph, samples)
        for kind in kinds:
            variant, seen, notes = self._equalized(observed, samples, kind)
            quantized = quantize_observed(align(variant, self.scheme.region), seen, self.scheme, self.target)
            what = "plain" if samples is self.samples else f"trial on {len(samples)} samples"
            yield Rung(f"{what}, equalization {kind}", quantized, time.perf_counter() - start, notes, seen)
            start = time.perf_counter()

    @property
    def trial(self) -> Samples:
        """The samples with which variants are compared."""
        count = len(self.samples)
        return self.samples.take(evenly(count, _TRIAL)) if count > 2 * _TRIAL else self.samples

    def calibrated(self, trial: Rung) -> Rung:
        """A variant again, calibrated on all samples."""
        graph = trial.quantized.graph
        start = time.perf_counter()
        seen = self._observe(graph, self.samples)
        quantized = quantize_observed(graph, seen, self.scheme, self.target)
        name = f"plain, {trial.name.partition(', ')[2]}"
        return Rung(name, quantized, time.perf_counter() - start, trial.notes, seen)

    def _observe(self, graph: Graph, samples: Samples) -> Observation:
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            self.stage("calibrating", done, len(samples))

        prepared = align(graph, self.scheme.region)
        return observe(prepared, (user_order(prepared, batch) for batch in samples.batches()), progress)

    def _equalized(
        self, observed: Observation, samples: Samples, kind: str
    ) -> tuple[Graph, Observation, tuple[str, ...]]:
        """The graph with its channels scaled, what calibration sees of it, and what was left out.

        Power-of-two formats also align the activations' scales, after equalization or alone.
        """
        weights, activations = self.scheme.format.weights, self.scheme.format.activations
        self.stage(f"equalizing by {kind}", 0, None)
        done = Equalization(self.graph, 0, 0)
        if kind == "weights":
            done = equalize(self.graph)
        elif kind == "balance":
            channels = {name: entry.channels for name, entry in observed.statistics.items() if entry.channels}
            per_channel = weights.granularity != "per-tensor"
            done = balance(self.graph, channels, per_channel, activations.symmetric, weights.bits)
        left = done.left
        if activations.power_of_two and kind != "none":
            first = self._observe(done.graph, samples)
            free = replace(activations, power_of_two=False)
            ranges = first.ranges("mse", free).items()
            scales = {name: high / free.integers(low == 0)[1] for name, (low, high) in ranges}
            done = snap(done.graph, scales)
            left = left or done.left
        notes = left_out("equalization", left)
        if done.graph is self.graph:
            return self.graph, observed, notes
        return done.graph, self._observe(done.graph, samples), notes


def corrected(rung: Rung, samples: Samples, stage: Stage) -> Iterator[Rung]:
    """Bias correction of a plain variant: for its rounded weights, then for what happens to their inputs, too."""
    start = time.perf_counter()
    stage("correcting biases", 0, None)
    if rung.seen is not None and all(entry.channels is not None for entry in rung.seen.statistics.values()):
        result = correct_bias_analytic(rung.quantized, rung.seen)
        yield Rung("plain, biases corrected for weights", result, time.perf_counter() - start)
        start = time.perf_counter()
    result = correct_bias(rung.quantized, user_order(rung.quantized.graph, dict(samples.inputs)))
    yield Rung("plain, biases corrected for weights and inputs", result, time.perf_counter() - start)
