"""The planned arena on a Cortex-M4 beside its lower bound and beside what TensorFlow Lite Micro uses.

The last columns are for layers that run strip by strip: the arena, and multiply-accumulates for rows outside of images.
"""

from __future__ import annotations

import torch

from benchmarks.workloads import TINY, efficientnet_lite0, peers, tiny
from octavo import api
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import lower
from octavo.lower.padding import fold_padding
from octavo.lower.trim import trim
from octavo.strips import find_strips
from octavo.targets import load_target

__all__ = ["main"]


def main() -> None:
    """One row a model."""
    print(f"{'model':<22}{'arena':>10}{'lower bound':>13}{'TFLM':>9}{'ratio':>7}{'strips':>10}{'more MACs':>11}")
    known = peers()["device"]["models"]
    for name in TINY:
        official = api.load(tiny(name, 1).official_int8 or "")
        assert isinstance(official, Quantized)
        print(f"{name:<22}{_row(official, known[name]['arena'])}")
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    print(f"{workload.name:<22}{_row(api.quantize(graph, workload.calibration[:2]), None)}")


def _row(quantized: Quantized, micro: int | None) -> str:
    """With the kernels of a Cortex-M4, their working memory included."""
    target, model = load_target("cortex-m4"), trim(fold_padding(lower(quantized))).model
    arena = plan_arena(specialize(model, target).graph, target.alignment)
    beside = f"{micro:>9,}{arena.size / micro:>7.2f}" if micro else " " * 16
    found = find_strips(model, target)
    strips = f"{found.arena.size:>10,}{100 * (found.macs / found.whole_macs - 1):>10.1f}%" if found else f"{'none':>10}"
    return f"{arena.size:>10,}{arena.lower_bound:>13,}{beside}{strips}"
