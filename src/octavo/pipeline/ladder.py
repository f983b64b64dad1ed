"""The ladder: rungs in order of cost, the first that meets the allowed drop wins, the best is kept.

Without a target only the first rung runs: the plain pipeline of equalization and range setting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.num.formats import ActivationFormat
from octavo.passes.balance import balance
from octavo.passes.equalize import equalize
from octavo.passes.snap import snap
from octavo.pipeline.measure import Measure, interval, measure, reference_outputs
from octavo.pipeline.samples import Samples, Split
from octavo.quant.observe import Observation, observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.rounding.least_squares import LeastSquares, least_squares_rounding

__all__ = ["EQUALIZATIONS", "Stage", "climb"]

Stage = Callable[[str, int, int | None], None]
"""Called with what is done now, how much of it is done, and how much there is."""

EQUALIZATIONS = ("auto", "none", "weights", "balance", "align")
_LOW_BITS = 5
_TRIAL = 32
_QUARTILE = 0.674490


@dataclass
class _Climb:
    """What the climb knows: the data, the best so far, the trail."""

    split: Split
    reference: Array | None
    stage: Stage
    best: Quantized | None = None
    score: Measure | None = None
    trail: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def consider(self, name: str, quantized: Quantized, seconds: float) -> Measure | None:
        """Measure a rung on the search samples and keep it if it is the best."""
        row: dict[str, object] = {"rung": name, "seconds": round(seconds, 2), "weight_bytes": weight_bytes(quantized)}
        found = None
        if self.reference is not None:
            self.stage(f"measuring {name}", 0, None)
            found = measure(quantized, self.split.search, self.reference)
            row |= found.row()
        if self.best is None or (found is not None and self.score is not None and _better(found, self.score)):
            self.best, self.score = quantized, found
        self.trail.append(row)
        return found


def weight_bytes(quantized: Quantized) -> int:
    """Bytes of the weights at their format's bits, with scales and group factors."""
    total = 0.0
    for node in quantized.graph.nodes:
        index = getattr(node.op, "weight", None)
        if index is not None and node.inputs[index] in quantized.plan.qparams:
            encoding = quantized.plan.qparams[node.inputs[index]]
            bits = encoding.levels.bits or (16 if encoding.dtype == "float16" else 8)
            total += quantized.graph.types[node.inputs[index]].size * bits / 8 + 4 * encoding.scale.size
            total += getattr(getattr(encoding.levels, "factors", None), "size", 0)
    return int(np.ceil(total))


def _meets(found: Measure, max_drop: float) -> bool:
    """Whether the drop is within the allowed one, not by a few samples' luck: at the upper quartile of its estimate."""
    return interval(found, _QUARTILE)[1] <= max_drop


def _better(a: Measure, b: Measure) -> bool:
    """By drop; between drops that a few samples decide, by noise."""
    if abs(a.drop - b.drop) * a.samples / 100 > 2:
        return a.drop < b.drop
    return a.sqnr_db > b.sqnr_db


def climb(
    graph: Graph,
    split: Split,
    scheme: Scheme,
    equalization: str = "auto",
    max_drop: float | None = None,
    stage: Stage | None = None,
    target: str = "",
) -> Quantized:
    """Quantize a normalised float graph by the recommended pipeline (Nagel et al. 2021, figure 5).

    Rungs: (1) equalization, range setting and nearest rounding, the variant with the least noise on the search
    samples; (2) least-squares rounding; (3) the same, the weights also making good the error of their inputs. The plan
    that comes back tells the trail: each rung with its seconds, bytes and quality on the search samples, and the final
    quality on samples that no rung has seen.
    """
    if equalization not in EQUALIZATIONS:
        raise OctavoError(f"equalization {equalization}", "is unknown", f"Use one of {', '.join(EQUALIZATIONS)}.")
    report = stage or (lambda what, done, total: None)
    reference = reference_outputs(graph, split.search) if len(split.search) else None
    state = _Climb(split, reference, report, notes=list(split.notes))
    for rung in (_plain(state, graph, scheme, equalization, target), _rounded(state, scheme, max_drop)):
        for name, quantized, seconds in rung:
            state.consider(name, quantized, seconds)
        if max_drop is None or state.score is None or _meets(state.score, max_drop):
            break
    return _finished(state, graph, max_drop)


Rungs = Iterator[tuple[str, Quantized, float]]


