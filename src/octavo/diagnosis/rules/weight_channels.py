"""Channels of weights that share a scale have very different ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.diagnosis.facts import QuantizedFacts, rounding_noise
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.weighing import Finding, joined
from octavo.ir.graph import Array
from octavo.ops import DepthwiseConv2D, Op
from octavo.quant.ranges.weights import weight_qparams

__all__ = ["weight_channels"]

_RATIO = 3.0
_INPUTS = 20.0
_REMOVED = 0.3


def weight_channels(facts: QuantizedFacts) -> Cause | None:
    """The largest channel is far above the median one, and with scales of their own the channels would lose far less.

    1. Output channels of weights with one scale for the tensor: depthwise layers show it most, each channel being a
       filter of its own that nothing keeps alike. The noise without is that of one scale a channel.
    2. Input channels, whose weights share the scale of their output channel: only equalization helps. The noise
       without is that of one scale an input channel.
    """
    scheme, findings = facts.case.scheme, []
    for row in facts.of("weights"):
        node, values, encoding = facts.node(row), facts.values(row), facts.encoding(row)
        op = node.op
        format = scheme.weights(node)
        now = rounding_noise(values, encoding)
        if not isinstance(op, Op) or format.kind == "float16" or now == 0:
            continue
        whole = replace(format, granularity="per-channel")
        axes = [("output", op.channel_axis, _RATIO)] if encoding.scale.size == 1 else []
        if not isinstance(op, DepthwiseConv2D) and getattr(op, "groups", 1) == 1:
            axes.append(("input", values.ndim - 1, _INPUTS))
        for side, axis, least in axes:
            reach = _reach(values, axis)
            ratio = float(reach.max() / max(float(np.median(reach)), 1e-12 * float(reach.max())))
            own = weight_qparams(values, whole, axis, scheme.weight_ranges)
            removed = 1 - rounding_noise(values, own) / now
            if ratio >= least and removed >= _REMOVED:
                evidence = {"ratio": ratio, "side": side, "operator": node.kind, "granularity": format.granularity}
                findings.append(Finding(row, removed, evidence))
                break
    deep = sum(f.culprit.share for f in findings if f.culprit.operator == "DepthwiseConv2D")
    what = "depthwise layers" if deep > 0.5 * sum(f.culprit.share for f in findings) else "layers"
    sentence = (
        f"channels of {what} have very different ranges under one scale: in {{layer}} the largest {{side}} channel is "
        "{ratio:.3g} times the median one"
    )
    return joined("weight channel ranges", findings, sentence, 0.9, ("per-channel", "equalization"))


def _reach(values: Array, axis: int) -> NDArray[np.float64]:
    rest = tuple(i for i in range(values.ndim) if i != axis)
    return np.asarray(np.abs(values.astype(np.float64)).max(axis=rest))
