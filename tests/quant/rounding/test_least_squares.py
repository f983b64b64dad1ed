"""Least-squares rounding against nearest rounding, on what it promises: the layer's output."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo.lower.lower import lower
from octavo.num.formats import Format, WeightFormat
from octavo.ops import Clip
from octavo.quant.correct import correct_bias
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.rounding import LeastSquares, compensated, least_squares_rounding
from octavo.quant.rounding.windows import layout_of, sample_positions
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run
from tests.networks.layers import FORMATS, error, images, network, quantized


@pytest.mark.parametrize("name", FORMATS)
def test_outputs_come_nearer_and_integers_stay_levels(name: str) -> None:
    plain = quantized(FORMATS[name])
    settings = compensated(FORMATS[name].bits)
    rounded = least_squares_rounding(plain, images(64), settings)
    held_out = images(64, 2)
    # At 8 bits the activations make most of the error, and they stay.
    assert error(rounded, held_out) < (0.75 if FORMATS[name].bits < 8 else 1.1) * error(plain, held_out)
    assert set(rounded.plan.integers) == {f"p{i}.w" for i in range(4)}
    for key, integers in rounded.plan.integers.items():
        encoding = rounded.plan.qparams[key]
        again = encoding.quantize(encoding.dequantize(integers))
        np.testing.assert_array_equal(again, integers, err_msg="an integer is no level of its encoding")


def test_the_integer_network_uses_the_learned_integers_and_biases() -> None:
    rounded = least_squares_rounding(quantized(WeightFormat(bits=4)), images(64))
    model = lower(rounded)
    moved = 0
    for node in model.graph.nodes:
        if f"{node.name}:weights" in model.graph.consts:
            key = next(n.inputs[1] for n in rounded.graph.nodes if n.name == node.name)
            np.testing.assert_array_equal(model.graph.consts[f"{node.name}:weights"], rounded.plan.integers[key])
            nearest = rounded.plan.qparams[key].quantize(rounded.graph.consts[key])
            moved += int((nearest != rounded.plan.integers[key]).sum())
    assert moved > 20


def test_the_bias_takes_the_mean_error() -> None:
    rounded = least_squares_rounding(quantized(WeightFormat(bits=3)), images(64))
    data = images(64)
    expected = float_run(rounded.graph, {"x": data})[rounded.graph.outputs[0]].numpy()
    got = simulate(rounded, {"x": data})[rounded.graph.outputs[0]].numpy()
    step = float(rounded.plan.qparams[rounded.graph.outputs[0]].scale[0])
    assert np.abs((got - expected).mean(axis=0)).max() < step / 2


def test_same_seed_same_integers_and_fewer_samples_within_less_memory() -> None:
    plain = quantized(WeightFormat(bits=4))
    first, second = (least_squares_rounding(plain, images(64)) for _ in range(2))
    few = least_squares_rounding(plain, images(64), LeastSquares(max_bytes=40_000))
    for key, integers in first.plan.integers.items():
        np.testing.assert_array_equal(integers, second.plan.integers[key])
    assert any((few.plan.integers[key] != integers).any() for key, integers in first.plan.integers.items())


def test_an_input_channel_that_is_always_zero_does_no_harm() -> None:
    data = images(32)
    data[..., 2] = 0
    plain = quantize_graph(network(), [data], Scheme(Format("test", WeightFormat(bits=4)), "mse", "mse"))
    rounded = least_squares_rounding(plain, data, compensated(4))
    assert error(rounded, data) < error(plain, data)


def test_rows_times_matrix_is_the_layer() -> None:
    graph, x = network(), torch.from_numpy(images(3))
    values: dict[str, torch.Tensor] = {}
    float_run(graph, {"x": x}, lambda name, value: values.setdefault(name, value))
    for node in graph.nodes:
        layout = layout_of(graph, node)
        if layout is None:
            continue
        weights = layout.matrix(values[node.inputs[1]])
        np.testing.assert_array_equal(layout.weights(weights).numpy(), graph.consts[node.inputs[1]])
        at = sample_positions(layout.positions(3), 20, torch.Generator().manual_seed(0))
        products = layout.rows(values[node.inputs[0]], at) @ weights.transpose(1, 2)
        got = products.permute(1, 0, 2).reshape(len(at), -1) + values[node.inputs[2]]
        expected = values[node.outputs[0]].reshape(-1, got.shape[1])[at]
        clip = getattr(node.op, "activation", Clip())
        torch.testing.assert_close(clip.eval_float(got), expected, rtol=1e-4, atol=1e-5)


def test_reasons_say_what_was_done() -> None:
    start = correct_bias(quantized(WeightFormat(bits=4)), images(64))
    rounded = least_squares_rounding(start, images(64))
    for node in rounded.graph.nodes:
        if len(node.inputs) == 3:
            assert rounded.plan.reasons[node.inputs[1]] == "rounded by least squares on 64 samples"
            moved = np.abs(rounded.plan.biases[node.inputs[2]] - rounded.graph.consts[node.inputs[2]]).max()
            assert rounded.plan.reasons[node.inputs[2]].startswith(f"corrected by up to {moved:.3g}: what least")


def test_samples_that_exceed_the_memory_are_left_out_evenly_and_it_is_said() -> None:
    data = images(64)
    plain = quantized(WeightFormat(bits=4))
    few = least_squares_rounding(plain, data, LeastSquares(max_bytes=100_000))
    (note,) = few.plan.notes
    used = int(note.split()[3])
    assert note == f"least-squares rounding used {used} of 64 samples, evenly spaced, to stay within its memory"
    assert 2 < used < 40 and not least_squares_rounding(plain, data).plan.notes
    same = least_squares_rounding(plain, data[np.arange(used) * 64 // used])
    for name, integers in few.plan.integers.items():
        np.testing.assert_array_equal(same.plan.integers[name], integers)
