"""Channels that never change."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined

__all__ = ["dead_channels"]


def dead_channels(facts: QuantizedFacts) -> Cause | None:
    """Channels that are constant on the calibration samples: they cost bytes and time and lose nothing.

    Quantization is not to blame, so the share is nothing; a network that should not have any was damaged before, which
    ``--reference`` shows.
    """
    findings = []
    for row in facts.culprits:
        channels = None if row.kind != "activation" else facts.seen.statistics[row.tensor].channels
        if channels is None or not row.layer:
            continue
        dead = int((channels.low == channels.high).sum())
        if dead:
            findings.append(Finding(row, 0.0, {"dead": dead, "channels": len(channels.low)}))
    findings.sort(key=lambda found: -found.evidence["dead"] / found.evidence["channels"])
    sentence = "{dead} of the {channels} channels of what {layer} gives never change on the calibration samples"
    return joined("dead channels", findings, sentence, 0.3, ("original",))
