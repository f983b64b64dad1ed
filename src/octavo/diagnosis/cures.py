"""Remedies for a wrong float network or wrong samples; gains are points of accuracy, or of agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from octavo.diagnosis.case import source_of
from octavo.diagnosis.facts import FloatFacts
from octavo.diagnosis.reference import mended
from octavo.diagnosis.result import Cause, Remedy
from octavo.diagnosis.score import logits_of, quality_of
from octavo.quant.mixed.sensitivities import watched

__all__ = ["cures"]

_NAMED = 3
_EXPORT = "export the model again"


def cures(facts: FloatFacts, cause: Cause) -> list[Remedy]:
    """What the cause calls for."""
    if "preprocessing" in cause.remedies:
        return [_preprocessing(facts, cause)]
    if "repair" in cause.remedies:
        return [_repair(facts)]
    if "report" in cause.remedies:
        words = ("report the model: an importer is wrong", "octavo inspect MODEL", "octavo.load(model)")
        return [Remedy("report", *words, False, why_not="nothing to try")]
    return [_original(facts)]


def _preprocessing(facts: FloatFacts, cause: Cause) -> Remedy:
    given, row = facts.readings[0], next(r for r in facts.readings if r.name == cause.evidence["reading"])
    mend = facts.variants[row.name].mend
    points = None if row.accuracy is None or given.accuracy is None else 100 * (row.accuracy - given.accuracy)
    return Remedy(
        "preprocessing",
        f"{mend}, for calibration and on the device, too",
        "prepare the samples again: [preprocessing] of --config, or your own script",
        f"samples = ...  # {mend}",
        True,
        gain_points=points,
    )


def _repair(facts: FloatFacts) -> Remedy:
    best, judge = facts.repairs[0], facts.case.judge
    points = None
    if judge.labels is not None:
        before, after = (
            logits_of(graph, facts.case.logits, judge).argmax(1) == judge.labels
            for graph in (facts.case.graph, best.graph)
        )
        points = 100 * float(after.mean() - before.mean())
    sentence = f"build {source_of(best.node)} {best.detail}, and {_EXPORT}"
    return Remedy("repair", sentence, _EXPORT, "octavo.load(model)", True, gain_points=points)


def _original(facts: FloatFacts) -> Remedy:
    """The reference network's layers in place of those that differ, measured against it."""
    found, reference = facts.divergence, facts.reference
    if found is None or reference is None or not found.differences:
        sentence = f"{_EXPORT} from the original, and compare with it"
        command = "octavo diagnose MODEL --reference ORIGINAL"
        call = "octavo.diagnose(model, samples, reference=original)"
        return Remedy("original", sentence, command, call, False, why_not="there is no reference to take layers from")
    graph, samples = facts.case.graph, facts.case.judge
    names = dict(zip(graph.inputs, reference.inputs, strict=True))
    given = replace(samples, inputs={names[name]: array for name, array in samples.inputs.items()})
    expected = logits_of(reference, watched(reference)[0], given)
    repaired = mended(graph, reference, found.differences)
    before, after = found.quality, quality_of(expected, logits_of(repaired, facts.case.logits, samples), samples.labels)
    points = None if before.agreement is None or after.agreement is None else 100 * (after.agreement - before.agreement)
    layers = ", ".join(source_of(difference.node) for difference in found.differences[:_NAMED])
    return Remedy(
        "original",
        f"take {layers} from the original: {_EXPORT}",
        _EXPORT,
        "octavo.load(original)",
        True,
        after.sqnr_db,
        after.drop,
        float(np.subtract(after.sqnr_db, before.sqnr_db)),
        points,
    )
