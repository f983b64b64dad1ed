"""The flow on a small network with batch norms, of which every fault is known."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import octavo
from octavo.diagnosis import Cause, Culprit, Diagnosis, Fork, Remedy
from octavo.diagnosis.original import imported
from octavo.diagnosis.result import SCHEMA
from octavo.ir.graph import Array, Graph
from octavo.num.evenly import evenly
from octavo.ops import Clip, Conv2D
from octavo.pipeline.samples import Samples
from tests.networks.batch_norm import inverted_residual
from tests.networks.torch_networks import network

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md"


@lru_cache(maxsize=1)
def trained() -> tuple[Graph, Array]:
    return inverted_residual(samples=160)


def changed(graph: Graph, place: int, **attributes: Any) -> Graph:
    """The ``place``-th convolution with other attributes."""
    old = [node for node in graph.nodes if isinstance(node.op, Conv2D)][place]
    new = replace(old, op=replace(old.op, **attributes))
    return graph.with_(nodes=tuple(new if node is old else node for node in graph.nodes))


def diagnose(graph: Graph, **choices: Any) -> Diagnosis:
    _, samples = trained()
    return octavo.diagnose(graph, samples[:96], samples[96:], **choices)


def test_nothing_is_wrong_with_a_sound_network() -> None:
    found = diagnose(trained()[0])
    assert found.answer.startswith("Nothing is wrong")
    passed = {fork.name: fork.passed for fork in found.forks}
    assert passed == {
        "imported": None, "preprocessing": True, "statistics": True, "loss": True, "halves": None, "tensor": None,
    }  # fmt: skip


def test_a_lost_activation_is_found_by_batch_norm_alone() -> None:
    """The first convolution's ReLU6 gone: the depthwise layer behind it no longer fits, and with ReLU6 it does."""
    graph = changed(trained()[0], 0, activation=Clip())
    found = diagnose(graph)
    assert found.cause is not None and found.cause.kind == "activation", found.answer
    assert "ReLU6" in found.cause.sentence or "ReLU" in found.cause.sentence
    assert not found.culprits, "nothing behind a wrong float network is measured"


def test_dead_channels_are_found_by_batch_norm_alone() -> None:
    graph, _ = trained()
    node = [node for node in graph.nodes if isinstance(node.op, Conv2D)][1]
    weights = graph.consts[node.inputs[1]].copy()
    weights[:3] = 0
    found = diagnose(graph.with_(consts={**graph.consts, node.inputs[1]: weights}))
    assert found.cause is not None and found.cause.kind == "dead channels"
    assert found.cause.layer == node.name and found.cause.evidence["dead"] >= 2


def test_the_importer_is_judged_by_the_module_itself() -> None:
    module, shape = network("kws")
    graph = octavo.load(module, torch.zeros(1, *shape))
    assert isinstance(graph, Graph)
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    samples = Samples({graph.inputs[0]: x.transpose(graph.layouts[graph.inputs[0]])})
    assert imported(module, graph, samples).passed is True
    name = next(n.inputs[1] for n in graph.nodes if isinstance(n.op, Conv2D))
    wrong = graph.with_(consts={**graph.consts, name: graph.consts[name] * np.float32(1.01)})
    assert imported(module, wrong, samples).passed is False


def test_alone_is_what_a_run_with_that_quantizer_alone_gives() -> None:
    """The pass that runs only what lies behind a node, against whole runs."""
    from octavo.diagnosis.case import Case, divided
    from octavo.diagnosis.score import logits_of, partial, quality_of
    from octavo.diagnosis.sweep import quantizers, sweep
    from octavo.num.formats import FORMATS
    from octavo.pipeline.samples import gather
    from octavo.quant.quantize import Scheme, quantize_graph
    from octavo.targets import load_target

    graph, x = trained()
    samples, _ = gather(graph, x[:64])
    calibration, judge, fresh, _ = divided(graph, samples, gather(graph, x[64:96])[0], None)
    scheme = Scheme(FORMATS["affine"].with_weights("per-tensor", 4))
    quantized = quantize_graph(graph, [x[:64]], scheme)
    case = Case(graph, scheme, load_target("host"), calibration, judge, fresh)
    rows = {row.tensor: row for row in sweep(case, quantized)}
    reference = logits_of(graph, case.logits, judge)
    parts = quantizers(quantized)
    assert {part.tensor for part in parts} == set(rows)
    for part in (parts[0], parts[1], parts[2], parts[-1]):
        alone = quality_of(reference, logits_of(graph, case.logits, judge, partial(quantized, part.names)), None)
        assert rows[part.tensor].alone_db == pytest.approx(alone.sqnr_db, abs=0.01)
    assert sum(row.share for row in rows.values()) == pytest.approx(1.0)


