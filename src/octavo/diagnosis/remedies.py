"""Remedies, each tried at once where that takes seconds, and what it gained on the judging samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from octavo.diagnosis.facts import QuantizedFacts
from octavo.diagnosis.result import Cause, Remedy
from octavo.diagnosis.score import Quality, quality
from octavo.diagnosis.trials import Trial, trials
from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.pipeline.plain import user_order
from octavo.pipeline.samples import Samples
from octavo.quant.observe import observe
from octavo.quant.quantize import quantize_observed
from octavo.run.float_run import float_run

__all__ = ["FINE_TUNING", "quantized_remedies", "ranked"]

_NAMED = 3
_FAR, _FEW = 6.0, 0.1
_GAIN, _ENOUGH = 0.5, 0.5
FINE_TUNING = Remedy(
    "fine-tuning",
    "train on with the quantizers in the loop, if nothing else is enough",
    "octavo finetune build/ --train TRAIN -o tuned/",
    "octavo.finetune(qgraph, train, labels)",
    False,
    why_not="it takes training data and hours",
)


def quantized_remedies(facts: QuantizedFacts, causes: Sequence[Cause], reference: Array) -> list[Remedy]:
    """Every remedy, tried; the gains of one that fails are None, and it says why. ``reference`` are float logits."""
    tried = list(trials(facts))
    found = []
    for index, trial in enumerate(tried):
        facts.case.stage(f"trying {trial.kind}", index, len(tried))
        try:
            found.append(_gained(trial, facts.full, quality(facts.case, trial.make(), reference)))
        except OctavoError as error:
            found.append(_untried(trial, str(error)))
    wanted = {kind for cause in causes for kind in cause.remedies}
    if "clean samples" in wanted:
        found.append(_cleaned(facts, reference))
    if "calibration" in wanted:
        found.append(_calibrated(facts, reference))
    return found


def _gained(trial: Trial, before: Quality, after: Quality) -> Remedy:
    points = None if before.drop is None or after.drop is None else before.drop - after.drop
    gain = after.sqnr_db - before.sqnr_db
    words = (trial.kind, trial.sentence, trial.command, trial.python)
    return Remedy(*words, True, after.sqnr_db, after.drop, gain, points)


def _untried(trial: Trial, why: str) -> Remedy:
    return Remedy(trial.kind, trial.sentence, trial.command, trial.python, False, why_not=why)


def _from(facts: QuantizedFacts, samples: Samples) -> Quantized:
    """The same, calibrated by other samples."""
    graph, case = facts.quantized.graph, facts.case
    seen = observe(graph, (user_order(graph, batch) for batch in samples.batches()))
    return quantize_observed(graph, seen, case.scheme, case.target.name)


def _calibrated(facts: QuantizedFacts, reference: Array) -> Remedy:
    """Half of the judging samples calibrate, and the other half judges, before and after."""
    judge = facts.case.judge
    first, second = np.arange(0, len(judge), 2), np.arange(1, len(judge), 2)
    trial = Trial(
        "calibration",
        "calibrate with samples like those that the device will see",
        "--calibration SAMPLES_LIKE_THE_DATA",
        "octavo.quantize(graph, samples_like_the_data)",
        partial(_from, facts, judge.take(first)),
    )
    if len(second) < 2:
        return _untried(trial, "too few samples to divide")
    half = facts.case.with_judge(judge.take(second))
    before = quality(half, facts.quantized, reference[second])
    return _gained(trial, before, quality(half, trial.make(), reference[second]))


def _cleaned(facts: QuantizedFacts, reference: Array) -> Remedy:
    """Calibration without the samples that reach six times as far as the usual one, where at most a tenth do."""
    far = _reach(facts) > _FAR
    places, kept = np.flatnonzero(far), np.flatnonzero(~far)
    named = ", ".join(map(str, places[:_NAMED])) + (" ..." if len(places) > _NAMED else "")
    trial = Trial(
        "clean samples",
        f"leave out the calibration samples with values far from all others ({len(places)} of those used: {named})",
        "--calibration CLEANED_SAMPLES",
        "octavo.quantize(graph, cleaned_samples)",
        partial(_from, facts, facts.case.calibration.take(kept)),
    )
    if not len(places) or len(places) > _FEW * len(far):
        return _untried(trial, "no few samples stand out")
    return _gained(trial, facts.full, quality(facts.case, trial.make(), reference))


def _reach(facts: QuantizedFacts) -> Array:
    """[N]: the largest value of each calibration sample over the median sample's, in the tensor where it is largest."""
    reach: dict[str, list[torch.Tensor]] = {row.tensor: [] for row in facts.of("activation")}

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        if name in reach:
            reach[name].append(value.abs().flatten(1).amax(1))
        return value

    with torch.inference_mode():
        for batch in facts.case.calibration.batches():
            float_run(facts.quantized.graph, batch, tap)
    rows = np.stack([torch.cat(parts).double().numpy() for parts in reach.values()])
    return np.asarray((rows / np.maximum(np.median(rows, axis=1, keepdims=True), 1e-30)).max(axis=0))


def ranked(found: Sequence[Remedy], cause: Cause | None) -> list[Remedy]:
    """First those that the main cause calls for and that work, in the rule's order; then the others by their gain.

    A remedy works when it gains half a dB or more, and half of what the best that is called for gains: a rule names
    cheap remedies first, and sixteen bits everywhere always gain most.
    """
    wanted = () if cause is None else cause.remedies

    def gain(remedy: Remedy) -> float:
        return remedy.gain_db if remedy.gain_db is not None else 0.0

    best = max((gain(remedy) for remedy in found if remedy.kind in wanted), default=0.0)

    def key(remedy: Remedy) -> tuple[int, int, float]:
        helps = gain(remedy) >= _GAIN or (remedy.gain_points or 0.0) > 0
        works = helps and remedy.kind in wanted and gain(remedy) >= _ENOUGH * best
        group = 3 if not remedy.tried else 0 if works else 1 if helps else 2
        return group, wanted.index(remedy.kind) if works else 0, -gain(remedy)

    return sorted(found, key=key)
