"""What each step of the plain pipeline does to EfficientNet-Lite0: equalization and bias correction, one at a time."""

from __future__ import annotations

import torch

from benchmarks.workloads import efficientnet_lite0
from octavo import api
from octavo.ir.graph import Graph
from octavo.num.formats import find_format
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.plain import Variants, corrected
from octavo.pipeline.rung import silent
from octavo.pipeline.samples import gather
from octavo.quant.correct import correct_bias_analytic
from octavo.quant.quantize import Scheme

__all__ = ["main"]

CASES = (
    ("affine", "per-channel", ("none", "balance")),
    ("affine", "per-tensor", ("none", "weights", "balance")),
    ("power-of-two", "per-channel", ("none", "align")),
    ("power-of-two", "per-tensor", ("none", "weights", "balance")),
)


def main() -> None:
    """A row for each format and equalization: nearest rounding, then with biases corrected."""
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    assert isinstance(graph, Graph)
    given, _ = gather(graph, workload.calibration)
    test, _ = gather(graph, workload.test, workload.labels)
    reference = reference_outputs(graph, test)
    print(f"{'':<46}{'top-1':>8}{'agree':>8}{'SQNR dB':>9}   ({len(given)} samples calibrate, {len(test)} test)")
    for format, granularity, kinds in CASES:
        scheme = Scheme(find_format(format).with_weights(granularity), "mse", "mse")
        for kind in kinds:
            (rung,) = Variants(graph, given, scheme, "host", silent).rungs((kind,))
            steps = {
                "": rung.quantized,
                ", analytic": correct_bias_analytic(rung.quantized),
            }
            steps |= {
                f", {variant.name.removeprefix('plain, biases ')}": variant.quantized
                for variant in corrected(rung, given, silent)
            }
            for step, quantized in steps.items():
                found = measure(quantized, test, reference)
                title = f"{format} {granularity}, {kind}{step}"
                accuracy = f"{100 * (found.accuracy or 0):8.2f}{100 * found.agreement:8.2f}"
                print(f"{title:<46}{accuracy}{found.sqnr_db:9.2f}", flush=True)
