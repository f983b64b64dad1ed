"""The calibration samples are not like the others."""

from __future__ import annotations

from octavo.diagnosis.facts import QuantizedFacts, clipped_share, density_noise, limits, quantile
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined
from octavo.quant.quantize import activation_qparams

__all__ = ["calibration"]

_BULK = 0.95
_APART = 2.0
_CLIPPED = 0.02


def calibration(facts: QuantizedFacts) -> Cause | None:
    """Ranges come from samples whose bulk (95 %) is twice or half that of the judging samples, or cut 2 % of them.

    The bulk, not the extremes: a few odd samples are outliers. Without its mismatch a tensor would have the noise that
    its judging samples' own range leaves.
    """
    if not facts.case.fresh:
        return None
    findings = []
    for row in facts.of("activation"):
        if row.tensor not in facts.tested.statistics:
            continue
        seen, tested = facts.seen.statistics[row.tensor], facts.tested.statistics[row.tensor]
        encoding = facts.encoding(row)
        bulk, wanted = quantile(seen, _BULK), quantile(tested, _BULK)
        ratio = bulk / wanted if wanted > 0 and bulk > 0 else 1.0
        cut = clipped_share(tested, encoding)
        if encoding.dtype == "float16" or (1 / _APART < ratio < _APART and cut < _CLIPPED):
            continue
        own = activation_qparams(*tested.minmax.range, facts.case.scheme.format.activations)
        now = density_noise(tested, encoding)
        removed = 1 - density_noise(tested, own) / now if now > 0 else 0.0
        if removed > 0.3:
            low, high = limits(encoding)
            evidence = {"range_ratio": ratio, "clipped": cut, "low": low, "high": high}
            findings.append(Finding(row, removed, evidence))
    sentence = (
        "the calibration samples are unlike the data: what {layer} gives on them is {range_ratio:.2g} times as large, "
        "and its range cuts {clipped:.1%} of the data's values"
    )
    return joined("calibration data", findings, sentence, 0.95, ("calibration",))
