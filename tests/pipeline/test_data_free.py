"""Quantization without data, against the same network quantized with data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import octavo
from octavo.errors import OctavoError
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.samples import Samples
from tests.networks.batch_norm import inverted_residual

GRAPH, DATA = inverted_residual(samples=256)
RANGE = (float(DATA.min()), float(DATA.max()))


def sqnr(quantized: octavo.Quantized) -> float:
    samples = Samples({"x": DATA})
    return measure(quantized, samples, reference_outputs(GRAPH, samples)).sqnr_db


@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_it_comes_near_to_quantization_with_data(granularity: str) -> None:
    blind = octavo.quantize(GRAPH, None, granularity=granularity, input_range=RANGE)
    seeing = octavo.quantize(GRAPH, DATA, granularity=granularity, equalization="none", ranges="minmax")
    assert sqnr(blind) > 20
    assert sqnr(blind) > sqnr(seeing) - 12


def test_per_tensor_equalizes_absorbs_and_says_so() -> None:
    plan = octavo.quantize(GRAPH, None, granularity="per-tensor", input_range=RANGE).plan
    assert [row["rung"] for row in plan.trail] == ["data-free, equalization weights, biases corrected"]
    assert any("absorption changed the float function" in note for note in plan.notes)
    channels = octavo.quantize(GRAPH, None, input_range=RANGE).plan
    assert [row["rung"] for row in channels.trail] == ["data-free, equalization none, biases corrected"]
    assert not any("absorption" in note for note in channels.notes)
    assert any("no data" in note for note in channels.notes)


def test_without_a_range_the_input_is_estimated_and_it_is_said() -> None:
    plan = octavo.quantize(GRAPH, None).plan
    assert any("input x" in note and "give input_range" in note for note in plan.notes)
    assert not any("give input_range" in note for note in octavo.quantize(GRAPH, None, input_range=RANGE).plan.notes)


def test_evaluation_samples_report() -> None:
    quantized = octavo.quantize(GRAPH, None, input_range=RANGE, evaluation=DATA, max_drop=90.0)
    verdict = quantized.plan.verdict
    assert verdict["split"] == {"calibration": 0, "search": 0, "report": 256}
    assert verdict["report"]["samples"] == 256 and verdict["met"] is True
    strict = octavo.quantize(GRAPH, None, input_range=RANGE, evaluation=DATA, max_drop=0.0)
    assert strict.plan.verdict["met"] is False
    assert any("fine-tuning" in note for note in strict.plan.notes) == (strict.plan.verdict["report"]["drop"] > 0)


def test_what_cannot_be_is_refused() -> None:
    bare = GRAPH.with_(moments={})
    with pytest.raises(OctavoError, match="no batch-norm statistics"):
        octavo.quantize(bare, None, input_range=RANGE)
    with pytest.raises(OctavoError, match="needs calibration data"):
        octavo.quantize(GRAPH, None, format="power-of-two", equalization="align", input_range=RANGE)
    with pytest.raises(OctavoError, match="logits of samples"):
        octavo.quantize(GRAPH, None, ranges="cross-entropy", input_range=RANGE)
    with pytest.raises(OctavoError, match=r"no input of the network. It has x"):
        octavo.quantize(GRAPH, None, input_range={"y": RANGE})
    with pytest.raises(OctavoError, match="low below high"):
        octavo.quantize(GRAPH, None, input_range=(1.0, 1.0))
    with pytest.raises(OctavoError, match="has no effect"):
        octavo.quantize(GRAPH, DATA, input_range=RANGE)


def test_nothing_depends_on_chance() -> None:
    plans = [octavo.quantize(GRAPH, None, input_range=RANGE, granularity="per-tensor").plan for _ in range(2)]
    assert plans[0].qparams == plans[1].qparams
    for name, bias in plans[0].biases.items():
        np.testing.assert_array_equal(bias, plans[1].biases[name])


@pytest.mark.parametrize("gamma", [1e-3, 1e-5, 1e-7])
def test_a_nearly_dead_channel_does_not_stretch_the_others(gamma: float) -> None:
    """Its weights are all but zero, its bias is not: a factor that lifts the weights would lift the bias out of range.

    Zeros pad the next layer, so that nothing can be absorbed.
    """
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(16)
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), norm, torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=1, groups=16), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 10),
    )  # fmt: skip
    data = torch.randn(256, 3, 16, 16)
    for _ in range(60):
        body(data)
    with torch.no_grad():
        norm.weight[3], norm.bias[3] = gamma, 1.0
    graph = octavo.load(body.eval(), data[:1])
    choices: dict[str, Any] = {"granularity": "per-tensor", "input_range": (-4.0, 4.0)}
    even = octavo.quantize(graph, None, **choices)
    plain = octavo.quantize(graph, None, **choices, equalization="none")
    found = [octavo.compare(graph, quantized, data[:64]).outputs[0].sqnr_db for quantized in (even, plain)]
    assert found[0] > found[1] - 3
    assert any("nearly dead keep their scale" in note for note in even.plan.notes)


def test_what_absorption_could_not_reach_is_told() -> None:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(8)
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), norm, torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, padding=1),
        torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, 4),
    )  # fmt: skip
    with torch.no_grad():
        norm.bias.fill_(5.0)
    graph = octavo.load(body.eval(), torch.zeros(1, 3, 8, 8))
    notes = octavo.quantize(graph, None, granularity="per-tensor", input_range=(-3.0, 3.0)).plan.notes
    assert any(note.startswith("absorption left out") and "zeros pad" in note for note in notes)


def test_inputs_without_a_given_range_are_told_one_by_one() -> None:
    notes = octavo.quantize(GRAPH, None, input_range={}).plan.notes
    assert any(note.startswith("input x: estimated") for note in notes)
