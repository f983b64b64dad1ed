"""The ladder: what it tries, when it stops, what it keeps and what it says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import octavo
from octavo.errors import OctavoError
from octavo.formats.native import read_quantized, write_quantized
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.pipeline import ladder
from octavo.pipeline.measure import Measure, interval, measure, reference_outputs
from octavo.pipeline.rung import weight_bytes
from octavo.pipeline.samples import gather, split
from octavo.quant.rounding import Reconstruction
from tests.networks.torch_networks import mobilenet_v2, seeded
from tests.networks.undecided import undecided

SHORT = Reconstruction(iterations=10)


@cache
def network() -> Graph:
    torch.manual_seed(0)
    module = seeded(mobilenet_v2, 0, (3, 32, 32))
    graph = octavo.load(module, torch.zeros(1, 3, 32, 32))
    assert isinstance(graph, Graph)
    return graph


@cache
def images(count: int = 60) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)


@cache
def hard(count: int = 60) -> np.ndarray:
    """Images of which any noise changes some answers."""
    return undecided(network(), np.random.default_rng(9).normal(size=(600, 3, 32, 32)).astype(np.float32), count)[0]


def climbed(**choices: Any) -> Quantized:
    """Without any loss, on hard images: every rung is climbed."""
    return octavo.quantize(network(), images(), evaluation=hard(), max_drop=0.0, reconstruction=SHORT, **choices)


@cache
def impossible() -> Quantized:
    """Four bits."""
    return climbed(format="int4")


def test_split_gives_each_sample_one_purpose() -> None:
    samples, notes = gather(network(), images())
    assert not notes
    parts = split(samples, None, True)
    assert parts.counts == {"calibration": 36, "search": 12, "report": 12}
    seen = [part.inputs[network().inputs[0]] for part in (parts.calibration, parts.search, parts.report)]
    rows = {row.tobytes() for part in seen for row in part}
    assert len(rows) == 60
    held, _ = gather(network(), images(44))
    assert split(samples, held, True).counts == {"calibration": 60, "search": 22, "report": 22}
    assert split(samples, None, True, 1).calibration.inputs.keys() == samples.inputs.keys()


def test_too_few_samples_are_not_divided_and_it_is_said() -> None:
    quantized = octavo.quantize(network(), images()[:8], max_drop=1.0)
    assert quantized.plan.verdict["split"] == {"calibration": 8, "search": 0, "report": 0}
    assert any("too few" in note for note in quantized.plan.notes)
    assert "report" not in quantized.plan.verdict


def test_without_a_target_only_the_plain_rung_runs_and_the_least_noise_wins() -> None:
    quantized = octavo.quantize(network(), images(), granularity="per-tensor")
    trail = quantized.plan.trail
    variants = [f"plain, equalization {kind}" for kind in ("none", "weights", "balance")]
    assert [row["rung"] for row in trail] == [
        *variants,
        "plain, biases corrected for weights",
        "plain, biases corrected for weights and inputs",
    ]
    samples, _ = gather(network(), images())
    search = split(samples, None, False).search
    found = measure(quantized, search, reference_outputs(network(), search))
    assert found.sqnr_db == pytest.approx(max(row["sqnr_db"] for row in trail), abs=1e-6)


def test_the_ladder_stops_at_the_first_rung_that_is_good_enough() -> None:
    generous = octavo.quantize(network(), images(), max_drop=99.0)
    assert {str(row["rung"]).split(",")[0] for row in generous.plan.trail} == {"plain"}
    assert generous.plan.verdict["met"] is True


def test_an_impossible_target_climbs_to_the_top_and_says_by_how_much_it_misses() -> None:
    plan = impossible().plan
    rungs = [str(row["rung"]) for row in plan.trail]
    learned = rungs.index("least-squares rounding, inputs compensated")
    assert rungs[learned + 1 : learned + 3] == ["least-squares rounding", "block reconstruction"]
    assert all(rung.startswith("mixed precision") for rung in rungs[learned + 3 :]) and len(rungs) > learned + 3
    assert plan.verdict["met"] is False
    assert any("fine-tuning" in note for note in plan.notes)
    low, high = plan.verdict["report"]["drop_95"]
    assert low <= plan.verdict["report"]["drop"] <= high
    best = max(float(row["sqnr_db"]) for row in plan.trail[learned : learned + 3])
    assert best > float(plan.trail[0]["sqnr_db"]) + 0.5, "learned rounding must beat plain rounding at 4 bits"


def test_labels_make_the_drop_one_of_accuracy() -> None:
    reference = reference_outputs(network(), gather(network(), images())[0])
    labels = reference.reshape(len(reference), -1).argmax(1)
    labels[::2] = 0
    quantized = octavo.quantize(
        network(), images(), max_drop=50.0, evaluation=images(), evaluation_labels=labels, ranges="minmax"
    )
    report = quantized.plan.verdict["report"]
    assert report["samples"] == 30 and report["float_accuracy"] is not None
    assert report["drop"] == pytest.approx(100 * (report["float_accuracy"] - report["accuracy"]))


@pytest.mark.parametrize(
    "labels",
    [np.zeros(59, int), np.full(60, 10**6), np.zeros(60), np.full(60, -1)],
    ids=["count", "high", "float", "low"],
)
def test_labels_that_do_not_match_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(OctavoError, match="labels"):
        octavo.quantize(network(), images(), labels=labels, max_drop=1.0)


def test_same_inputs_and_seed_give_the_same_bytes() -> None:
    again = climbed(format="int4")
    assert write_quantized(again) == write_quantized(impossible())


def test_the_trail_survives_storage(tmp_path) -> None:  # type: ignore[no-untyped-def]
    quantized = impossible()
    for name, data in write_quantized(quantized).items():
        (tmp_path / name).write_bytes(data)
    back = read_quantized(tmp_path)
    assert back.plan.notes == quantized.plan.notes and back.plan.verdict == quantized.plan.verdict
    assert [row["rung"] for row in back.plan.trail] == [row["rung"] for row in quantized.plan.trail]
    for name, array in quantized.plan.integers.items():
        np.testing.assert_array_equal(back.plan.integers[name], array)


def test_more_bits_cost_bytes_and_buy_decibels() -> None:
    plan = impossible().plan
    mixed = [row for row in plan.trail if str(row["rung"]).startswith("mixed precision")]
    assert float(mixed[-1]["sqnr_db"]) > float(plan.trail[0]["sqnr_db"]) + 6
    assert int(mixed[-1]["weight_bytes"]) > int(mixed[0]["weight_bytes"]) > int(plan.trail[0]["weight_bytes"])
    front = plan.verdict["front"]
    assert [row["bytes"] for row in front] == sorted(row["bytes"] for row in front)


def test_what_cannot_be_mixed_is_said() -> None:
    plan = climbed(format="log2").plan
    assert any("mixed precision was not tried" in note for note in plan.notes)
    first = next(node.name for node in network().nodes if node.kind == "Conv2D")
    with pytest.raises(OctavoError, match="have no effect where options choose"):
        octavo.quantize(network(), images(40), options=("int8", "int4"), layers={first: "int4"}, max_drop=1.0)
    with pytest.raises(OctavoError, match="without a budget"):
        octavo.quantize(network(), images(40), options=("int8", "int4"))
    with pytest.raises(OctavoError, match="needs calibration data"):
        octavo.quantize(network(), None, options=("int8", "int4"), budget=octavo.Budget("bytes", 1e6))


def test_unknown_choices_are_refused_with_what_there_is() -> None:
    for choice, known in (
        ({"format": "int3"}, "affine"),
        ({"granularity": "per-row"}, "per-channel"),
        ({"ranges": "best"}, "percentile"),
        ({"weight_ranges": "kl"}, "minmax"),
        ({"equalization": "yes"}, "balance"),
        ({"max_drop": -1.0}, "0 or more"),
        ({"layers": {"nothing": "int4"}}, "Use a name as"),
        ({"layers": {next(n.name for n in network().nodes if n.kind == "Conv2D"): "int9"}}, "int8"),
    ):
        with pytest.raises(OctavoError) as caught:
            octavo.quantize(network(), images()[:4], **choice)  # type: ignore[arg-type]
        assert known in str(caught.value)


def test_weight_bytes_count_the_bits_of_the_format() -> None:
    sizes = {
        name: weight_bytes(octavo.quantize(network(), images()[:4], format=name))
        for name in ("affine", "int4", "float16")
    }
    weights = sum(network().types[n.inputs[1]].size for n in network().nodes if getattr(n.op, "weight", None))
    assert sizes["affine"] > weights > sizes["int4"] > weights / 2
    assert sizes["float16"] == pytest.approx(2 * weights, rel=0.02)


def test_intervals_hold_what_they_promise() -> None:
    """Coverage of the 95 % interval of the drop on simulated paired outcomes."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        worse, better = rng.binomial(200, 0.04), rng.binomial(200, 0.02)
        found = Measure(200, 20.0, 0.95, 0.8, 0.8 - (worse - better) / 200, int(worse), int(better))
        low, high = interval(found)
        inside += low <= 2.0 <= high
    assert 0.92 < inside / 2000 < 0.985


