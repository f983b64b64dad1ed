"""A few rare values stretch an activation's range."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts, limits, quantile
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined

__all__ = ["outliers"]

_RARE, _RATIO = 0.999, 4.0
_RARER, _FAR = 0.99, 16.0
_REMOVED = 0.5


def outliers(facts: QuantizedFacts) -> Cause | None:
    """The encoding reaches four times as far as 99.9 % of the calibration values, or 16 times as far as 99 %.

    Steps are as coarse as the range is wide: without the rare values the noise would be smaller by the square of that.
    Values that are rare but always of one channel are that channel's range (activation_channels).
    """
    findings = []
    for row in facts.of("activation"):
        encoding = facts.encoding(row)
        if encoding.dtype == "float16":
            continue
        statistics = facts.seen.statistics[row.tensor]
        reach = max(map(abs, limits(encoding)))
        usual, common = quantile(statistics, _RARE), quantile(statistics, _RARER)
        inner = usual if reach >= _RATIO * usual else common
        if inner <= 0 or (reach < _RATIO * usual and reach < _FAR * common):
            continue
        removed = 1 - (inner / reach) ** 2
        if removed >= _REMOVED:
            findings.append(Finding(row, removed, {"reach": reach, "usual": inner, "ratio": reach / inner}))
    sentence = (
        "rare values stretch the range of what {layer} gives: it reaches {reach:.3g}, nearly all values stay below "
        "{usual:.3g}"
    )
    return joined("outliers", findings, sentence, 0.9, ("clean samples", "ranges", "16-bit layers", "16x8"))
