"""An accumulator, or a bias in its scale, has more bits than the device."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts
from octavo.diagnosis.result import Cause

__all__ = ["accumulator"]


def accumulator(facts: QuantizedFacts) -> Cause | None:
    """Lowering refuses: there is no integer network to measure, so nothing else matters."""
    if not facts.refused:
        return None
    where, _, why = facts.refused.partition(": ")
    evidence = {"refused": why}
    return Cause("accumulator", where, where, f"{where}: {why}", evidence, 1.0, 1.0, ("per-channel", "equalization"))
