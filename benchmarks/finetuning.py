"""What training with the quantizers in the loop brings beyond calibration, and that it ends in integers.

For each network of ``benchmarks.cifar`` and each plan: top-1 of all test images in integer C, after calibration alone
(learned rounding included, 200 images) and after training; the simulation's beside it; how many
outputs differ between both; and bytes that differ between C, the integer executor and TFLite-Micro.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from tflite_micro.python.tflite_micro import runtime

import octavo
from benchmarks.cifar import Case, cases, cross_entropy, integers_of, simulated, taught, top1, train
from octavo.formats.tflite import write_tflite
from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, Format
from octavo.quant.rounding import reconstruct
from octavo.run.integer_run import integer_run
from octavo.train import trainable

__all__ = ["main"]

EXACT = 200


@dataclass(frozen=True)
class Plan:
    """A format, the bar in points below float if any, and how to train for it; ``taught`` by the float network, too."""

    title: str
    format: Format
    epochs: int
    rate: float
    bar: float | None = None
    networks: tuple[str, ...] = ("resnet8", "mobilenet_v2")
    taught: bool = False


PLANS = (
    Plan("W8A8 per tensor, scales 2^k", FORMATS["power-of-two"].with_weights("per-tensor"), 2, 5e-4, 0.3, taught=True),
    Plan("W4A8 per channel", FORMATS["int4"], 4, 1e-3, 0.7),
    Plan("W4A4 per channel", FORMATS["4x4"], 8, 1e-3, 2.0, ("resnet8",)),
    Plan("W2A8 per channel", FORMATS["int4"].with_weights(bits=2), 8, 1e-3),
)


def main() -> None:
    """A row for each network and plan."""
    for case in cases():
        print(f"{case.folder.name}: float {case.float_top1:.2f} % of {len(case.test[1]):,} images", flush=True)
        for plan in PLANS:
            if case.folder.name in plan.networks:
                _row(case, plan)


def _row(case: Case, plan: Plan) -> None:
    images, labels = case.test
    started = time.perf_counter()
    start = reconstruct(octavo.quantize(case.graph, case.calibration, "host", plan.format), case.calibration)
    before, calibrated = top1(integers_of(start, images)[1], labels), time.perf_counter() - started
    started = time.perf_counter()
    module = trainable(start)
    loss_of = taught(case.graph) if plan.taught else cross_entropy
    train(module, case.batches(0), plan.epochs, plan.rate, loss_of)
    end, minutes = module.eval().finish(), (time.perf_counter() - started) / 60
    x, found = integers_of(end, images)
    score, floats = top1(found, labels), simulated(module, images)
    drop = case.float_top1 - score
    met = "" if plan.bar is None else f"  {'meets' if drop <= plan.bar else 'MISSES'} {plan.bar}"
    apart = np.abs(floats.astype(int) - found.astype(int))
    print(
        f"  {plan.title:<28}calibration {before:6.2f} ({calibrated / 60:.1f} min)  "
        f"{plan.epochs} epochs {score:6.2f} ({minutes:.1f} min)  drop {drop:5.2f}{met}  "
        f"simulation {top1(floats, labels):6.2f}, {100 * np.mean(apart > 0):.2f} % of outputs differ, "
        f"by {apart.max()} at most;  bytes that differ: {_unequal(end, x[:EXACT], found[:EXACT])}",
        flush=True,
    )


def _unequal(quantized: Quantized, x: Array, found: Array) -> str:
    """How many bytes of the C's differ from the integer executor's and from TFLite-Micro's."""
    model, (name,) = lower(quantized), quantized.graph.inputs
    ours = integer_run(model.graph, {name: x})[model.graph.outputs[0]].numpy()
    interpreter = runtime.Interpreter.from_bytes(write_tflite(quantized), arena_size=2**24)
    theirs = []
    for sample in x:
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        theirs.append(interpreter.get_output(0).reshape(-1).copy())
    flat = found.reshape(len(x), -1)
    counts = [int((flat != other).sum()) for other in (ours.reshape(len(x), -1), np.stack(theirs))]
    return f"{counts[0]} from the executor, {counts[1]} from TFLite-Micro, of {flat.size:,}"