def test_few_evaluation_samples_report_and_nothing_else() -> None:
    quantized = octavo.quantize(network(), images(), evaluation=images(70)[60:])
    assert quantized.plan.verdict["split"] == {"calibration": 48, "search": 12, "report": 10}
    assert quantized.plan.verdict["report"]["samples"] == 10, "what was measured is told, target or not"
    assert any("too few evaluation samples to divide (10)" in note for note in quantized.plan.notes)


def test_evaluation_samples_that_calibrated_are_told() -> None:
    mixed = np.concatenate([images(40)[:5], hard(30)])
    notes = octavo.quantize(network(), images(40), evaluation=mixed).plan.notes
    assert any(note.startswith("5 of 35 evaluation samples are calibration samples, too") for note in notes)
    assert not any("calibration samples, too" in note for note in impossible().plan.notes)


@pytest.mark.parametrize("where", ["calibration", "evaluation"])
def test_data_that_are_not_finite_are_refused(where: str) -> None:
    bad = images(24).copy()
    bad[3, 1, 2, 2] = np.nan
    data = {"calibration": images(24), "evaluation": hard(24), where: bad}
    with pytest.raises(OctavoError, match="hold NaN or Inf"):
        octavo.quantize(network(), **data)


def test_what_cannot_be_judged_is_told_and_no_rung_is_listed_that_nothing_can_choose() -> None:
    plan = octavo.quantize(network(), images(12), max_drop=1.0).plan
    assert [row["rung"] for row in plan.trail] == ["plain, equalization none"] and "met" not in plan.verdict
    assert any("nothing judges it" in note for note in plan.notes)


