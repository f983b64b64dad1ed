"""The questions of the flow and their answers, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from octavo.diagnosis.facts import FloatFacts, QuantizedFacts
from octavo.diagnosis.result import Fork
from octavo.diagnosis.rules.preprocessing import preprocessing
from octavo.diagnosis.rules.statistics import statistics
from octavo.diagnosis.score import Quality

__all__ = ["drop_said", "float_forks", "loses", "quantized_forks"]

_HEALTHY_POINTS = 1.0
_POOR_DB, _HEALTHY_DB, _UNDECIDED_DB = 15.0, 20.0, 30.0
_NAMED = 20


def float_forks(facts: FloatFacts) -> Iterator[Fork]:
    """Of the float network and its samples; behind the first wrong network nothing is asked."""
    yield facts.imported
    if facts.imported.passed is False:
        return
    if facts.divergence is not None:
        fork = _reference(facts)
        yield fork
        if not fork.passed:
            return
    yield _preprocessing(facts)
    yield _statistics(facts)


def _reference(facts: FloatFacts) -> Fork:
    found = facts.divergence
    assert found is not None
    same = not found.differences and not found.unpaired
    layers = [d.node.source or d.node.name for d in found.differences[:_NAMED]]
    answer = "yes" if same else f"no: {len(found.differences)} layers compute something else"
    row: dict[str, Any] = {**found.quality.row(), "layers": layers}
    question = "Is it the network that it was made from?"
    return Fork("reference", question, same, f"{answer} ({found.quality.sqnr_db:.0f} dB)", row)


def _preprocessing(facts: FloatFacts) -> Fork:
    question = "Are the samples prepared as the network expects?"
    if not facts.readings:
        return Fork("preprocessing", question, None, "not asked: the input is no image")
    cause = preprocessing(facts)
    answer = "yes: no other reading of them is better" if cause is None else f"no: {cause.sentence}"
    row = {"readings": [vars(reading) for reading in facts.readings]}
    return Fork("preprocessing", question, cause is None, answer, row)


def _statistics(facts: FloatFacts) -> Fork:
    question = "Do layers give what their batch norms saw in training?"
    if not facts.fits:
        return Fork("statistics", question, None, "not asked: the model holds no batch norms")
    broken = statistics(facts)
    mean = float(np.mean([row.score for row in facts.fits]))
    answer = f"yes: mean distance {mean:.2f}" if broken is None else f"no: {broken.sentence}"
    layers = [{"layer": row.source, "score": row.score, "dead": row.dead} for row in facts.fits]
    return Fork("statistics", question, broken is None, answer, {"mean": mean, "layers": layers})


def quantized_forks(facts: QuantizedFacts) -> Iterator[Fork]:
    """What is lost, by which half of the quantizers, by which tensor most."""
    full, weights, moving = facts.full, facts.weights, facts.activations
    lost = loses(full)
    answer = f"{'yes' if lost else 'no'}: {drop_said(full)}SQNR {full.sqnr_db:.1f} dB"
    yield Fork("loss", "Does the quantized network lose anything that matters?", not lost, answer, full.row())
    gap = weights.sqnr_db - moving.sqnr_db
    blame = "both alike" if abs(gap) < 3 else "the weights" if gap < 0 else "the activations"
    answer = f"{blame}: {weights.sqnr_db:.1f} dB with weights alone quantized, {moving.sqnr_db:.1f} dB with activations"
    row = {"weights": weights.row(), "activations": moving.row(), "blame": blame.removeprefix("the ")}
    yield Fork("halves", "Weights or activations?", None, answer, row)
    if facts.culprits:
        worst = facts.culprits[0]
        what = f"{worst.kind} {worst.tensor} of {worst.source}"
        answer = f"{what}: {worst.share:.0%} of the noise, {worst.alone_db:.1f} dB alone"
        named = {"tensor": worst.tensor, "share": worst.share, "alone_db": worst.alone_db}
        yield Fork("tensor", "Which tensor?", None, answer, named)


def drop_said(found: Quality) -> str:
    """The points that are lost, as the beginning of a sentence; empty without classes."""
    if found.drop is None:
        return ""
    return f"{found.drop:.1f} points of {'agreement' if found.accuracy is None else 'accuracy'} lost, "


def loses(found: Quality) -> bool:
    """Whether more is lost than chance explains, and more than a point; without classes, less than 20 dB left.

    Of agreement every sample that flips counts as lost, of accuracy only the surplus: its interval holds 0 or not.
    Where only agreement judges, 30 dB are enough: samples that flip then were undecided. Below 15 dB chance is no
    excuse: few samples prove little.
    """
    if found.drop is None or found.drop_low is None:
        return found.sqnr_db < _HEALTHY_DB
    if found.accuracy is None and found.sqnr_db >= _UNDECIDED_DB:
        return False
    least = _HEALTHY_POINTS if found.accuracy is None else 0.0
    return found.drop > _HEALTHY_POINTS and (found.drop_low > least or found.sqnr_db < _POOR_DB)
