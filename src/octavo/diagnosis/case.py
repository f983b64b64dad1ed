"""What is diagnosed: a float network, how it is quantized, and the samples that calibrate and judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from octavo.ir.graph import Array, Graph, Node
from octavo.num.evenly import evenly
from octavo.num.formats import Format
from octavo.ops import Op
from octavo.pipeline.rung import Stage, silent
from octavo.pipeline.samples import FEWEST, Samples, split
from octavo.quant.mixed.sensitivities import watched
from octavo.quant.quantize import Scheme
from octavo.targets import Target

__all__ = ["Case", "affordable", "divided", "source_of"]

_WORK = 12.5e9


@dataclass(frozen=True)
class Case:
    """One network, quantized in one way. ``judge`` are the samples on which everything is measured.

    ``fresh`` says whether the judging samples are others than those that calibrate. ``formats`` are further formats to
    try.
    """

    graph: Graph
    scheme: Scheme
    target: Target
    calibration: Samples
    judge: Samples
    fresh: bool
    formats: tuple[Format, ...] = ()
    equalization: str = "none"
    stage: Stage = silent

    @property
    def logits(self) -> str:
        """The first output, before the softmax or sigmoid that gives it: there the noise is measured."""
        return watched(self.graph)[0]

    def with_judge(self, judge: Samples) -> Case:
        """The same judged by other samples."""
        return replace(self, judge=judge)


def source_of(node: Node) -> str:
    """The node's name in the user's file."""
    return node.source or node.name


def affordable(graph: Graph, work: float = _WORK, fewest: int = 32, most: int = 512) -> int:
    """With how many samples one run takes about ``work`` multiply-accumulates, between two bounds."""
    macs = sum(
        int(node.op.macs([graph.types[v] for v in node.inputs], [graph.types[v] for v in node.outputs]))
        for node in graph.nodes
        if isinstance(node.op, Op)
    )
    return int(np.clip(work / max(macs, 1), fewest, most))


def divided(
    graph: Graph, calibration: Samples, data: Samples | None, count: int | None
) -> tuple[Samples, Samples, bool, tuple[str, ...]]:
    """Who calibrates, who judges, whether these are others, and what must be said of it.

    1. Given data judge. 2. Of 20 calibration samples or more, a fifth is held out to judge. 3. Fewer do both.
    """
    limit = affordable(graph) if count is None else count
    notes: tuple[str, ...] = ()
    fresh = True
    if data is None and len(calibration) >= FEWEST:
        parts = split(calibration, None, False)
        calibration, data = parts.calibration, parts.search
        notes = ("no data given to judge by: a fifth of the calibration samples was held out and judges",)
    elif data is None:
        data, fresh = calibration, False
        notes = ("few samples: those that calibrate also judge, which hides what is wrong with them",)
    chosen = [_some(part, limit) for part in (calibration, data)]
    for what, given, used in (("calibration", calibration, chosen[0]), ("data", data, chosen[1])):
        if len(used) < len(given):
            notes += (f"{len(used)} of {len(given)} {what} samples were used, evenly spaced: --samples takes more",)
    return chosen[0], chosen[1], fresh, notes


def _some(samples: Samples, count: int) -> Samples:
    places: Array = evenly(len(samples), count)
    return samples.take(places) if count < len(samples) else samples
