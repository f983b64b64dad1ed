"""Bit-exactness on real models: Python = host C = emulated Cortex-M4 = TensorFlow Lite Micro, byte for byte.

Every model runs 100 random and 100 real inputs (EfficientNet-Lite0 on the host only: its weights exceed the board).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime

from benchmarks.workloads import TINY, Workload, efficientnet_lite0, tiny
from octavo import api
from octavo.analysis.compare import quantize_inputs
from octavo.build import Build
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel
from octavo.ir.plan import Quantized
from octavo.quant.observe import as_inputs
from octavo.run.integer_run import integer_run
from octavo.targets import load_target

__all__ = ["main"]

SAMPLES = 100
Ints = NDArray[np.int8]


def main() -> None:
    """One row a model; every difference is counted."""
    print(f"{'model':<22}{'inputs':>7}  differing bytes of Python against: host C, Cortex-M4, TFLM")
    for name in TINY:
        workload = tiny(name, SAMPLES)
        official = api.load(workload.official_int8 or "")
        assert isinstance(official, Quantized)
        _row(f"{name} official", official, workload, (workload.official_int8 or Path()).read_bytes())
        _row(f"{name} octavo", _quantized(workload), workload, None)
    workload = efficientnet_lite0()
    _row("efficientnet_lite0", _quantized(workload), workload, None, board=False)


def _quantized(workload: Workload) -> Quantized:
    examples = workload.calibration[:1]
    if isinstance(workload.model, Path):
        graph = api.load(workload.model)
    else:
        import torch

        graph = api.load(workload.model, torch.from_numpy(examples))
    return api.quantize(graph, workload.calibration)


def _inputs(build: Build, workload: Workload) -> Mapping[str, Ints]:
    """100 uniform random and 100 real samples in the network's integers."""
    name = build.model.graph.inputs[0]
    shape = build.model.graph.types[name].shape[1:]
    random = np.random.default_rng(0).integers(-128, 128, (SAMPLES, *shape)).astype(np.int8)
    real = quantize_inputs(build.model, as_inputs(build.model.graph, workload.test[:SAMPLES]))[name]
    return {name: np.concatenate([random, real.astype(np.int8)])}


def _row(title: str, quantized: Quantized, workload: Workload, tflite: bytes | None, board: bool = True) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = api.export(quantized, Path(folder) / "build", target="cortex-m4" if board else "host")
        inputs = _inputs(build, workload)
        expected = _python(build, inputs)
        (flat,) = inputs.values()
        flat = np.ascontiguousarray(flat.reshape(len(flat), -1))
        with HostModel(build.c_dir) as host:
            differing = [str(int((host.run(flat) != expected).sum()))]
        if board:
            device = run_on_board(build.c_dir, load_target("cortex-m4"), flat)
            differing.append(str(int((device.outputs != expected).sum())))
        else:
            differing.append("-")
        model = tflite or (build.folder / "model.tflite").read_bytes()
        differing.append(str(int((_micro(model, flat) != expected).sum())))
    print(f"{title:<28}{len(flat):>5}  {', '.join(differing)}  of {expected.size} bytes", flush=True)


def _python(build: Build, inputs: Mapping[str, Ints]) -> Ints:
    (name,) = inputs
    count = len(inputs[name])
    graph, output = build.model.graph, build.model.graph.outputs[0]
    parts = [integer_run(graph, {name: inputs[name][i : i + 10]})[output].numpy() for i in range(0, count, 10)]
    return np.concatenate(parts).reshape(count, -1)


def _micro(model: bytes, flat: Ints) -> Ints:
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=64 * 2**20)
    shape = tuple(interpreter.get_input_details(0)["shape"])
    rows = []
    for row in flat:
        interpreter.set_input(row.reshape(shape), 0)
        interpreter.invoke()
        rows.append(interpreter.get_output(0).reshape(-1).copy())
    return np.stack(rows)
