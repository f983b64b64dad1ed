"""What must be said aloud: what a step left out, and why, in one line a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from octavo.ir.plan import Quantized

__all__ = ["left_out", "uncorrected"]

_NAMED = 3


def left_out(step: str, left: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """One note for each reason, naming the first three nodes it holds for; ``left`` are (node, reason)."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for source, reason in left:
        by_reason[reason].append(source)
    notes = []
    for reason, sources in by_reason.items():
        more = f" and {len(sources) - _NAMED} more" if len(sources) > _NAMED else ""
        notes.append(f"{step} left out {', '.join(sources[:_NAMED])}{more}: {reason}")
    return tuple(notes)


def uncorrected(quantized: Quantized) -> tuple[str, ...]:
    """Notes for layers whose bias correction or learned rounding did not run, from the plan's reasons."""
    marks = ("not corrected: ", "not learned: ")
    found = [
        (node.source or node.name, reason)
        for node in quantized.graph.nodes
        for reason in (quantized.plan.reasons.get(value, "") for value in node.inputs)
    ]
    return tuple(
        note
        for mark, step in zip(marks, ("bias correction", "learned rounding"), strict=True)
        for note in left_out(step, [(s, r.removeprefix(mark)) for s, r in found if r.startswith(mark)])
    )
