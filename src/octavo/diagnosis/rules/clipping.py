"""A range cuts off values that matter."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts, clipped_share, density_noise, limits
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined
from octavo.quant.quantize import activation_qparams

__all__ = ["clipping"]

_REMOVED = 0.5


def clipping(facts: QuantizedFacts) -> Cause | None:
    """On the judging samples most of an activation's noise is what its range cuts off: its extremes would lose less.

    The calibration samples being unlike the others is another cause, and comes first.
    """
    findings = []
    for row in facts.of("activation"):
        statistics = facts.tested.statistics.get(row.tensor)
        encoding = facts.encoding(row)
        if statistics is None or encoding.dtype == "float16":
            continue
        wide = activation_qparams(*statistics.minmax.range, facts.case.scheme.format.activations)
        now = density_noise(statistics, encoding)
        removed = 1 - density_noise(statistics, wide) / now if now > 0 else 0.0
        cut = clipped_share(statistics, encoding)
        if removed >= _REMOVED and cut > 0:
            findings.append(Finding(row, removed, {"clipped": cut, "high": limits(encoding)[1]}))
    sentence = "the range of what {layer} gives ends at {high:.3g} and cuts {clipped:.2%} of the values"
    return joined("clipping", findings, sentence, 0.8, ("ranges",))
