"""Mixed precision end to end: budgets kept, the same bytes everywhere, and real networks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo import api
from octavo.build import run
from octavo.errors import OctavoError
from octavo.formats.native import read_quantized, write_quantized
from octavo.ir.graph import Graph
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, find_format
from octavo.package import export
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.mixed import assignment_rows, assignments, explore, mixed_quantized, mixed_rungs
from octavo.pipeline.samples import Samples, gather
from octavo.quant.mixed import Budget, choose, node_cost, pareto
from octavo.quant.quantize import Scheme
from octavo.quant.rounding import LeastSquares
from octavo.run.integer_run import integer_run
from octavo.targets import Target, load_target
from tests.exactness.test_formats import data, network

DATA = Path(os.environ.get("OCTAVO_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SCHEME = Scheme(ranges="mse", weight_ranges="mse")
HOST = load_target("host")


def samples(graph: Graph) -> Samples:
    return gather(graph, data(64))[0]


@pytest.mark.parametrize("kind", ["bytes", "mac-bits", "latency"])
def test_a_budget_is_kept_and_more_of_it_is_never_worse(kind: str) -> None:
    graph = network(softmax=True)
    mixture = explore(graph, samples(graph), SCHEME, HOST, ("int8", "int4", "16x8"), kind)
    front = pareto(mixture.sensitivities, mixture.costs)
    noises = [choose(mixture.sensitivities, mixture.costs, entry.cost * 1.02).noise for entry in front]
    assert noises == sorted(noises, reverse=True)
    rows = assignment_rows(mixture, front)
    assert [row[kind] for row in rows] == [entry.cost for entry in front]
    assert all(sum(row["layers"].values()) == 4 for row in rows)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["bytes", "mac-bits"])
@pytest.mark.parametrize("granularity", ["per-channel", "per-group"])
def test_a_plan_costs_what_its_assignment_was_chosen_for(kind: str, granularity: str) -> None:
    """Node by node of the quantized network, Requantizes included, against the sums of the choice."""
    graph = network(softmax=True)
    scheme = replace(SCHEME, format=FORMATS["int4"].with_weights(granularity))
    mixture = explore(graph, samples(graph), scheme, HOST, ("int8", "int4", "16x8", "16x3"), kind)
    seen = set()
    for entry in pareto(mixture.sensitivities, mixture.costs):
        quantized = mixed_quantized(mixture, entry)
        assert sum(node_cost(quantized, node, kind) for node in quantized.graph.nodes) == entry.cost
        seen |= {option.name for option in entry.layers.values()}
    assert len(seen) > 2


def test_rungs_with_a_budget_and_without() -> None:
    graph = network()
    mixture = explore(graph, samples(graph), SCHEME, HOST, ("int8", "int4"))
    (rung,) = mixed_rungs(mixture, assignments(mixture, Budget("bytes", 800)))
    bits = {entry.levels.bits for entry in rung.quantized.plan.qparams.values()}
    assert 4 in bits and "int4" in rung.name and rung.seconds > 0
    assert any(note.startswith("int4: ") for note in rung.quantized.plan.notes)
    climbed = list(mixed_rungs(mixture, assignments(mixture, points=5)))
    assert len(climbed) > 2 and "int8" not in climbed[0].name and "int4" not in climbed[-1].name
    with pytest.raises(OctavoError, match="budget of 100 bytes"):
        assignments(mixture, Budget("bytes", 100))


def test_python_c_and_interpreter_agree(tmp_path: Path) -> None:
    """A network of int4, int8 and int16 layers, written to a folder and run from it."""
    graph = network(softmax=True)
    mixture = explore(graph, samples(graph), SCHEME, HOST, ("int8", "int4", "16x8"), "latency")
    front = pareto(mixture.sensitivities, mixture.costs)
    entry = max(front, key=lambda entry: (len(entry.counts), -abs(len(entry.wide) - 4)))
    quantized = mixed_quantized(mixture, entry)
    assert len({encoding.dtype for encoding in quantized.plan.qparams.values()}) == 2
    model = lower(quantized)
    x = np.random.default_rng(3).integers(-128, 128, (6, 6, 6, 5)).astype(np.int8)
    expected = integer_run(model.graph, {"x": x})[model.graph.outputs[0]].numpy().reshape(6, -1)
    build = export(quantized, tmp_path / "build", target="host")
    got = run(build, x, raw=True).outputs[model.graph.outputs[0]]
    np.testing.assert_array_equal(got.reshape(6, -1), expected)
    pytest.importorskip("tflite_micro")
    from tests.oracles.tflm import run_tflm

    (theirs,) = run_tflm((tmp_path / "build" / "model.tflite").read_bytes(), [x])
    np.testing.assert_array_equal(theirs.reshape(6, -1), expected)
    for name, content in write_quantized(quantized).items():
        (tmp_path / name).write_bytes(content)
    assert lower(read_quantized(tmp_path)).graph.nodes == model.graph.nodes


def test_what_a_target_does_not_have_is_refused() -> None:
    graph = network()
    board = Target("mine", "a board", 10**6, 10**6, formats=("affine", "16x8"))
    with pytest.raises(OctavoError, match="needs the format int4"):
        explore(graph, samples(graph), SCHEME, board, ("int8", "int4"))
    with pytest.raises(OctavoError, match="no executor has both"):
        explore(graph, samples(graph), SCHEME, HOST, ("int8", "float16"))


def test_progress_and_learned_weights() -> None:
    graph, seen = network(), []
    given = samples(graph)
    mixture = explore(
        graph, given, SCHEME, HOST, ("int8", "int4"), rounding=LeastSquares(),
        stage=lambda what, done, total: seen.append((what, done, total)),
    )  # fmt: skip
    assert ("calibrating", 64, 64) in seen and ("rounding to 4 bits", 0, None) in seen
    assert ("measuring layers", len(mixture.graph.nodes), len(mixture.graph.nodes)) in seen
    plain = explore(graph, given, SCHEME, HOST, ("int8", "int4"), observation=mixture.observation)
    before, after = (entry.sensitivities.noise["head"] for entry in (plain, mixture))
    assert before["int8"] == after["int8"] and before["int4"] != after["int4"]


def test_groups_and_powers_of_two_mix_too() -> None:
    graph = network()
    for base in (find_format("int4").with_weights("per-group"), find_format("power-of-two")):
        scheme = Scheme(base, "mse", "mse")
        mixture = explore(graph, samples(graph), scheme, HOST, ("int8", "16x8", "int4"))
        for rung in mixed_rungs(mixture, assignments(mixture, points=3)):
            lower(rung.quantized)


@pytest.mark.slow
@pytest.mark.parametrize("name, error", [("dscnn_kws", 2.5), ("resnet8_cifar10", 4.5)])
def test_real_networks(name: str, error: float) -> None:
    """The expected noise of the logits is near what is measured on samples that nothing has seen."""
    if not (DATA / "mlperf_tiny").is_dir():
        pytest.skip(f"no data at {DATA}")
    from benchmarks.workloads import tiny

    workload = tiny(name, 500)
    whole = api.load(workload.model)
    assert isinstance(whole, Graph)
    graph = whole.with_(nodes=whole.nodes[:-1], outputs=whole.nodes[-1].inputs)
    given, test = gather(graph, workload.calibration)[0], gather(graph, workload.test)[0]
    reference = reference_outputs(graph, test)
    mixture = explore(graph, given, SCHEME, HOST, ("int8", "16x8", "int4"))
    for entry in pareto(mixture.sensitivities, mixture.costs, 5):
        found = measure(mixed_quantized(mixture, entry), test, reference)
        assert found.sqnr_db == pytest.approx(-entry.noise_db, abs=error)
