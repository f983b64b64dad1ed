"""What else must accept the exported .tflite: LiteRT and the Vela compiler for Ethos-U."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from octavo.formats.tflite import load_tflite, write_tflite
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.run.integer_run import integer_run
from tests.oracles.data import data_path

NAMES = ("resnet8_cifar10", "dscnn_kws")


def exported(name: str) -> tuple[Quantized, bytes]:
    quantized = load_tflite(data_path(f"mlperf_tiny/{name}_int8.tflite"))
    assert isinstance(quantized, Quantized)
    return quantized, write_tflite(quantized)


@pytest.mark.parametrize("name", NAMES)
def test_litert_runs_it_within_its_own_rounding(name: str) -> None:
    """LiteRT rounds otherwise, so that a few outputs may differ by a few steps."""
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    quantized, model = exported(name)
    interpreter = interpreter_module.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = np.random.default_rng(0).integers(-128, 128, (10, *source["shape"][1:])).astype(np.int8)
    rows = []
    for row in x:
        interpreter.set_tensor(source["index"], row[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"])[0])
    graph = lower(quantized).graph
    expected = integer_run(graph, {graph.inputs[0]: x})[graph.outputs[0]].numpy()
    assert np.abs(np.stack(rows).astype(int) - expected).mean() < 2.0
    assert (np.stack(rows).argmax(1) == expected.argmax(1)).mean() >= 0.8


@pytest.mark.parametrize("name", NAMES)
def test_vela_compiles_it(name: str, tmp_path: Path) -> None:
    vela = Path(sys.executable).with_name("vela")
    if not vela.is_file():
        pytest.skip("ethos-u-vela is not installed")
    path = tmp_path / "model.tflite"
    path.write_bytes(exported(name)[1])
    command = [str(vela), str(path), "--accelerator-config", "ethos-u55-128", "--output-dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert (tmp_path / "out" / "model_vela.tflite").stat().st_size > 1000
