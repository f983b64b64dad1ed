"""Random networks of int16 and int8 layers, weights of 2 to 8 bits: Python = host C = TFLM, byte for byte."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from octavo.device.host import HostModel, sanitized_run
from octavo.errors import OctavoError
from octavo.formats.tflite import write_tflite
from octavo.ir.check import verify
from octavo.ir.plan import Quantized
from octavo.lower.lower import IntegerModel, lower
from octavo.num.formats import WeightFormat
from octavo.num.qparams import integer_limits
from octavo.passes import normalize
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack, unpack
from tests.exactness.random_networks import networks
from tests.exactness.test_random_networks import EXAMPLES, SETTINGS, Sample, written
from tests.oracles.tflm import run_tflm

MICRO = {
    "Add", "AveragePool2D", "Clip", "Concat", "Conv2D", "DepthwiseConv2D", "FullyConnected", "LeakyRelu", "MaxPool2D",
    "Maximum", "Mean", "Minimum", "Mul", "Pad", "Prelu", "Requantize", "Reshape", "ResizeNearest", "Sigmoid", "Slice",
    "Softmax", "Sub", "Tanh", "Transpose", "TransposeConv2D",
}  # fmt: skip
"""Operators with an int16 form that TensorFlow Lite Micro has, too."""
ALL = MICRO | {"Abs", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Neg", "Silu", "Softplus", "Square"}
SHARE = st.sampled_from((0.5, 0.8, 1.0))


def _quantized(sample: Sample, share: float, kinds: set[str]) -> Quantized:
    """The network with a random share of the nodes of these kinds in int16, and weights of 2 to 8 bits."""
    graph, inputs = sample
    graph, rng = normalize(verify(graph)), np.random.default_rng(1)
    wide = frozenset(node.name for node in graph.nodes if node.kind in kinds and rng.random() < share)
    layers = {node.name: WeightFormat(bits=int(rng.integers(2, 9))) for node in graph.nodes if rng.random() < 0.4}
    return quantize_graph(graph, [inputs], Scheme(ranges="minmax", layers=layers, wide=wide))


def _lowered(quantized: Quantized) -> IntegerModel:
    """Six samples may leave a layer with 2-bit weights an all but constant output, which lowering refuses."""
    try:
        return lower(quantized)
    except OctavoError as error:
        assume("output range is so narrow" not in str(error))
        raise


def _inputs(model: IntegerModel, samples: int = 5) -> dict[str, np.ndarray]:
    rng, types = np.random.default_rng(3), model.graph.types
    shapes = {name: (samples, *types[name].shape[1:]) for name in model.graph.inputs}
    return {
        name: rng.integers(*integer_limits(types[name].dtype), shape, endpoint=True).astype(types[name].dtype)
        for name, shape in shapes.items()
    }


def _expected(model: IntegerModel, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}


@SETTINGS
@given(sample=networks(), share=SHARE)
def test_c_on_the_host_equals_the_integer_executor(sample: Sample, share: float, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    model = _lowered(_quantized(sample, share, ALL))
    verify(model.graph)
    inputs, graph, folder = _inputs(model), model.graph, tmp_path_factory.mktemp("c")
    written(model, inputs, folder)
    with HostModel(folder) as host:
        packed = host.run(pack(graph, graph.inputs, inputs))
    for name, got in unpack(graph, graph.outputs, packed).items():
        np.testing.assert_array_equal(got, _expected(model, inputs)[name])


@settings(SETTINGS, max_examples=max(EXAMPLES // 8, 1))
@given(sample=networks(), share=SHARE)
def test_sanitizers_find_nothing(sample: Sample, share: float, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    model = _lowered(_quantized(sample, share, ALL))
    inputs, graph, folder = _inputs(model), model.graph, tmp_path_factory.mktemp("c")
    written(model, inputs, folder)
    expected = pack(graph, graph.outputs, _expected(model, inputs))
    got = sanitized_run(folder, pack(graph, graph.inputs, inputs), expected.shape[1])
    np.testing.assert_array_equal(got, expected)


@SETTINGS
@given(sample=networks(), share=SHARE)
def test_tflm_on_the_export_equals_the_integer_executor(sample: Sample, share: float) -> None:
    candidate = _quantized(sample, share, MICRO)
    model = _lowered(candidate)
    inputs, graph = _inputs(model), model.graph
    outputs = run_tflm(write_tflite(candidate), [inputs[name] for name in graph.inputs], len(graph.outputs))
    for got, expected in zip(outputs, _expected(model, inputs).values(), strict=True):
        np.testing.assert_array_equal(got, expected.reshape(len(got), -1))