def test_per_tensor_weights_blame_channel_ranges() -> None:
    """A channel of the depthwise layer twenty times the others, under one scale."""
    graph, _ = trained()
    node = next(node for node in graph.nodes if node.kind == "DepthwiseConv2D")
    weights = graph.consts[node.inputs[1]].copy()
    weights[..., 4] *= 60
    bad = graph.with_(consts={**graph.consts, node.inputs[1]: weights}, moments={})
    found = diagnose(bad, granularity="per-tensor", ranges="minmax", weight_ranges="minmax")
    kinds = [cause.kind for cause in found.causes]
    assert "weight channel ranges" in kinds
    cause = found.causes[kinds.index("weight channel ranges")]
    assert node.name in (cause.layer, *cause.also) or node.source in cause.also
    best = next(remedy for remedy in found.remedies if remedy.kind == "per-channel")
    assert best.tried and best.gain_db is not None and best.gain_db > 3


def test_the_document_is_json_and_as_it_is_documented() -> None:
    """Every field is there, nothing is infinite, and docs/diagnosis.md names all fields and kinds."""
    found = diagnose(trained()[0], format=("affine", "int4"), layers={})
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["schema"] == SCHEMA
    assert set(document) == {"schema", *(field.name for field in fields(Diagnosis))}
    text = DOCUMENT.read_text()
    for kind in (Diagnosis, Fork, Culprit, Cause, Remedy):
        for field in fields(kind):
            assert f"`{field.name}`" in text, f"{kind.__name__}.{field.name}"
    for rows, kind in (("forks", Fork), ("culprits", Culprit), ("causes", Cause), ("remedies", Remedy)):
        assert document[rows] and set(document[rows][0]) == {field.name for field in fields(kind)}
    assert len(document["culprits"]) <= 40 and any(row["kind"] == "int4" for row in document["remedies"])
    assert len(document["trace"]) == len(trained()[0].nodes)


def test_causes_have_a_place_in_the_document() -> None:
    text = DOCUMENT.read_text()
    sources = (Path(octavo.diagnosis.__file__).parent / "rules").glob("*.py")
    names = {path.stem for path in sources} - {"__init__", "weighing"}
    assert len(names) == 14 and all(f"rules/{name}.py" in text for name in names)


def test_few_samples_are_said_to_be_few() -> None:
    graph, x = trained()
    found = octavo.diagnose(graph, x[:8])
    assert any("few samples" in note for note in found.notes)
    found = octavo.diagnose(graph, x[:80], samples=10)
    assert found.settings["samples"] == 10 and found.settings["calibration_samples"] == 10
    assert any("held out" in note for note in found.notes)
    assert len(evenly(80, 10)) == 10


def test_refusals() -> None:
    graph, x = trained()
    bad = x[:40].copy()
    bad[3, 0, 0, 0] = np.nan
    for data, choices, said in (
        (bad, {}, "NaN"),
        (x[:40], {"format": ()}, "names none"),
        (x[:40], {"equalization": "auto"}, "cannot be diagnosed"),
        (x[:40], {"format": "int9"}, "unknown"),
        (x[:40], {"samples": 0}, "too few"),
        (x[:40, 1:], {}, "shape"),
        (x[:40], {"layers": {"nowhere": "int8"}}, "none of the network's"),
    ):
        with pytest.raises(octavo.OctavoError, match=said):
            octavo.diagnose(graph, data, **choices)
    with pytest.raises(octavo.OctavoError, match="quantized already"):
        octavo.diagnose(octavo.quantize(graph, x[:40], equalization="none"), x[:40])


@pytest.mark.parametrize(
    ("sqnr", "accuracy", "drop", "low", "lost"),
    [
        (25.0, 0.9, 3.0, 0.5, True),  # more than chance
        (25.0, 0.9, 3.0, -1.0, False),  # as much as chance
        (8.0, 0.9, 3.0, -1.0, True),  # few samples, and poor
        (25.0, 0.9, 0.8, 0.1, False),  # less than a point
        (25.0, None, 4.0, 2.0, True),
        (33.0, None, 4.0, 2.0, False),  # undecided samples flip
        (18.0, None, None, None, True),  # no classes
        (22.0, None, None, None, False),
    ],
)
def test_what_counts_as_a_loss(
    sqnr: float, accuracy: float | None, drop: float | None, low: float | None, lost: bool
) -> None:
    from octavo.diagnosis.forks import loses
    from octavo.diagnosis.score import Quality

    assert loses(Quality(sqnr, 0.9, 0.9, accuracy, drop, low)) is lost
