"""The fast cases of ``python -m benchmarks sabotage``: the fault that was put in is the cause named first."""

from __future__ import annotations

import numpy as np
import pytest

import octavo
from benchmarks.sabotage import CASES, Sabotage, rightly_caused, rightly_cured
from octavo.diagnosis.original import imported
from octavo.ir.graph import Graph
from octavo.pipeline.samples import Samples
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


@pytest.mark.parametrize(("name", "least", "most"), [("resnet8_cifar10", 100.0, 300.0), ("dscnn_kws", 40.0, 60.0)])
def test_float_files_with_int8_weights_are_no_other_network(name: str, least: float, most: float) -> None:
    """DS-CNN's weights are int8 in its float file: LiteRT rounds what they multiply, and that is no wrong import."""
    path = data_path(f"mlperf_tiny/{name}_float.tflite")
    pytest.importorskip("ai_edge_litert")
    graph = octavo.load(path)
    assert isinstance(graph, Graph)
    shape = (4, *graph.types[graph.inputs[0]].shape[1:])
    x = np.random.default_rng(0).uniform(0, 50, shape).astype(np.float32)
    fork = imported(path, graph, Samples({graph.inputs[0]: x}))
    assert fork.passed is True and least < fork.facts["sqnr_db"] < most, fork.answer


def test_a_sound_network_has_nothing_wrong() -> None:
    data_path("cifar10/train.npz")
    arguments, _ = CASES[-1].make(SAMPLES)
    arguments["calibration"] = arguments["calibration"][:40]
    found = octavo.diagnose(**{**arguments, "model": arguments["reference"], "reference": arguments["reference"]})
    assert found.answer.startswith("Nothing is wrong")
    assert {fork.name: fork.passed for fork in found.forks}["reference"] is True
