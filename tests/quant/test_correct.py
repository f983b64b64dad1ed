"""Bias correction: the mean error of rounded weights goes away, with data and without."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.num.formats import find_format
from octavo.ops import NONE, FullyConnected
from octavo.quant.correct import correct_bias, correct_bias_analytic
from octavo.quant.data_free import expected_statistics
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_graph, quantize_observed
from octavo.quant.simulate import simulation
from octavo.run.float_run import float_run
from tests.networks.batch_norm import inverted_residual

COARSE = Scheme(find_format("affine").with_weights("per-tensor", 4), "minmax")


def unclipped(graph: Graph) -> Graph:
    """Every linear layer as an output of its own, without activation (its readers see what they saw)."""
    nodes, types, extra = [], dict(graph.types), []
    for node in graph.nodes:
        nodes.append(node)
        if getattr(node.op, "bias", None) is not None:
            name = f"{node.name}.linear"
            op = dataclasses.replace(node.op, activation=NONE)  # type: ignore[type-var]
            nodes.append(dataclasses.replace(node, name=name, op=op, outputs=(name,)))
            types[name] = types[node.outputs[0]]
            extra.append(name)
    return graph.with_(nodes=tuple(nodes), types=types, outputs=tuple(extra))


def mean_errors(quantized: Quantized, data: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Mean of (quantized - float) before the activation, by layer and channel, in deviations of the float output."""
    graph = unclipped(quantized.graph)
    tap = simulation(quantized)

    def rounded(name: str, value: torch.Tensor) -> torch.Tensor:
        return value if name.endswith(".linear") else tap(name, value)

    with torch.inference_mode():
        real, mine = float_run(graph, {"x": data}), float_run(graph, {"x": data}, rounded)
    found = {}
    for name, value in real.items():
        rows = value.double().reshape(-1, value.shape[-1])
        error = (mine[name].double().reshape(rows.shape) - rows).mean(0)
        found[name] = (error.abs() / rows.std()).numpy()
    return found


@pytest.fixture(scope="module")
def network() -> tuple[Quantized, NDArray[np.float32]]:
    graph, data = inverted_residual(samples=256)
    graph = align(graph)
    return quantize_observed(graph, expected_statistics(graph, (-4.0, 4.0)), COARSE), data


def test_empirical_correction_makes_the_mean_error_vanish(network: tuple[Quantized, NDArray[np.float32]]) -> None:
    quantized, data = network
    before, after = mean_errors(quantized, data), mean_errors(correct_bias(quantized, data), data)
    assert max(error.max() for error in before.values()) > 0.1
    # What is left is the rounding of biases to steps of 4-bit weights' accumulators.
    assert max(error.max() for error in after.values()) < 0.01


def test_analytic_correction_removes_most_of_the_first_layers_error(
    network: tuple[Quantized, NDArray[np.float32]],
) -> None:
    quantized, data = network
    corrected = correct_bias_analytic(quantized)
    before, after = mean_errors(quantized, data), mean_errors(corrected, data)
    totals = [sum(float(error.mean()) for error in errors.values()) for errors in (before, after)]
    assert totals[1] < 0.4 * totals[0]
    assert correct_bias_analytic(corrected).plan.biases.keys() == corrected.plan.biases.keys()
    for name, bias in correct_bias_analytic(corrected).plan.biases.items():
        np.testing.assert_array_equal(bias, corrected.plan.biases[name])


def test_reasons_say_what_happened(network: tuple[Quantized, NDArray[np.float32]]) -> None:
    quantized, data = network
    layers = [node for node in quantized.graph.nodes if getattr(node.op, "bias", None) is not None]
    for corrected, how in (
        (correct_bias(quantized, data[:8]), "on 8 samples"),
        (correct_bias_analytic(quantized), "rounded weights"),
    ):
        assert corrected.plan.biases.keys() == {node.inputs[2] for node in layers}
        for node in layers:
            reason = corrected.plan.reasons[node.inputs[2]]
            assert reason.startswith("corrected by") and how in reason
    assert not quantized.plan.biases


def test_max_bytes_bounds_the_samples(network: tuple[Quantized, NDArray[np.float32]]) -> None:
    quantized, data = network
    corrected = correct_bias(quantized, data, max_bytes=1)
    assert "on 1 samples" in next(corrected.plan.reasons[name] for name in corrected.plan.biases)


def test_a_shared_bias_is_left_with_a_reason() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("shared")
    x = b.input("x", TensorType((1, 6)))
    bias = b.const(np.zeros(6, np.float32), "bias")
    for index in range(2):
        x = b.add(FullyConnected(), [x, b.const(rng.normal(size=(6, 6)).astype(np.float32), "w"), bias], f"fc{index}")
    data = rng.normal(size=(32, 6)).astype(np.float32)
    quantized = quantize_graph(b.finish([x]), [data], COARSE)
    corrected = correct_bias(quantized, data)
    assert not corrected.plan.biases
    assert corrected.plan.reasons[bias] == "not corrected: 2 operators share the bias"
    with pytest.raises(OctavoError, match="has no batch-norm statistics: calibrate with data"):
        correct_bias_analytic(quantized)