def test_the_verdict_is_that_of_samples_that_no_rung_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search samples that like the first rung, report samples that do not."""
    monkeypatch.setattr(ladder, "meets", lambda found, max_drop: True)
    plan = octavo.quantize(network(), images(), format="int4", evaluation=hard(), max_drop=1.0).plan
    assert plan.verdict["report"]["drop"] > 1.0 and plan.verdict["met"] is False
    assert any("more than allowed" in note for note in plan.notes)


def test_trials_on_few_samples_are_called_so() -> None:
    rungs = [row["rung"] for row in octavo.quantize(network(), images(100), granularity="per-tensor").plan.trail]
    assert rungs[:3] == [f"trial on 32 samples, equalization {kind}" for kind in ("none", "weights", "balance")]
    assert rungs[3].startswith("plain, equalization ") and "corrected" in rungs[4]


def test_a_network_of_one_value_is_judged_by_noise_alone() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 1))
    graph = octavo.load(module.eval(), torch.zeros(1, 3, 8, 8))
    data = np.random.default_rng(0).normal(size=(60, 3, 8, 8)).astype(np.float32)
    plan = octavo.quantize(graph, data[:30], evaluation=data[30:]).plan
    assert plan.verdict["report"]["drop"] is None and plan.verdict["report"]["sqnr_db"] > 20
    with pytest.raises(OctavoError, match="single value"):
        octavo.quantize(graph, data, max_drop=1.0)
    with pytest.raises(OctavoError, match="single value"):
        octavo.quantize(graph, data, labels=np.zeros(60, int))


def test_of_several_outputs_the_first_judges_and_it_is_said() -> None:
    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Conv2d(3, 4, 3)
            self.heads = torch.nn.ModuleList([torch.nn.Linear(4, 3), torch.nn.Linear(4, 2)])

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = torch.relu(self.body(x)).mean((2, 3))
            return self.heads[0](features), self.heads[1](features)

    graph = octavo.load(Two().eval(), torch.zeros(1, 3, 8, 8))
    assert isinstance(graph, Graph)
    data = np.random.default_rng(0).normal(size=(40, 3, 8, 8)).astype(np.float32)
    assert f"output {graph.outputs[0]} is the one that judges, of 2" in octavo.quantize(graph, data).plan.notes


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({"equalization": "align"}, "power-of-two"),
        ({"format": "log2", "weight_ranges": "minmax"}, "by mse"),
        ({"format": "float16", "granularity": "per-tensor"}, "no scales"),
        ({"format": "float16", "ranges": "kl"}, "no scales"),
        ({"format": "float16", "layers": {"linear": "per-tensor"}}, "whole network"),
        ({"layers": {"linear": "int4 int8"}}, "two choices"),
        ({"seed": -1}, "negative"),
        ({"options": "int8"}, "one text"),
        ({"checkpoint": "work"}, "block reconstruction"),
        ({"checkpoint": "work", "max_drop": 1.0, "format": "float16"}, "block reconstruction"),
    ],
)
def test_choices_without_effect_are_refused(choices: dict[str, Any], why: str) -> None:
    with pytest.raises(OctavoError, match=why):
        octavo.quantize(network(), images(24), **choices)


def test_a_file_that_is_no_checkpoint_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("years of work")
    with pytest.raises(OctavoError, match="did not write"):
        octavo.quantize(network(), images(24), max_drop=99.0, checkpoint=file)
    assert file.read_text() == "years of work"


def test_a_checkpoint_goes_only_when_its_work_is_done(tmp_path: Path) -> None:
    file, stopped = tmp_path / "work", []

    def stop(what: str, done: int, total: int | None) -> None:
        if what.startswith("reconstructing") and done > 3 * SHORT.iterations:
            stopped.append(what)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        climbed(format="int4", checkpoint=file, progress=stop)
    assert stopped and file.is_file()
    kept = file.read_bytes()
    octavo.quantize(network(), images(24), max_drop=99.0, checkpoint=file)
    assert file.read_bytes() == kept, "a climb that stops below reconstruction leaves the file of another alone"
    assert write_quantized(climbed(format="int4", checkpoint=file)) == write_quantized(impossible())
    assert not file.exists()


def test_float16_has_no_rounding_to_learn() -> None:
    plan = climbed(format="float16").plan
    assert {str(row["rung"]).partition(",")[0] for row in plan.trail} == {"plain"}


def test_mixed_precision_tells_what_equalization_left_out() -> None:
    choices: dict[str, Any] = {"options": ("int8", "int4"), "budget": octavo.Budget("bytes", 1e6)}
    plan = octavo.quantize(network(), images(40), granularity="per-tensor", equalization="weights", **choices).plan
    assert any(note.startswith("equalization left out") for note in plan.notes)
