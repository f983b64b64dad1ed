"""Accuracy after quantization, beside float and beside what peers reach on the same samples."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from benchmarks.workloads import efficientnet_lite0, peers, tiny
from octavo import api
from octavo.build import evaluate

__all__ = ["main"]


def main() -> None:
    """ResNet8 on 10,000 images, DS-CNN on 1,000 samples, EfficientNet-Lite0 on 400 images."""
    print(f"{'model':<22}{'ranges':<16}{'float':>8}{'integer':>9}{'agree':>8}{'SQNR dB':>9}  peers")
    known = peers()["mlperf_tiny_accuracy"]
    for name, key in (("resnet8_cifar10", "resnet8"), ("dscnn_kws", "dscnn")):
        workload = tiny(name)
        graph = api.load(workload.model)
        for ranges in ("mse", "moving-average", "minmax"):
            quantized = api.quantize(graph, workload.calibration, ranges=ranges)
            _row(
                name,
                ranges,
                quantized,
                workload.test,
                workload.labels,
                f"official int8 {known[key + '_official_int8']}",
            )
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    best = max(peers()["efficientnet_lite0"]["results"], key=lambda row: row["agreement"])
    for ranges in ("mse", "moving-average", "minmax"):
        quantized = api.quantize(graph, workload.calibration, target="host", ranges=ranges)
        note = f"best peer's agreement {best['agreement']} ({best['tool']}; on 900 images)"
        _row(workload.name, ranges, quantized, workload.test, workload.labels, note)


def _row(name: str, ranges: str, quantized, test, labels, note: str) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        build = api.export(quantized, Path(folder) / "build")
        result = evaluate(build, test, labels)
    print(
        f"{name:<22}{ranges:<16}{100 * (result.float_accuracy or 0):8.2f}{100 * (result.integer_accuracy or 0):9.2f}"
        f"{100 * result.agreement:8.2f}{result.sqnr_db:9.2f}  {note}",
        flush=True,
    )
