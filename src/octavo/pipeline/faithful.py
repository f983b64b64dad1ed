"""How often what training simulates is another integer than what the device computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from octavo.analysis.compare import quantize_inputs
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.evenly import evenly
from octavo.pipeline.samples import Samples
from octavo.run.integer_run import integer_run
from octavo.train import trainable

__all__ = ["Faithfulness", "faithfulness"]

_SAMPLES = 256


@dataclass(frozen=True)
class Faithfulness:
    """The share of the first output's numbers that differ, on ``samples`` samples, and by how many steps at most.

    Sums in floats decide a tie otherwise now and then, and some kernels round in ways of their own.
    """

    samples: int
    differing: float
    steps: int


def faithfulness(quantized: Quantized, samples: Samples) -> Faithfulness:
    """Compare the training module of a network with its integers, on at most 256 samples, evenly chosen."""
    chosen = samples.take(evenly(len(samples), _SAMPLES)) if len(samples) > _SAMPLES else samples
    module, model, first = trainable(quantized).eval(), lower(quantized), quantized.graph.outputs[0]
    differing = total = steps = 0
    with torch.inference_mode():
        for batch in chosen.batches():
            encoding = quantized.plan.qparams[first]
            given = {name: torch.from_numpy(array) for name, array in batch.items()}
            simulated = encoding.quantize(module.run(given)[0].numpy()).astype(int)
            integers = integer_run(model.graph, quantize_inputs(model, batch))[first].numpy().astype(int)
            apart = abs(simulated - integers)
            differing, total = differing + int((apart > 0).sum()), total + apart.size
            steps = max(steps, int(apart.max()))
    return Faithfulness(len(chosen), differing / total, steps)
