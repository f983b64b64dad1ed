"""The ladder: rungs in order of cost, the first that meets the allowed drop wins, the best is kept.

Without a target only the first rungs run: the plain pipeline of equalization, range setting and bias correction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import keeps_four_bits
from octavo.pipeline.data_free import without_data
from octavo.pipeline.judge import better, judgements, meets, within
from octavo.pipeline.learned import least_squares, reconstructed
from octavo.pipeline.measure import Measure, interval, measure, reference_outputs
from octavo.pipeline.mixed import Mixing, assignment_rows, assignments, explore, mixed_rungs
from octavo.pipeline.plain import Variants, corrected, equalizations
from octavo.pipeline.rung import Rung, Stage, silent
from octavo.pipeline.said import uncorrected
from octavo.pipeline.samples import Split
from octavo.quant.data_free import InputRange
from octavo.quant.mixed import Budget
from octavo.quant.quantize import Scheme
from octavo.quant.rounding import LeastSquares, Reconstruction, compensated
from octavo.targets import Target, load_target

__all__ = ["climb"]

_POINTS = 6


@dataclass
class _Climb:
    """What the climb knows: the data, the best so far, the trail."""

    split: Split
    reference: Array | None
    max_drop: float | None
    stage: Stage
    best: Rung | None = None
    score: Measure | None = None
    trail: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    front: list[dict[str, object]] = field(default_factory=list)

    def consider(self, rung: Rung) -> None:
        """Measure a rung on the search samples and keep it if it is the best."""
        row, found = rung.row(), None
        if self.reference is not None:
            self.stage(f"measuring {rung.name}", 0, None)
            found = measure(rung.quantized, self.split.search, self.reference)
            row |= found.row()
        score = self.score
        if self.best is None or (found is not None and score is not None and better(found, score, self.max_drop)):
            earlier = () if self.best is None or rung.notes else self.best.notes
            self.best, self.score = replace(rung, notes=rung.notes or earlier), found
        self.trail.append(row)

    @property
    def best_yet(self) -> Quantized:
        """The network of the best rung."""
        assert self.best is not None
        return self.best.quantized

    @property
    def good_enough(self) -> bool:
        """Whether to stop: the best meets the target, or there is none, or no samples to judge by."""
        return self.max_drop is None or self.score is None or meets(self.score, self.max_drop)


def climb(
    graph: Graph,
    split: Split,
    scheme: Scheme,
    equalization: str = "auto",
    max_drop: float | None = None,
    stage: Stage = silent,
    target: Target | None = None,
    mixing: Mixing | None = None,
    input_range: InputRange | None = None,
    reconstruction: Reconstruction | None = None,
    checkpoint: Path | None = None,
) -> Quantized:
    """Quantize a normalised float graph by the recommended pipeline (Nagel et al. 2021, figure 5).

    Rungs: (1) equalization, range setting and nearest rounding, the variant with the least noise on the search samples;
    (2) its biases corrected; (3) least-squares rounding, the weights also making good the error of their inputs; (4)
    the same without that; (5) block reconstruction of the best; (6) mixed precision: some layers with more bits, where
    the target has them. With ``mixing`` the layers' bits are chosen right after the plain rungs. Without calibration
    samples there is one rung: the data-free pipeline. The plan that comes back tells the trail: each rung with its
    seconds, bytes and quality on the search samples, and the final quality on samples that no rung has seen.
    """
    reference = reference_outputs(graph, split.search) if len(split.search) else None
    state = _Climb(split, reference, max_drop, stage)
    device = target or load_target("host")
    if not len(split.calibration):
        if mixing is not None:
            raise OctavoError("mixed precision", "needs calibration data", "Give them, or leave the options out.")
        state.consider(without_data(graph, scheme, equalization, input_range, device.name, stage))
        return _finished(state, graph)
    _plain(state, Variants(graph, split.calibration, scheme, device.name, stage), equalization)
    if mixing is not None:
        _mixed(state, scheme, device, mixing)
    else:
        _learned(state, scheme, reconstruction or Reconstruction(), checkpoint)
        _widened(state, scheme, device)
    return _finished(state, graph)


def _plain(state: _Climb, variants: Variants, equalization: str) -> None:
    kinds = equalizations(variants.scheme, equalization, state.reference is not None)
    for rung in variants.rungs(kinds):
        state.consider(rung)
    if len(kinds) > 1 and variants.trial is not variants.samples:
        # What few samples chose is calibrated on all: it replaces the variant, which was good for the choice only.
        assert state.best is not None
        rung, state.best = variants.calibrated(state.best), None
        state.consider(rung)
    if state.best is None or state.reference is None:
        return
    for rung in corrected(state.best, variants.samples, state.stage):
        state.consider(rung)


def _learned(state: _Climb, scheme: Scheme, reconstruction: Reconstruction, checkpoint: Path | None) -> None:
    """Learned rounding of the best so far, while the best is not good enough."""
    base, samples = state.best_yet, state.split.calibration
    if scheme.format.weights.kind == "float16":
        return
    for settings in (compensated(scheme.format.weights.bits), LeastSquares()):
        if not state.good_enough:
            state.consider(least_squares(base, samples, settings, state.stage))
    if not state.good_enough:
        state.consider(reconstructed(state.best_yet, samples, reconstruction, state.stage, checkpoint))


def _mixed(state: _Climb, scheme: Scheme, target: Target, mixing: Mixing) -> None:
    """The user's own mixture: it replaces the plain network, which may cost more than the budget."""
    if mixing.budget is None and (state.max_drop is None or state.reference is None):
        raise OctavoError(
            f"options {', '.join(mixing.options)}",
            "come without a budget and without a max_drop to judge by",
            "Give a budget, or max_drop and enough samples.",
        )
    assert state.best is not None
    state.notes.extend(state.best.notes)
    base, state.best, state.score = state.best_yet, None, None
    kind = "bytes" if mixing.budget is None else mixing.budget.kind
    _climb_front(state, base, scheme, target, mixing.options, kind, mixing.budget, 0)


