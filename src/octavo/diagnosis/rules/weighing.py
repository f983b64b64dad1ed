"""How rules put together what they find tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octavo.diagnosis.result import Cause, Culprit

__all__ = ["Finding", "joined"]

_NAMED = 8


@dataclass(frozen=True)
class Finding:
    """A culprit that shows the cause. ``removed``, 0 to 1, is the part of its noise that goes away without it."""

    culprit: Culprit
    removed: float
    evidence: Mapping[str, Any]


def joined(
    kind: str, findings: Sequence[Finding], sentence: str, confidence: float, remedies: tuple[str, ...]
) -> Cause | None:
    """One cause for all its tensors, that with most to gain first; ``sentence`` takes {layer} and the evidence."""
    if not findings:
        return None
    ranked = sorted(findings, key=lambda found: -found.culprit.share * found.removed)
    worst = ranked[0]
    layers = list(dict.fromkeys(found.culprit.source for found in ranked))
    evidence = {
        **worst.evidence,
        "noise_share": worst.culprit.share,
        "removed": worst.removed,
        "alone_db": worst.culprit.alone_db,
        "tensors": len(ranked),
    }
    share = min(sum(found.culprit.share * found.removed for found in ranked), 1.0)
    also = tuple(layer for layer in layers[1 : _NAMED + 1])
    more = "" if len(layers) == 1 else f" ({len(layers) - 1} more such layers)"
    text = sentence.format(layer=worst.culprit.source, **evidence) + more
    return Cause(kind, worst.culprit.layer, worst.culprit.tensor, text, evidence, confidence, share, remedies, also)
