"""A layer's weights have too few levels."""

from __future__ import annotations

from dataclasses import replace

from octavo.diagnosis.facts import QuantizedFacts, rounding_noise
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined
from octavo.ops import Op
from octavo.quant.ranges.weights import weight_qparams

__all__ = ["few_bits"]

_FEW = 5


def few_bits(facts: QuantizedFacts) -> Cause | None:
    """Weights of five bits or fewer, that at eight bits would lose far less.

    Where all layers have few, that is the user's format and not an oversight: the confidence is lower.
    """
    scheme, findings = facts.case.scheme, []
    rows = facts.of("weights")
    for row in rows:
        node = facts.node(row)
        format = scheme.weights(node)
        if format.kind == "float16" or format.bits > _FEW or not isinstance(node.op, Op):
            continue
        whole = replace(format, kind="uniform", bits=8, granularity=format.granularity.replace("group", "channel"))
        own = weight_qparams(facts.values(row), whole, node.op.channel_axis, scheme.weight_ranges)
        now = rounding_noise(facts.values(row), facts.encoding(row))
        removed = 1 - rounding_noise(facts.values(row), own) / now if now > 0 else 0.0
        evidence = {"bits": format.bits, "layers_with_few": 0, "local_db": row.local_db}
        findings.append(Finding(row, max(removed, 0.0), evidence))
    everywhere = len(findings) > len(rows) / 2
    findings = [replace(f, evidence={**f.evidence, "layers_with_few": len(findings)}) for f in findings]
    sentence = "the weights of {layer} have {bits} bits, which leaves {local_db:.1f} dB of them"
    return joined("few bits", findings, sentence, 0.7 if everywhere else 0.95, ("more bits", "learned rounding"))