def _widened(state: _Climb, scheme: Scheme, target: Target) -> None:
    """The top rung: layers get more bits, fewest first; those of eight bits get int16 activations."""
    weights, format = scheme.format.weights, scheme.format
    if state.good_enough:
        return
    more, kind = ("int8", "bytes") if weights.bits < 8 else ("16x8", "latency")
    if scheme.layers or scheme.wide:
        state.notes.append("mixed precision was not tried: single layers were given their own numbers")
    elif weights.kind != "uniform" or format.activations.dtype != "int8":
        state.notes.append(f"mixed precision was not tried: layers of format {format.name} cannot be mixed")
    elif more not in target.formats and more != "int8":
        state.notes.append(f"mixed precision was not tried: target {target.name} has no {more}")
    else:
        options = (f"int{weights.bits}", more)
        _climb_front(state, state.best_yet, scheme, target, options, kind, None, 1)


def _climb_front(
    state: _Climb,
    base: Quantized,
    scheme: Scheme,
    target: Target,
    options: tuple[str, ...],
    kind: str,
    budget: Budget | None,
    skipped: int,
) -> None:
    """From the cheapest mixture up, each with least-squares rounding, until one is good enough."""
    samples = state.split.calibration
    bits = min(int(option[-1]) for option in options)
    if kind == "bytes" and bits < 8 and not keeps_four_bits(target):
        state.notes.append(
            f"bytes are those of packed weights: kernels of target {target.name} take one for each weight"
        )
    settings = compensated(bits)
    mixture = explore(
        base.graph, samples, scheme, target, options, kind, settings,
        stage=state.stage,
    )  # fmt: skip
    front = assignments(mixture, budget, _POINTS)
    state.front = assignment_rows(mixture, front)
    for rung in mixed_rungs(mixture, front[skipped:]):
        rounded = least_squares(rung.quantized, samples, settings, state.stage)
        state.consider(Rung(f"{rung.name}, {rounded.name}", rounded.quantized, rung.seconds + rounded.seconds))
        if state.max_drop is not None and state.good_enough:
            break


def _finished(state: _Climb, graph: Graph) -> Quantized:
    """The best, with the trail, the final number and what must be said."""
    best, split, max_drop = state.best, state.split, state.max_drop
    assert best is not None
    verdict: dict[str, object] = {"split": split.counts, "rung": best.name}
    if state.front:
        verdict["front"] = state.front
    final = None
    if len(split.report):
        state.stage("measuring the result", 0, None)
        reference = reference_outputs(graph, split.report)
        final = measure(best.quantized, split.report, reference, exact=_integer(best.quantized))
        low, high = interval(final)
        verdict["report"] = {**final.row(), "drop_95": None if final.single else [round(low, 3), round(high, 3)]}
    judged = final or state.score
    if max_drop is not None:
        verdict["max_drop"] = max_drop
        if judged is not None:
            verdict["met"] = within(judged, max_drop)
    notes = [*split.notes, *state.notes, *best.notes, *best.quantized.plan.notes, *uncorrected(best.quantized)]
    if judged is not None and len(graph.outputs) > 1:
        notes.append(f"output {graph.outputs[0]} is the one that judges, of {len(graph.outputs)}")
    if max_drop is not None:
        notes += judgements(state.score, final, max_drop)
    return best.quantized.with_(trail=tuple(state.trail), verdict=verdict, notes=tuple(dict.fromkeys(notes)))


def _integer(quantized: Quantized) -> bool:
    return all(encoding.dtype != "float16" for encoding in quantized.plan.qparams.values())
