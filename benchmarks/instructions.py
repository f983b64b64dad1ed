"""Instructions and estimated cycles of one inference on every emulated core, beside peers on the Cortex-M4."""

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

PUBLISHED = {"cortex-m4": "m4_120mhz", "cortex-m7": "m7_280mhz", "cortex-m33": "m33_160mhz"}
"""X-CUBE-AI 9 in MLPerf Tiny v1.2, in milliseconds, by core: ST's boards, measured, flash and caches included."""
TASKS = {"resnet8_cifar10": "ic", "dscnn_kws": "kws", "mobilenetv1_vww": "vww"}


def main() -> None:
    """Millions of instructions, then of estimated cycles, one row a core; then code bytes on the Cortex-M4."""
    models = [api.load(tiny(name, 1).official_int8 or "") for name in TINY]
    boards = [name for name in available_targets() if load_target(name).board is not None]
    found = {target: [_profile(model, target, "speed") for model in models] for target in boards}
    print(f"{'million instructions':<28}" + "".join(f"{name:>18}" for name in TINY))
    for target, profiles in found.items():
        _row(target, np.array([row.instructions for row in profiles]))
    known = [peers()["device"]["models"][name] for name in TINY]
    _row("TFLM, CMSIS-NN, Cortex-M4", np.array([model["m4"] for model in known]))
    _row("TFLM, reference, Cortex-M4", np.array([model["m4_reference_kernels"] for model in known]))
    _row("TFLM, CMSIS-NN, Cortex-M55", np.array([model["m55"] for model in known]))
    for target, key in (("cortex-m4", "m4"), ("cortex-m55", "m55")):
        ours = np.array([row.instructions for row in found[target]])
        _row(f"TFLM / Octavo, {target}", 1e6 * np.array([model[key] for model in known]) / ours)
    print("million cycles, estimated without wait states")
    for target, profiles in found.items():
        if None not in (cycles := [row.estimated_cycles for row in profiles]):
            _row(target, np.array(cycles))
    for target, name in PUBLISHED.items():
        _row(f"X-CUBE-AI, {target}, real", _published(name))
    _sizes(models)


def _published(name: str) -> np.ndarray:
    """Measured cycles of the peer: milliseconds times the clock in its name."""
    ms = peers()["published_mlperf_tiny_ms"][f"{name}_xcubeai9"]
    kilohertz = int(name.split("_")[1].removesuffix("mhz")) * 1000
    return np.array([ms.get(TASKS.get(model, ""), np.nan) * kilohertz for model in TINY])


def _sizes(models: Sequence[object]) -> None:
    print(f"{'code bytes, Cortex-M4':<28}" + "".join(f"{name:>18}" for name in TINY))
    for optimize in OPTIMIZE:
        found = [_profile(model, "cortex-m4", optimize) for model in models]
        print(f"{optimize:<28}" + "".join(f"{row.code_bytes:>18,}" for row in found))
        _row(f"{optimize}, instructions", np.array([row.instructions for row in found]))


def _profile(model: object, target: str, optimize: str) -> Profile:
    assert isinstance(model, Quantized)
    with tempfile.TemporaryDirectory() as folder:
        return profile(api.export(model, Path(folder) / "build", target=target, optimize=optimize), target)


def _row(title: str, counts: np.ndarray) -> None:
    print(f"{title:<28}" + "".join(f"{count / 1e6:>18.2f}" for count in counts), flush=True)
