"""The rungs of learned rounding: least squares layer by layer, then reconstruction block by block."""

from __future__ import annotations

import time
from pathlib import Path

from octavo.ir.plan import Quantized
from octavo.pipeline.plain import user_order
from octavo.pipeline.rung import Rung, Stage
from octavo.pipeline.samples import Samples
from octavo.quant.rounding import (
    LeastSquares,
    Reconstruction,
    Step,
    least_squares_rounding,
    reconstruct,
)

__all__ = ["RECONSTRUCTION", "least_squares", "reconstructed"]

RECONSTRUCTION = "block reconstruction"
"""The name of its rung."""


def least_squares(base: Quantized, samples: Samples, settings: LeastSquares, stage: Stage) -> Rung:
    """Least-squares rounding."""
    done, start = 0, time.perf_counter()

    def progress(count: int) -> None:
        nonlocal done
        done += count
        stage("rounding", done, len(base.graph.nodes))

    rounded = least_squares_rounding(base, user_order(base.graph, dict(samples.inputs)), settings, progress)
    name = "least-squares rounding" + (", inputs compensated" if settings.compensate else "")
    return Rung(name, rounded, time.perf_counter() - start)


def reconstructed(
    base: Quantized, samples: Samples, settings: Reconstruction, stage: Stage, checkpoint: Path | None = None
) -> Rung:
    """Block reconstruction from the integers that ``base`` has."""
    start = time.perf_counter()

    def progress(step: Step) -> None:
        stage(f"reconstructing {step.block}, loss {step.loss:.3f}", step.done, step.total)

    inputs = user_order(base.graph, dict(samples.inputs))
    learned = reconstruct(base, inputs, settings, progress, checkpoint)
    return Rung(RECONSTRUCTION, learned, time.perf_counter() - start)
