"""A large bias coarsens the weights it is added to."""

from __future__ import annotations

import numpy as np

from octavo.diagnosis.facts import QuantizedFacts, rounding_noise
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined
from octavo.ops import Op
from octavo.quant.ranges.weights import weight_qparams

__all__ = ["bias"]

_WIDENED = 1.5


def bias(facts: QuantizedFacts) -> Cause | None:
    """The weights' scale was widened so that the bias fits into the accumulator; by itself it would be smaller.

    A bias counts in steps of input scale times weight scale and must leave room in 32 bits. Per tensor one channel
    with a huge bias (one that a ReLU keeps at zero, say) takes the levels of all.
    """
    scheme, findings = facts.case.scheme, []
    for row in facts.of("weights"):
        node, encoding, values = facts.node(row), facts.encoding(row), facts.values(row)
        op = node.op
        if not isinstance(op, Op) or op.bias is None or encoding.dtype == "float16":
            continue
        own = weight_qparams(values, scheme.weights(node), op.channel_axis, scheme.weight_ranges)
        widened = float((encoding.scale / own.scale).max()) if own.scale.size == encoding.scale.size else 1.0
        now = rounding_noise(values, encoding)
        if widened < _WIDENED or now == 0:
            continue
        added = np.abs(facts.quantized.graph.consts[node.inputs[op.bias]])
        evidence = {
            "widened": widened,
            "largest_bias": float(added.max()),
            "median_bias": float(np.median(added)),
            "channel": int(added.argmax()),
        }
        findings.append(Finding(row, max(0.0, 1 - rounding_noise(values, own) / now), evidence))
    sentence = (
        "the bias of channel {channel} of {layer} ({largest_bias:.3g}, the median is {median_bias:.3g}) does not fit "
        "its accumulator, so the weights' steps were widened {widened:.3g} times"
    )
    return joined("bias overflow", findings, sentence, 0.95, ("per-channel", "bias", "equalization"))
