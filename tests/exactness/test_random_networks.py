"""Integer executor = host C = TensorFlow Lite Micro on the exported .tflite, on random networks, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from octavo.c.emit import emit
from octavo.device.host import HostModel, sanitized_run
from octavo.formats.native import read_quantized, write_quantized
from octavo.formats.tflite import write_tflite
from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.passes import normalize
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run
from tests.exactness.random_networks import networks
from tests.oracles.tflm import run_tflm

EXAMPLES = int(os.environ.get("OCTAVO_EXAMPLES", "40"))
SETTINGS = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
)
Sample = tuple[Graph, dict[str, NDArray[np.float32]]]


def random_integers(model: IntegerModel, samples: int = 5) -> dict[str, NDArray[np.int8]]:
    rng = np.random.default_rng(3)
    shapes = {name: model.graph.types[name].shape[1:] for name in model.graph.inputs}
    return {name: rng.integers(-128, 128, (samples, *shape)).astype(np.int8) for name, shape in shapes.items()}


def flat_outputs(model: IntegerModel, inputs: dict[str, NDArray[np.int8]]) -> list[NDArray[np.int8]]:
    values = integer_run(model.graph, inputs)
    return [values[name].numpy().reshape(len(values[name]), -1) for name in model.graph.outputs]


def written(model: IntegerModel, inputs: dict[str, NDArray[np.int8]], folder: Path) -> NDArray[np.int8]:
    """The generated C in ``folder``; returns the joined inputs."""
    golden = {name: value[:1] for name, value in inputs.items()}
    expected = {name: value.numpy() for name, value in integer_run(model.graph, golden).items()}
    for path, data in emit(model, plan_arena(model.graph), "net", (golden, expected)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return np.concatenate([inputs[name].reshape(len(inputs[name]), -1) for name in model.graph.inputs], axis=1)


def quantized(sample: Sample) -> Quantized:
    graph, inputs = sample
    return quantize_graph(normalize(verify(graph)), [inputs], Scheme(ranges="minmax"))


@SETTINGS
@given(sample=networks())
def test_c_on_the_host_equals_the_integer_executor(sample: Sample, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    model = lower(quantized(sample))
    verify(model.graph)
    inputs = random_integers(model)
    expected = np.concatenate(flat_outputs(model, inputs), axis=1)
    folder = tmp_path_factory.mktemp("c")
    joined = written(model, inputs, folder)
    with HostModel(folder) as host:
        np.testing.assert_array_equal(host.run(joined), expected)


@settings(SETTINGS, max_examples=max(EXAMPLES // 8, 1))
@given(sample=networks())
def test_sanitizers_find_nothing(sample: Sample, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    model = lower(quantized(sample))
    inputs = random_integers(model)
    expected = np.concatenate(flat_outputs(model, inputs), axis=1)
    folder = tmp_path_factory.mktemp("c")
    joined = written(model, inputs, folder)
    np.testing.assert_array_equal(sanitized_run(folder, joined, expected.shape[1]), expected)


@SETTINGS
@given(sample=networks())
def test_tflm_on_the_export_equals_the_integer_executor(sample: Sample) -> None:
    candidate = quantized(sample)
    model = lower(candidate)
    inputs = random_integers(model)
    outputs = run_tflm(write_tflite(candidate), [inputs[n] for n in model.graph.inputs], len(model.graph.outputs))
    for got, expected in zip(outputs, flat_outputs(model, inputs), strict=True):
        np.testing.assert_array_equal(got, expected)


@SETTINGS
@given(sample=networks())
def test_storing_and_reading_back_changes_no_integer(sample: Sample, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    candidate = quantized(sample)
    folder = tmp_path_factory.mktemp("stored")
    for name, data in write_quantized(candidate).items():
        (folder / name).write_bytes(data)
    model, again = lower(candidate), lower(read_quantized(folder))
    inputs = random_integers(model)
    for a, b in zip(flat_outputs(model, inputs), flat_outputs(again, inputs), strict=True):
        np.testing.assert_array_equal(a, b)
