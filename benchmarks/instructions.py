"""Instructions of one inference on every emulated core, beside TensorFlow Lite Micro's on the Cortex-M4."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.workloads import TINY, peers, tiny
from octavo import api
from octavo.build import profile
from octavo.ir.plan import Quantized
from octavo.targets import available_targets, load_target

__all__ = ["main"]


def main() -> None:
    """Millions of instructions, one row a core; the official int8 models, compiled for that core."""
    models = [api.load(tiny(name, 1).official_int8 or "") for name in TINY]
    print(f"{'million instructions':<28}" + "".join(f"{name:>18}" for name in TINY))
    for target in available_targets():
        if load_target(target).board is not None:
            _row(target, np.array([_instructions(model, target) for model in models]))
    known = [peers()["device"]["models"][name] for name in TINY]
    _row("TFLM, CMSIS-NN, Cortex-M4", np.array([model["m4"] for model in known]))
    _row("TFLM, reference, Cortex-M4", np.array([model["m4_reference_kernels"] for model in known]))


def _instructions(model: object, target: str) -> int:
    assert isinstance(model, Quantized)
    with tempfile.TemporaryDirectory() as folder:
        counted = profile(api.export(model, Path(folder) / "build", target=target), target)
    return counted.instructions or 0


def _row(title: str, counts: np.ndarray) -> None:
    print(f"{title:<28}" + "".join(f"{count / 1e6:>18.2f}" for count in counts), flush=True)
