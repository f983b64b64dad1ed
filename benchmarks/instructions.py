"""Instructions of one inference on every emulated core, beside TensorFlow Lite Micro's on the Cortex-M4."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.workloads import TINY, peers, tiny
from octavo import api
from octavo.build import Profile, profile
from octavo.c.sharing import OPTIMIZE
from octavo.ir.plan import Quantized
from octavo.targets import available_targets, load_target

__all__ = ["main"]


def main() -> None:
    """Millions of instructions, one row a core; then code bytes on the Cortex-M4 for speed and for size."""
    models = [api.load(tiny(name, 1).official_int8 or "") for name in TINY]
    print(f"{'million instructions':<28}" + "".join(f"{name:>18}" for name in TINY))
    for target in available_targets():
        if load_target(target).board is not None:
            _row(target, np.array([_instructions(model, target) for model in models]))
    known = [peers()["device"]["models"][name] for name in TINY]
    _row("TFLM, CMSIS-NN, Cortex-M4", np.array([model["m4"] for model in known]))
    _row("TFLM, reference, Cortex-M4", np.array([model["m4_reference_kernels"] for model in known]))
    _sizes(models)


def _sizes(models: Sequence[object]) -> None:
    print(f"{'code bytes, Cortex-M4':<28}" + "".join(f"{name:>18}" for name in TINY))
    for optimize in OPTIMIZE:
        found = [_profile(model, "cortex-m4", optimize) for model in models]
        print(f"{optimize:<28}" + "".join(f"{row.code_bytes:>18,}" for row in found))
        _row(f"{optimize}, instructions", np.array([row.instructions for row in found]))


def _instructions(model: object, target: str) -> int:
    return _profile(model, target, "speed").instructions or 0


def _profile(model: object, target: str, optimize: str) -> Profile:
    assert isinstance(model, Quantized)
    with tempfile.TemporaryDirectory() as folder:
        return profile(api.export(model, Path(folder) / "build", target=target, optimize=optimize), target)


def _row(title: str, counts: np.ndarray) -> None:
    print(f"{title:<28}" + "".join(f"{count / 1e6:>18.2f}" for count in counts), flush=True)
