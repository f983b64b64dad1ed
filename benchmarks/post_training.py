"""Post-training quantization against its bars: EfficientNet-Lite0 in every format, and the small reference models.

Quality is that of the simulated integers (``exactness`` and the tests hold them against the integers) on samples that
calibration has not seen; the best peer on the same model stands beside. A bar that is not met is printed as such.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.workloads import Workload, efficientnet_lite0, peers, tiny
from octavo import api
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.samples import gather
from octavo.quant.rounding import LeastSquares, Reconstruction, compensated, least_squares_rounding, reconstruct

__all__ = ["main"]


@dataclass(frozen=True)
class Bar:
    """What a row must reach: points below float, agreement in percent, SQNR in dB, seconds."""

    drop: float
    agreement: float = 0.0
    sqnr_db: float = -100.0
    seconds: float = 1200.0


@dataclass(frozen=True)
class Row:
    """A way to quantize, and its bar."""

    title: str
    choices: Mapping[str, Any]
    rounding: LeastSquares | Reconstruction | None
    bar: Bar | None = None
    peer: str = ""
    data_free: bool = False


_EIGHT = compensated(8)
EFFICIENTNET = (
    Row("W8A8 per channel, plain", {}, None, Bar(100, seconds=40)),
    Row("W8A8 per channel", {}, _EIGHT, Bar(0.3, 99.0, 22.0), "TFLiteConverter full-int8 per-channel"),
    Row("W8A8 per tensor, plain", {"granularity": "per-tensor"}, None, Bar(100, seconds=40)),
    Row(
        "W8A8 per tensor",
        {"granularity": "per-tensor"},
        _EIGHT,
        Bar(0.5, 96.5, 14.0),
        "AIMET post_training_tf_enhanced pt W8A8",
    ),
    Row(
        "power of two, per tensor",
        {"format": "power-of-two", "granularity": "per-tensor"},
        _EIGHT,
        Bar(2.0, 93.0),
        "esp-ppq esp32s3 W8A8",
    ),
    Row(
        "power of two, per channel",
        {"format": "power-of-two"},
        _EIGHT,
        Bar(100, 98.0, 17.0),
        "esp-ppq esp32p4 W8A8",
    ),
    Row("W4A8 per channel, plain", {"format": "int4"}, None, None, "AIMET* min_max pc W4A8"),
    Row("W4A8 per channel", {"format": "int4"}, compensated(4), Bar(3.0), "AIMET* min_max pc W4A8 +SeqMSE"),
    Row("W4A8 per channel, blocks", {"format": "int4"}, Reconstruction(), None),
    Row("W4A8 per group of 32", {"format": "int4", "granularity": "per-group"}, compensated(4)),
    Row("symmetric, per channel", {"format": "symmetric"}, _EIGHT),
    Row("log2, per channel", {"format": "log2"}, compensated(4)),
    Row("W8A8 per channel, no data", {}, None, Bar(0.7), data_free=True),
    Row("W8A8 per tensor, no data", {"granularity": "per-tensor"}, None, Bar(2.0), data_free=True),
)
SMALL = (
    Row("power of two, per tensor", {"format": "power-of-two", "granularity": "per-tensor"}, _EIGHT, Bar(0.5)),
    Row("affine, per channel", {}, None, Bar(0.7)),
    Row("affine, per tensor", {"granularity": "per-tensor"}, None, Bar(0.7)),
    Row("symmetric, per channel", {"format": "symmetric"}, None, Bar(0.7)),
    Row("power of two, per channel", {"format": "power-of-two"}, _EIGHT, Bar(0.7)),
)


def main() -> None:
    """One table a model."""
    known = {row["tool"]: row for row in peers()["efficientnet_lite0"]["results"]}
    workload = efficientnet_lite0()
    _table(workload, lambda: api.load(workload.model, torch.from_numpy(workload.calibration[:1])), EFFICIENTNET, known)
    for name in ("resnet8_cifar10", "dscnn_kws"):
        small = tiny(name)
        _table(small, lambda model=small.model: api.load(model), SMALL, {})  # type: ignore[misc]
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _table(workload: Workload, load: Callable[[], Any], rows: tuple[Row, ...], known: Mapping[str, Any]) -> None:
    graph = load()
    assert isinstance(graph, Graph)
    samples, _ = gather(graph, workload.test, workload.labels)
    reference = reference_outputs(graph, samples)
    print(f"{workload.name}: {len(workload.calibration)} samples calibrate, {len(samples)} test")
    print(f"  {'':<28}{'seconds':>8}{'float':>8}{'integer':>9}{'agree':>8}{'SQNR dB':>9}  bar; best peer")
    for row in rows:
        start = time.perf_counter()
        quantized = _quantized(graph, workload, row)
        seconds = time.perf_counter() - start
        found = measure(quantized, samples, reference)
        peer = known.get(row.peer)
        beside = "" if peer is None else f"{peer['agreement']:.1f} %, {peer['logits_sqnr_db']:.1f} dB ({row.peer})"
        print(
            f"  {row.title:<28}{seconds:8.1f}{100 * (found.float_accuracy or 0):8.2f}{100 * (found.accuracy or 0):9.2f}"
            f"{100 * found.agreement:8.2f}{found.sqnr_db:9.2f}  {_judged(row.bar, found, seconds)}; {beside}",
            flush=True,
        )


def _quantized(graph: Graph, workload: Workload, row: Row) -> Quantized:
    if row.data_free:
        return api.quantize(graph, None, "host", input_range=(-1.0, 1.0), **row.choices)
    plain = api.quantize(graph, workload.calibration, "host", **row.choices)
    if isinstance(row.rounding, Reconstruction):
        return reconstruct(plain, workload.calibration, row.rounding)
    return plain if row.rounding is None else least_squares_rounding(plain, workload.calibration, row.rounding)


def _judged(bar: Bar | None, found: Any, seconds: float) -> str:
    """Which bars are met, in words."""
    if bar is None:
        return "no bar"
    missed = []
    if found.drop > bar.drop + 1e-9:
        missed.append(f"drop {found.drop:.2f} above {bar.drop}")
    if 100 * found.agreement < bar.agreement - 1e-9:
        missed.append(f"agreement below {bar.agreement}")
    if found.sqnr_db < bar.sqnr_db:
        missed.append(f"SQNR below {bar.sqnr_db}")
    if seconds > bar.seconds:
        missed.append(f"{seconds:.0f} s above {bar.seconds:.0f}")
    return "MISSED: " + ", ".join(missed) if missed else "met"
