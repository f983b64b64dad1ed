"""The planned arena on a Cortex-M4 beside its lower bound and beside what TensorFlow Lite Micro uses."""

from __future__ import annotations

import torch

from benchmarks.workloads import TINY, efficientnet_lite0, peers, tiny
from octavo import api
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import lower
from octavo.lower.trim import trim
from octavo.memory import Arena
from octavo.targets import load_target

__all__ = ["main"]


def main() -> None:
    """One row a model."""
    print(f"{'model':<22}{'arena':>10}{'lower bound':>13}{'TFLM':>9}{'ratio':>7}")
    known = peers()["device"]["models"]
    for name in TINY:
        official = api.load(tiny(name, 1).official_int8 or "")
        assert isinstance(official, Quantized)
        arena = planned(official)
        micro = known[name]["arena"]
        print(f"{name:<22}{arena.size:>10,}{arena.lower_bound:>13,}{micro:>9,}{arena.size / micro:>7.2f}")
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    arena = planned(api.quantize(graph, workload.calibration[:2]))
    print(f"{workload.name:<22}{arena.size:>10,}{arena.lower_bound:>13,}")


def planned(quantized: Quantized) -> Arena:
    """The arena with the kernels of a Cortex-M4, their working memory included."""
    return plan_arena(specialize(trim(lower(quantized)).model, load_target("cortex-m4")).graph)
