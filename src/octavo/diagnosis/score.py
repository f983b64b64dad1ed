"""How good a network with some of its quantizers on is, against the float network."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from octavo.analysis.compare import Score
from octavo.diagnosis.case import Case
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.pipeline.measure import Measure, interval
from octavo.pipeline.samples import Samples
from octavo.quant.simulate import real_constants, simulation
from octavo.run.float_run import Tap, float_run

__all__ = ["Quality", "logits_of", "partial", "quality", "quality_of"]


@dataclass(frozen=True)
class Quality:
    """On the judging samples; ``drop`` in points of accuracy with labels, else of agreement; None without classes.

    ``drop_low`` is the lower end of its 95 % interval.
    """

    sqnr_db: float
    cosine: float
    agreement: float | None
    accuracy: float | None
    drop: float | None
    drop_low: float | None

    def row(self) -> dict[str, float | None]:
        """As plain data."""
        return dict(vars(self))


def logits_of(graph: Graph, value: str, samples: Samples, tap: Tap | None = None) -> Array:
    """[N, classes] of one value of the network, batch by batch."""
    wanted = graph.with_(outputs=(value,))
    with torch.inference_mode():
        parts = [float_run(wanted, batch, tap)[value].flatten(1).numpy() for batch in samples.batches()]
    return np.concatenate(parts)


def quality_of(reference: Array, got: Array, labels: Array | None) -> Quality:
    """Of logits [N, classes] against those of the float network."""
    score = Score()
    score.update(reference, got, labels)
    a, b = reference.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    lengths = math.sqrt(float(a @ a) * float(b @ b))
    cosine = float(a @ b) / lengths if lengths else math.nan
    if reference.shape[1] == 1:
        return Quality(score.sqnr_db, cosine, None, None, None, None)
    found = Measure(score.samples, score.sqnr_db, score.agreement)
    if labels is not None:
        before, after = (x.argmax(1) == labels for x in (reference, got))
        shares = float(before.mean()), float(after.mean())
        worse, better = int((before & ~after).sum()), int((after & ~before).sum())
        found = replace(found, float_accuracy=shares[0], accuracy=shares[1], worse=worse, better=better)
    return Quality(score.sqnr_db, cosine, score.agreement, found.accuracy, found.drop, interval(found)[0])


def quality(case: Case, quantized: Quantized, reference: Array) -> Quality:
    """Of the whole quantized network."""
    got = logits_of(quantized.graph, case.logits, case.judge, simulation(quantized))
    return quality_of(reference, got, case.judge.labels)


def partial(quantized: Quantized, names: Collection[str], constants: Mapping[str, torch.Tensor] | None = None) -> Tap:
    """The simulation in which only the quantizers of these tensors are on."""
    whole = simulation(quantized, real_constants(quantized) if constants is None else constants)
    return lambda name, value: whole(name, value) if name in names else value
