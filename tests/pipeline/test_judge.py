"""Who meets a target, which of two rungs is better, and what few samples cannot prove."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from octavo.pipeline.judge import better, judgements, meets, needed_samples, within
from octavo.pipeline.measure import Measure, interval


def agreeing(samples: int, wrong: int = 0, sqnr: float = 30.0) -> Measure:
    return Measure(samples, sqnr, 1 - wrong / samples)


def labelled(samples: int, worse: int = 0, better: int = 0) -> Measure:
    right = 0.9
    return Measure(samples, 30.0, 1.0, right, right - (worse - better) / samples, worse, better)


@pytest.mark.parametrize("kind", [agreeing, labelled])
@pytest.mark.parametrize("max_drop", [0.2, 0.5, 1.0, 5.0])
def test_needed_samples_are_the_least_with_which_a_perfect_score_is_proof(kind, max_drop: float) -> None:  # type: ignore[no-untyped-def]
    wanted = needed_samples(kind(50), max_drop)
    upper = [interval(kind(count), 0.674490)[1] for count in (math.ceil(wanted), math.ceil(wanted) - 1)]
    assert upper[0] <= max_drop < upper[1]
    assert meets(kind(math.ceil(wanted)), max_drop)


@pytest.mark.parametrize("kind", [agreeing, labelled])
def test_where_nothing_can_be_proved_the_drop_decides(kind) -> None:  # type: ignore[no-untyped-def]
    assert meets(kind(20), 0.5) and not meets(kind(20, 1), 0.5)
    assert meets(kind(10_000), 0.0) and not meets(kind(10_000, 1), 0.0)
    assert needed_samples(kind(20), 0.0) == math.inf


def test_enough_samples_must_prove() -> None:
    assert within(agreeing(200, 2), 1.0) and not meets(agreeing(200, 2), 1.0)
    assert meets(agreeing(2000, 2), 1.0)


def test_points_computed_in_floating_point_are_within_the_same_points() -> None:
    assert within(Measure(500, 30.0, 1.0, 0.9, 0.9 - 0.015), 1.5)
    assert not within(Measure(500, 30.0, 1.0, 0.9, 0.9 - 0.016), 1.5)


def test_who_meets_the_target_is_better_whatever_the_noise() -> None:
    proven, noisy = agreeing(200, 0, 20.0), agreeing(200, 1, 40.0)
    assert meets(proven, 0.5) and not meets(noisy, 0.5)
    assert better(proven, noisy, 0.5) and not better(noisy, proven, 0.5)
    assert better(noisy, proven, None), "without a target one sample of difference is chance, and noise decides"


def test_between_equals_the_drop_then_the_noise_decides() -> None:
    assert better(agreeing(100, 2), agreeing(100, 9, 60.0), 0.1)
    assert better(agreeing(100, 3, 31.0), agreeing(100, 2, 30.0), 0.1)


def test_what_is_said() -> None:
    assert "nothing judges it" in judgements(None, None, 0.5)[0]
    said = judgements(None, labelled(500, 20), 0.5)
    assert "not climbed" in said[0] and "4.00 points on 500 samples that no rung has seen" in said[1]
    (few, wide) = judgements(agreeing(20), agreeing(20), 0.5)
    assert "20 search samples cannot prove" in few and "91 could" in few and "too few to prove 0.5" in wide
    (missed,) = judgements(labelled(2000), labelled(2000, 100), 1.0)
    assert "4.00 more than allowed" in missed
    assert judgements(labelled(20_000, 10), labelled(20_000, 10), 1.0) == []
    lucky = judgements(labelled(200, 1, 0), labelled(20_000), 0.5)
    assert lucky == ["on 200 search samples no rung was safely within 0.5 points: luck decides"]


def test_a_single_value_has_no_class() -> None:
    row = replace(agreeing(20), single=True).row()
    assert row["drop"] is None and row["agreement"] is None and row["sqnr_db"] == 30.0
