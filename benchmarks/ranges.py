"""Range methods side by side, without equalization and with nearest rounding: SQNR in dB of the outputs."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.workloads import Workload, efficientnet_lite0, tiny
from octavo import api
from octavo.num.formats import FORMATS
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.samples import gather
from octavo.quant.observe import observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.ranges import RANGES

__all__ = ["main"]

SAMPLES = 400
WEIGHTS = ("minmax", "percentile", "mse")


def main() -> None:
    """A table a model: activations by every method, then weights by every method."""
    for name in ("resnet8_cifar10", "dscnn_kws"):
        workload = tiny(name, SAMPLES)
        _table(workload, api.load(workload.model))
    workload = efficientnet_lite0()
    _table(workload, api.load(workload.model, torch.from_numpy(workload.calibration[:1])))


def _table(workload: Workload, graph: Any) -> None:
    prepared = align(graph)
    seen = observe(prepared, [workload.calibration[i : i + 25] for i in range(0, len(workload.calibration), 25)])
    samples, _ = gather(prepared, workload.test[:SAMPLES], workload.labels)
    reference = reference_outputs(prepared, samples)

    def sqnr(format: str, granularity: str, ranges: str, weights: str) -> str:
        scheme = Scheme(FORMATS[format].with_weights(granularity), ranges, weights)
        found = measure(quantize_observed(prepared, seen, scheme), samples, reference)
        return f"{found.sqnr_db:6.2f}"

    print(workload.name)
    for method in RANGES:
        cells = [sqnr(format, "per-channel", method, "mse") for format in ("affine", "symmetric", "power-of-two")]
        print(f"  activations {method:<16} affine, symmetric, power-of-two: {' '.join(cells)}", flush=True)
    for method in WEIGHTS:
        cells = [sqnr("affine", g, "mse", method) for g in ("per-channel", "per-tensor")]
        cells.append(sqnr("int4", "per-channel", "mse", method))
        print(f"  weights     {method:<16} per channel, per tensor, int4:   {' '.join(cells)}", flush=True)
