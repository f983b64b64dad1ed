"""Quantization without data, against the same network quantized with data."""

from __future__ import annotations

import numpy as np
import pytest

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
        octavo.quantize(GRAPH, None, equalization="align", input_range=RANGE)
    with pytest.raises(OctavoError, match="low below high"):
        octavo.quantize(GRAPH, None, input_range=(1.0, 1.0))
    with pytest.raises(OctavoError, match="has no effect"):
        octavo.quantize(GRAPH, DATA, input_range=RANGE)


def test_nothing_depends_on_chance() -> None:
    plans = [octavo.quantize(GRAPH, None, input_range=RANGE, granularity="per-tensor").plan for _ in range(2)]
    assert plans[0].qparams == plans[1].qparams
    for name, bias in plans[0].biases.items():
        np.testing.assert_array_equal(bias, plans[1].biases[name])
