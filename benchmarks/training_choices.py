"""Batch norm folded, kept and frozen, and what can be done about oscillations: curves of training, judged in integers.

Networks are those of ``benchmarks.cifar``; every half epoch the integers of the present weights are judged on 2,000
test images. OCTAVO_PICTURES names a folder for the curves as SVG.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import octavo
from benchmarks.cifar import BATCH, Case, cases, cross_entropy, integers_of, top1, train
from octavo.ir.plan import Quantized
from octavo.num.formats import FORMATS, Format
from octavo.report.chart import Plot, Series, chart_svg
from octavo.train import Oscillations, Trainable, dampening, trainable

__all__ = ["main"]

JUDGED, EPOCHS = 2000, 2
HALF = 50_000 // BATCH // 2
INT3 = FORMATS["int4"].with_weights(bits=3)


@dataclass(frozen=True)
class Way:
    """A way to train; ``dampen`` weighs the term against oscillations, ``hold`` is the share from which on to hold."""

    title: str
    batch_norm: str = "fold"
    freeze: bool = False
    dampen: float = 0.0
    hold: float | None = None


@dataclass(frozen=True)
class Question:
    """Ways that are compared on one network in one format."""

    name: str
    network: str
    format: Format
    rate: float
    ways: tuple[Way, ...]


QUESTIONS = (
    Question(
        "batch_norm",
        "resnet8",
        INT3,
        1e-3,
        (
            Way("fold"),
            Way("keep", "keep"),
            Way("keep, frozen after half", "keep", freeze=True),
        ),
    ),
    Question(
        "oscillations",
        "mobilenet_v2",
        INT3,
        1e-3,
        (Way("nothing"), Way("dampened", dampen=1e-5), Way("held", hold=0.01)),
    ),
)


def main() -> None:
    """A curve for each way."""
    found = {case.folder.name: case for case in cases()}
    for question in QUESTIONS:
        if question.network not in found:
            print(f"skipped: {question.name}: there is no trained {question.network}")
            continue
        case = found[question.network]
        start = octavo.quantize(case.graph, case.calibration, "host", question.format, max_drop=0.0)
        print(f"{question.name}: {question.network}, {question.format.weights.bits}-bit weights", flush=True)
        curves = [_curve(case, start, question.rate, way) for way in question.ways]
        folder = os.environ.get("OCTAVO_PICTURES", "")
        if folder:
            (Path(folder) / f"training_{question.name}.svg").write_text(_drawn(question, curves))


def _curve(case: Case, start: Quantized, rate: float, way: Way) -> list[float]:
    images, labels = (part[:JUDGED] for part in case.test)
    module = trainable(start, way.batch_norm)
    watched = Oscillations(module, way.hold)
    scores = [top1(integers_of(start, images)[1], labels)]

    def after(step: int) -> None:
        watched.update(module)
        if way.freeze and step == EPOCHS * HALF:
            module.freeze_batch_norm()
        if step % HALF == 0:
            scores.append(top1(integers_of(module.eval().finish(), images)[1], labels))
            module.train()

    def dampened(module: Trainable, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(module, images, labels) + way.dampen * dampening(module)

    train(module, case.batches(0), EPOCHS, rate, dampened if way.dampen else cross_entropy, after)
    shares = np.array(watched.shares())
    points = "  ".join(f"{score:5.2f}" for score in scores)
    worst = f"mean {100 * shares.mean():.1f} %, worst layer {100 * shares.max():.1f} %"
    print(f"  {way.title:<26}{points}   oscillating: {worst}", flush=True)
    return scores


def _drawn(question: Question, curves: list[list[float]]) -> str:
    lines = [
        Series(way.title, np.arange(1, len(curve)) / 2, np.array(curve[1:]))
        for way, curve in zip(question.ways, curves, strict=True)
    ]
    title = f"{question.network}, {question.format.weights.bits}-bit weights"
    return chart_svg([Plot(title, "epochs", f"top-1 of {JUDGED:,} images in integers, %", lines)])
