"""Noise of all quantizers together, none of which stands out."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts
from octavo.diagnosis.result import Cause

__all__ = ["precision"]

_MODEST = 0.5


def precision(facts: QuantizedFacts) -> Cause | None:
    """What is left where no other rule applies: the format has as many levels as it has, and the network needs more.

    The share is half of what the largest culprit leaves: it is the first cause only where the others explain little.
    """
    if not facts.culprits:
        return None
    worst = facts.culprits[0]
    side = "weights" if facts.weights.sqnr_db < facts.activations.sqnr_db else "activations"
    evidence = {
        "weights_db": facts.weights.sqnr_db,
        "activations_db": facts.activations.sqnr_db,
        "largest_share": worst.share,
        "layer": worst.source,
    }
    sentence = (
        f"rounding noise of many layers adds up, most of it from {side}; the largest part, {worst.share:.0%}, is that "
        f"of {worst.source}"
    )
    confidence = 0.5
    share = _MODEST * (1 - worst.share)
    remedies = ("bias correction", "learned rounding", "ranges", "equalization", "16x8")
    return Cause("precision", worst.layer, worst.tensor, sentence, evidence, confidence, share, remedies)
