"""The samples are not prepared as the network expects."""

from __future__ import annotations

import math

from octavo.diagnosis.facts import FloatFacts
from octavo.diagnosis.inputs import Reading
from octavo.diagnosis.result import Cause

__all__ = ["preprocessing"]

_SURE = 3.0
_POINTS = 0.02
_FIT = 0.85
_GAP = 0.05
_ENTROPY = 0.5
_TWO = 1.15


def preprocessing(facts: FloatFacts) -> Cause | None:
    """Another reading of the samples is better than the one given.

    1. With labels: right more often by three standard errors of the discordant pairs (McNemar), because several
       readings are tried, and by two points.
    2. With batch norms: layers' statistics fit clearly better (by 15 % of the score and 0.05), and labels do
       not object.
    3. With neither: outputs at most half as uncertain. That is a hint, for a wrong input can also be a sure one.
    """
    if len(facts.readings) < 2:
        return None
    given, *others = facts.readings
    judged = [(strength, row) for row in others if (strength := _strength(given, row)) > 0]
    if not judged:
        return None
    confidence, row = max(judged, key=lambda pair: (pair[0], pair[1].accuracy or 0.0, -_plain(pair[1])))
    variant = facts.variants[row.name]
    evidence = {
        "reading": row.name,
        "accuracy_given": given.accuracy,
        "accuracy": row.accuracy,
        "fit_given": given.fit,
        "fit": row.fit,
        "entropy_given": given.entropy,
        "entropy": row.entropy,
    }
    return Cause(
        "preprocessing",
        "",
        facts.case.graph.inputs[0],
        f"{variant.done} ({_said(given, row)})",
        evidence,
        confidence,
        1.0,
        ("preprocessing",),
    )


def _strength(given: Reading, row: Reading) -> float:
    """Confidence that the reading is the right one, 0 where nothing speaks for it."""
    fits = row.fit is not None and given.fit is not None and row.fit < _FIT * given.fit and row.fit < given.fit - _GAP
    if row.accuracy is not None and given.accuracy is not None:
        odd = (row.better - row.worse) / math.sqrt(max(row.better + row.worse, 1))
        if odd >= _SURE and row.accuracy - given.accuracy >= _POINTS:
            return 0.98 if fits else 0.95
        return 0.85 if fits and row.accuracy >= given.accuracy else 0.0
    if given.fit is not None:
        return 0.85 if fits else 0.0
    return 0.4 if row.entropy < _ENTROPY * given.entropy else 0.0


def _plain(row: Reading) -> float:
    """The fit, worse for a reading of two faults: one fault is likelier where both fit about alike."""
    return (row.fit or 0.0) * (_TWO if ", " in row.name else 1.0)


def _said(given: Reading, row: Reading) -> str:
    said = []
    if row.accuracy is not None and given.accuracy is not None:
        said.append(f"accuracy {given.accuracy:.1%} as given, {row.accuracy:.1%} when changed")
    if row.fit is not None and given.fit is not None:
        said.append(f"distance from batch norm {given.fit:.2f} as given, {row.fit:.2f} when changed")
    return "; ".join(said) or f"entropy {given.entropy:.2f} as given, {row.entropy:.2f} when changed"
