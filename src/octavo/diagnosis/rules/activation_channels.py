"""Channels of an activation, which share its scale, have very different ranges."""

from __future__ import annotations

import numpy as np

from octavo.diagnosis.facts import QuantizedFacts
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined

__all__ = ["activation_channels"]

_RATIO = 12.0
_REMOVED = 0.5


def activation_channels(facts: QuantizedFacts) -> Cause | None:
    """One channel is far larger than the median one, so the others have only a few levels.

    Trained networks have ratios of 2 to 6. The noise without is that of one scale a channel, which no device has:
    equalization moves the ranges into the weights instead. Values that are large in a channel all the time are a
    channel's range, rare ones are outliers: the channel's deviation counts as much as its extreme.
    """
    findings = []
    for row in facts.of("activation"):
        channels = facts.seen.statistics[row.tensor].channels
        if channels is None or len(channels.low) < 2:
            continue
        reach = np.maximum(np.abs(channels.low), np.abs(channels.high))
        usual = np.sqrt(channels.square)
        alive = reach > 0
        if alive.sum() < 2:
            continue
        ratio = float(reach.max() / np.median(reach[alive]))
        steady = float(usual.max() / max(float(np.median(usual[alive])), 1e-30))
        removed = 1 - float(np.mean((reach[alive] / reach.max()) ** 2))
        if min(ratio, steady) >= _RATIO and removed >= _REMOVED:
            evidence = {"ratio": ratio, "channel": int(reach.argmax()), "largest": float(reach.max())}
            findings.append(Finding(row, removed, evidence))
    sentence = (
        "channel {channel} of what {layer} gives reaches {largest:.3g}, {ratio:.3g} times the median channel, and they "
        "share one scale"
    )
    return joined("activation channel ranges", findings, sentence, 0.9, ("equalization", "16-bit layers", "16x8"))
