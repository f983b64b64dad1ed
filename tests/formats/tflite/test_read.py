"""Loading the MLPerf Tiny models: floats against LiteRT's reference kernels, integers against TFLite-Micro."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.formats.tflite import load_tflite, read_tflite, write_tflite
from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run

DATA = Path(os.environ.get("OCTAVO_DATA", Path(__file__).parents[4] / "shared" / "data")) / "mlperf_tiny"
NAMES = ("autoencoder_ad", "dscnn_kws", "mobilenetv1_vww", "resnet8_cifar10")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the MLPerf Tiny models")


@pytest.mark.parametrize("name", NAMES)
def test_float_models_equal_litert(name: str) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = DATA / f"{name}_float.tflite"
    graph = load_tflite(path)
    assert isinstance(graph, Graph)
    verify(graph)
    oracle = litert.Interpreter(str(path), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
    oracle.allocate_tensors()
    given, wanted = oracle.get_input_details()[0]["index"], oracle.get_output_details()[0]["index"]
    # The keyword spotter's file has int8 weights: LiteRT quantizes its activations on the fly, we do not.
    tolerance = 3e-2 if name == "dscnn_kws" else 1e-5
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.uniform(0, 1, graph.types[graph.inputs[0]].shape).astype(np.float32)
        oracle.set_tensor(given, x)
        oracle.invoke()
        expected = oracle.get_tensor(wanted)
        ours = float_run(graph, {graph.inputs[0]: x})[graph.outputs[0]].numpy()
        assert np.abs(ours - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_int8_models_equal_micro_and_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    path = DATA / f"{name}_int8.tflite"
    quantized = load_tflite(path)
    assert isinstance(quantized, Quantized)
    verify(quantized.graph)
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(write_tflite(quantized))
    again = load_tflite(copy)
    assert isinstance(again, Quantized)
    first, second = lower(quantized).graph, lower(again).graph
    oracles = [runtime.Interpreter.from_file(str(file)) for file in (path, copy)]
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.integers(-128, 128, first.types[first.inputs[0]].shape).astype(np.int8)
        results = [integer_run(graph, {graph.inputs[0]: x})[graph.outputs[0]].numpy() for graph in (first, second)]
        for oracle in oracles:
            oracle.set_input(x, 0)
            oracle.invoke()
            results.append(oracle.get_output(0))
        for result in results[1:]:
            np.testing.assert_array_equal(results[0], result)


def test_read_tflite_refuses_int8() -> None:
    with pytest.raises(OctavoError, match="is an int8 model"):
        read_tflite(DATA / "resnet8_cifar10_int8.tflite")


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"not a model at all")
    with pytest.raises(OctavoError, match=r"broken\.tflite: is not a TensorFlow Lite model"):
        load_tflite(path)
    with pytest.raises(OctavoError, match="cannot be read"):
        load_tflite(tmp_path / "missing.tflite")
