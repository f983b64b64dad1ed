"""What each rung does to a MobileNetV3-small-style network: hard-swish and squeeze-and-excite, trained on CIFAR-10.

The network is the one that ``examples/cifar10/train.py --network mobilenet_v3_small`` wrote into the folder that
OCTAVO_MOBILENET names.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from octavo import api
from octavo.datasets import load_dataset
from octavo.ir.plan import Quantized
from octavo.num.formats import find_format
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.samples import gather
from octavo.quant.rounding import LeastSquares, compensated, least_squares_rounding

__all__ = ["main"]

FORMATS = (
    ("affine", "per-channel"),
    ("affine", "per-tensor"),
    ("symmetric", "per-channel"),
    ("power-of-two", "per-channel"),
    ("power-of-two", "per-tensor"),
    ("16x8", "per-channel"),
    ("int4", "per-channel"),
    ("int4", "per-group"),
)


def main() -> None:
    """A row for each format and rung, on all test images."""
    folder = Path(os.environ.get("OCTAVO_MOBILENET", "mobilenet_v3_small"))
    if not (folder / "model.onnx").is_file():
        print(f"skipped: no {folder}/model.onnx; examples/cifar10/train.py --network mobilenet_v3_small makes it")
        return
    graph = api.load(folder / "model.onnx")
    assert not isinstance(graph, Quantized)
    calibration, test = (load_dataset(folder / name) for name in ("calibration.npz", "test.npz"))
    samples, _ = gather(graph, test.inputs, test.labels)
    reference = reference_outputs(graph, samples)

    def row(title: str, quantized: Quantized, seconds: float) -> None:
        found = measure(quantized, samples, reference)
        accuracy = f"{100 * (found.float_accuracy or 0):6.2f}{100 * (found.accuracy or 0):9.2f}"
        print(f"  {title:<58}{seconds:7.1f} s {accuracy}{100 * found.agreement:8.2f}{found.sqnr_db:8.2f}", flush=True)

    print(f"  {'':<58}{'':>9}  float  integer   agree  SQNR dB   ({len(samples)} images)")
    for format, granularity in FORMATS:
        title = f"{format}, {granularity}"
        start = time.perf_counter()
        raw = api.quantize(
            graph, calibration.inputs, "host", format, granularity, "minmax", "minmax", equalization="none"
        )
        row(f"{title}: min-max", raw, time.perf_counter() - start)
        start = time.perf_counter()
        plain = api.quantize(graph, calibration.inputs, "host", format, granularity)
        row(f"{title}: equalization and MSE ranges", plain, time.perf_counter() - start)
        for settings in (LeastSquares(), compensated(find_format(format).weights.bits)):
            start = time.perf_counter()
            rounded = least_squares_rounding(plain, calibration.inputs, settings)
            words = "least squares" + (", compensated" if settings.compensate else "")
            row(f"{title}: {words}", rounded, time.perf_counter() - start)
