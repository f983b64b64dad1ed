"""Whether a rung's drop is small enough, and which of two rungs is better, given how little a few samples tell."""

from __future__ import annotations

import math

from octavo.pipeline.measure import Measure, interval

__all__ = ["better", "judgements", "meets", "needed_samples", "within"]

_QUARTILE = 0.674490
_SLACK = 1e-9


def within(found: Measure, max_drop: float) -> bool:
    """Whether the drop on these samples is at most the allowed one, in points."""
    return found.drop <= max_drop + _SLACK


def meets(found: Measure, max_drop: float) -> bool:
    """Whether the drop is within the allowed one, not by a few samples' luck: at the upper quartile of its estimate.

    Where the samples are so few that not even a perfect score would be enough, the drop on them decides.
    """
    if found.samples < needed_samples(found, max_drop):
        return within(found, max_drop)
    return within(found, max_drop) and interval(found, _QUARTILE)[1] <= max_drop + _SLACK


def needed_samples(found: Measure, max_drop: float) -> float:
    """Samples with which a perfect score's upper quartile is the allowed drop; infinite for 0 points."""
    if max_drop <= 0:
        return math.inf
    if found.accuracy is not None:
        return 100 * _QUARTILE / max_drop - 2
    return _QUARTILE**2 * (100 / max_drop - 1)


def better(a: Measure, b: Measure, max_drop: float | None) -> bool:
    """Whether ``a`` is better: it meets the target and b does not; by drop; where few samples decide that, by noise."""
    if max_drop is not None and meets(a, max_drop) != meets(b, max_drop):
        return meets(a, max_drop)
    if abs(a.drop - b.drop) * a.samples / 100 > 2:
        return a.drop < b.drop
    return a.sqnr_db > b.sqnr_db


def judgements(search: Measure | None, report: Measure | None, max_drop: float) -> list[str]:
    """What must be said of a target: who judged it, whether it was missed, and what the samples cannot prove.

    ``search`` is what chose between rungs, ``report`` the final number on samples that nothing has seen; either may be
    missing.
    """
    notes: list[str] = []
    if search is None:
        judge = "nothing judges it" if report is None else "no samples to search with, the ladder was not climbed"
        notes.append(f"allowed drop of {max_drop:g} points: {judge}; give more samples")
    elif search.samples < (wanted := needed_samples(search, max_drop)):
        enough = "no number of samples is enough" if math.isinf(wanted) else f"{math.ceil(wanted)} could"
        notes.append(
            f"{search.samples} search samples cannot prove a drop of {max_drop:g} points ({enough}): the drop on them "
            "decided when to stop"
        )
    judged, where = (search, "search samples") if report is None else (report, "samples that no rung has seen")
    if judged is None:
        return notes
    low, high = interval(judged)
    if not within(judged, max_drop):
        excess = judged.drop - max_drop
        notes.append(
            f"the best rung loses {judged.drop:.2f} points on {judged.samples} {where}, {excess:.2f} more than "
            "allowed: go on with fine-tuning, or allow more bits"
        )
    elif high > max_drop:
        notes.append(
            f"{judged.samples} samples tell the drop only to [{low:.2f}, {high:.2f}] points (95 %): too few to prove "
            f"{max_drop:g}"
        )
    if search is not None and report is not None and within(report, max_drop) and not meets(search, max_drop):
        notes.append(f"on {search.samples} search samples no rung was safely within {max_drop:g} points: luck decides")
    return notes
