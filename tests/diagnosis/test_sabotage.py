"""The fast cases of ``python -m benchmarks sabotage``: the fault that was put in is the cause named first."""

from __future__ import annotations

import pytest

import octavo
from benchmarks.sabotage import CASES, Sabotage, rightly_caused, rightly_cured
from tests.oracles.data import data_path

SAMPLES = 48


@pytest.mark.parametrize("case", [case for case in CASES if not case.large], ids=lambda case: case.name)
def test_the_fault_is_named_first(case: Sabotage) -> None:
    data_path("mlperf_tiny/resnet8_cifar10_float.tflite")
    data_path("cifar10/train.npz")
    data_path("kws/kws01.npz")
    arguments, layer = case.make(SAMPLES)
    arguments["calibration"] = arguments["calibration"][:40]
    found = octavo.diagnose(**arguments)
    assert rightly_caused(case, layer, found), found.answer
    assert rightly_cured(case, found), found.remedies
    assert found.answer.lower().startswith(found.causes[0].sentence[:20].lower())


def test_a_sound_network_has_nothing_wrong() -> None:
    data_path("cifar10/train.npz")
    arguments, _ = CASES[-1].make(SAMPLES)
    arguments["calibration"] = arguments["calibration"][:40]
    found = octavo.diagnose(**{**arguments, "model": arguments["reference"], "reference": arguments["reference"]})
    assert found.answer.startswith("Nothing is wrong")
    assert {fork.name: fork.passed for fork in found.forks}["reference"] is True
