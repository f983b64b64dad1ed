"""The CIFAR-10 example trains, exports what it trained, and quantizes to the same integers everywhere."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import octavo
from examples.cifar10.mobilenet_v3 import BLOCKS, MobileNetV3Small
from octavo.device.host import HostModel
from octavo.ir.graph import Graph
from octavo.run.float_run import float_run, to_graph_layout
from octavo.run.integer_run import integer_run
from tests.oracles.tflm import run_tflm

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "cifar10" / "train.py"


def write_images(path: Path, count: int, rng: np.random.Generator) -> None:
    """An archive as the script reads it: JPEG bytes one after the other, offsets, labels."""
    pieces = []
    for pixels in rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        pieces.append(file.getvalue())
    offsets = np.cumsum([0, *map(len, pieces)])
    labels = rng.integers(0, 10, count).astype(np.uint8)
    np.savez(path, jpeg=np.frombuffer(b"".join(pieces), np.uint8), offsets=offsets, labels=labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the script writes after two steps on noise."""
    data = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    write_images(data / "train.npz", 128, rng)
    write_images(data / "test.npz", 16, rng)
    command = [sys.executable, str(SCRIPT), "--data", str(data), "--output", str(data / "out")]
    options = ["--network", "mobilenet_v3_small", "--epochs", "1", "--threads", "1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "epoch   1/1" in done.stdout
    return data / "out"


def test_the_export_is_the_trained_network_and_python_is_c_is_tflm(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "calibration.npz", "model.onnx", "test.npz", "weights.safetensors",
    ]  # fmt: skip
    network = MobileNetV3Small()
    network.load_state_dict(load_file(trained / "weights.safetensors"))
    graph = octavo.load(trained / "model.onnx")
    assert isinstance(graph, Graph)
    kinds = [type(node.op).__name__ for node in graph.nodes]
    gates = sum(block.gate for block in BLOCKS)
    assert kinds.count("HardSigmoid") == kinds.count("Mul") == gates == 9
    assert kinds.count("HardSwish") == 19

    with np.load(trained / "test.npz") as test, np.load(trained / "calibration.npz") as calibration:
        inputs, samples = test["inputs"], calibration["inputs"][:32]
    assert inputs.min() == -1 and inputs.max() == 127 / 128
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(inputs)).numpy()
    (logits,) = float_run(graph, {"image": to_graph_layout(graph, "image", inputs)}).values()
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-3, atol=1e-4)

    quantized = octavo.quantize(graph, samples)
    assert octavo.compare(graph, quantized, inputs).outputs[0].sqnr_db > 20
    build = octavo.export(quantized, trained.parent / "build")
    integers = np.random.default_rng(1).integers(-128, 128, (8, 32, 32, 3)).astype(np.int8)
    (python,) = integer_run(build.model.graph, {"image": integers}).values()
    truth = python.numpy().reshape(len(integers), -1)
    with HostModel(build.c_dir) as host:
        np.testing.assert_array_equal(host.run(integers.reshape(len(integers), -1)), truth)
    (micro,) = run_tflm((build.folder / "model.tflite").read_bytes(), [integers])
    np.testing.assert_array_equal(micro, truth)