def _plain(state: _Climb, graph: Graph, scheme: Scheme, equalization: str, target: str) -> Rungs:
    """Nearest rounding, one variant for each kind of equalization.

    Variants are compared on 32 of the calibration samples when there are more than twice as many; the best is then
    calibrated on all.
    """
    start = time.perf_counter()
    kinds = _kinds(state, scheme, equalization)
    samples = state.split.calibration
    trial = samples
    if len(kinds) > 1 and len(samples) > 2 * _TRIAL:
        trial = samples.take(np.arange(_TRIAL) * len(samples) // _TRIAL)
    observed = _observe(state, graph, trial)
    for kind in kinds:
        variant, seen = _equalized(state, graph, observed, trial, kind, scheme)
        quantized = quantize_observed(align(variant), seen, scheme, target)
        yield f"plain, equalization {kind}", quantized, time.perf_counter() - start
        start = time.perf_counter()
    if trial is not samples and state.best is not None:
        chosen = state.best.graph
        quantized = quantize_observed(chosen, _observe(state, chosen, samples), scheme, target)
        yield "plain, all samples", quantized, time.perf_counter() - start


def _kinds(state: _Climb, scheme: Scheme, equalization: str) -> tuple[str, ...]:
    """The kinds of equalization to try."""
    if equalization != "auto":
        return (equalization,)
    if state.reference is None:
        return ("none",)
    unfit = set()
    if scheme.format.weights.granularity != "per-tensor":
        unfit.add("weights")
    if not scheme.format.activations.power_of_two:
        unfit.add("align")
    return tuple(kind for kind in EQUALIZATIONS[1:] if kind not in unfit)


def _observe(state: _Climb, graph: Graph, samples: Samples) -> Observation:
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        state.stage("calibrating", done, len(samples))

    prepared = align(graph)
    return observe(prepared, _in_user_order(prepared, samples), progress)


def _in_user_order(graph: Graph, samples: Samples) -> Iterator[dict[str, Array]]:
    for batch in samples.batches():
        yield {
            name: array.transpose(np.argsort(graph.layouts[name])) if name in graph.layouts else array
            for name, array in batch.items()
        }


def _equalized(
    state: _Climb, graph: Graph, observed: Observation, samples: Samples, kind: str, scheme: Scheme
) -> tuple[Graph, Observation]:
    """The graph with its channels scaled, and what calibration sees of it.

    Power-of-two formats also align the activations' scales, after equalization or alone.
    """
    weights, activations = scheme.format.weights, scheme.format.activations
    state.stage(f"equalizing by {kind}", 0, None)
    changed = graph
    if kind == "weights":
        changed = equalize(graph).graph
    elif kind == "balance":
        channels = {name: entry.channels for name, entry in observed.statistics.items() if entry.channels}
        per_channel = weights.granularity != "per-tensor"
        changed = balance(graph, channels, per_channel, activations.symmetric, weights.bits).graph
    if activations.power_of_two and kind != "none":
        first = _observe(state, changed, samples)
        free = ActivationFormat(symmetric=True)
        scales = {name: high / 127 for name, (_, high) in first.ranges("mse", free).items()}
        changed = snap(changed, scales).graph
    return changed, observed if changed is graph else _observe(state, changed, samples)


def _rounded(state: _Climb, scheme: Scheme, max_drop: float | None) -> Rungs:
    """Least-squares rounding of the best so far, without and with compensation of the inputs' error."""
    base = state.best
    assert base is not None
    data = dict(state.split.calibration.inputs)
    low_bits = scheme.format.weights.bits < _LOW_BITS
    for compensate in (True, False) if low_bits else (False, True):
        done, start = 0, time.perf_counter()

        def progress(count: int) -> None:
            nonlocal done
            done += count
            state.stage("rounding", done, len(base.graph.nodes))

        user = _whole_in_user_order(base.graph, data)
        rounded = least_squares_rounding(base, user, LeastSquares(0.3 if compensate else 0.01, compensate), progress)
        name = "least-squares rounding" + (", inputs compensated" if compensate else "")
        yield name, rounded, time.perf_counter() - start
        if max_drop is not None and state.score is not None and _meets(state.score, max_drop):
            return


def _whole_in_user_order(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    return {
        name: array.transpose(np.argsort(graph.layouts[name])) if name in graph.layouts else array
        for name, array in inputs.items()
    }


def _finished(state: _Climb, graph: Graph, max_drop: float | None) -> Quantized:
    """The best, with the trail, the final number and what must be said."""
    best = state.best
    assert best is not None
    verdict: dict[str, object] = {"split": state.split.counts}
    if max_drop is not None:
        verdict["max_drop"] = max_drop
        if state.score is not None:
            verdict["met"] = _meets(state.score, max_drop)
            if state.score.drop > max_drop:
                state.notes.append(
                    f"the top rung loses {state.score.drop:.2f} points on the search samples, "
                    f"{state.score.drop - max_drop:.2f} more than allowed: go on with fine-tuning, or allow more bits"
                )
    if len(state.split.report) and max_drop is not None:
        state.stage("measuring the result", 0, None)
        final = measure(best, state.split.report, reference_outputs(graph, state.split.report), exact=_integer(best))
        low, high = interval(final)
        verdict["report"] = {**final.row(), "drop_95": [round(low, 3), round(high, 3)]}
        if high - low > 2 * max_drop:
            state.notes.append(
                f"{final.samples} samples tell the drop only to [{low:.2f}, {high:.2f}] points (95 %): "
                f"too few to prove {max_drop:g}"
            )
    return best.with_(trail=tuple(state.trail), verdict=verdict, notes=tuple(state.notes))


def _integer(quantized: Quantized) -> bool:
    return all(encoding.dtype != "float16" for encoding in quantized.plan.qparams.values())
