"""The training loop: it learns, it can be interrupted anywhere, and it tells what it did."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.num.formats import FORMATS
from octavo.run.float_run import float_run, to_graph_layout
from octavo.train import Finetuned, Recipe, finetune
from octavo.train import history as telling
from octavo.train import loop as training
from tests.train.test_module import SAMPLE, in_integers, quantized

RECIPE = Recipe(epochs=3, batch=8, rate=1e-2)


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(40, *SAMPLE, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def start(graph: Graph, samples: torch.Tensor) -> Quantized:
    return quantized(graph, samples, "int4")


def inputs(graph: Graph, samples: torch.Tensor) -> dict[str, np.ndarray]:
    (name,) = graph.inputs
    return {name: to_graph_layout(graph, name, samples.numpy())}


def same(a: Quantized, b: Quantized) -> bool:
    plans = (a.plan, b.plan)
    arrays = [{**plan.integers, **plan.biases} for plan in plans]
    return dict(plans[0].qparams) == dict(plans[1].qparams) and all(
        np.array_equal(array, arrays[1][name]) for name, array in arrays[0].items()
    )


def test_labels_are_learned_and_the_best_epoch_is_kept(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    labels = np.arange(40) % 4

    def accuracy(q: Quantized) -> float:
        return float((in_integers(q, samples).argmax(1).numpy() == labels).mean())

    done = finetune(start, inputs(graph, samples), labels, recipe=replace(RECIPE, epochs=6), judge=accuracy)
    scores = [done.start, *(epoch.score for epoch in done.epochs)]
    assert done.start == accuracy(start) and max(scores) > done.start + 0.1
    assert scores[done.best] == max(scores) and accuracy(done.quantized) == max(scores)
    assert done.epochs[-1].loss < done.epochs[0].loss


def test_a_teacher_needs_no_labels(graph: Graph, samples: torch.Tensor) -> None:
    """2-bit weights come nearer to the float network, by its outputs alone and by what is inside, too.

    Classes do not change when all logits move by one number.
    """
    start = quantized(graph, samples, FORMATS["int4"].with_weights(bits=2))
    (wanted,) = float_run(graph, inputs(graph, samples)).values()

    def nearness(q: Quantized) -> float:
        error = in_integers(q, samples) - wanted
        return -float((error - error.mean(1, keepdim=True)).square().mean())

    for features in (0.0, 0.003):
        recipe = replace(RECIPE, epochs=8, rate=1e-2, features=features)
        done = finetune(start, inputs(graph, samples), teacher=graph, recipe=recipe, judge=nearness)
        assert nearness(done.quantized) > 0.7 * nearness(start)


def in_full(done: Finetuned) -> list[np.ndarray]:
    history = done.history
    return [np.array(rows) for rows in (history.losses, history.by_layer, history.by_group, history.open)]


@pytest.mark.parametrize("batch_norm", ["fold", "keep"])
@pytest.mark.parametrize("stop", [3, 5, 11])
def test_interrupted_anywhere_and_resumed_it_is_the_same(
    tmp_path: Path, graph: Graph, start: Quantized, samples: torch.Tensor, batch_norm: str, stop: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    # Windows of two of the 15 steps: the last stays open, others are interrupted.
    monkeypatch.setattr(telling, "LOSSES", 8)
    labels, recipe = np.arange(40) % 4, replace(RECIPE, batch_norm=batch_norm, hold_oscillating=0.005, freeze_after=9)
    given = (start, inputs(graph, samples), labels)

    def judge(q: Quantized) -> float:
        return -float(in_integers(q, samples[:8]).square().mean())

    whole = finetune(*given, recipe=recipe, judge=judge)

    def interrupt(step: int, steps: int, loss: float) -> None:
        assert steps == 15
        if step == stop:
            raise KeyboardInterrupt

    file = tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        finetune(*given, recipe=recipe, judge=judge, progress=interrupt, checkpoint=file)
    assert file.is_file()
    seen: list[int] = []
    resumed = finetune(*given, recipe=recipe, judge=judge, progress=lambda step, *_: seen.append(step), checkpoint=file)
    assert seen[0] > 1, "it began anew"
    assert same(resumed.quantized, whole.quantized)
    assert [e.loss for e in resumed.epochs] == [e.loss for e in whole.epochs]
    assert [e.score for e in resumed.epochs] == [e.score for e in whole.epochs]
    assert resumed.history.row(graph, recipe) == whole.history.row(graph, recipe)
    for resumed_rows, rows in zip(in_full(resumed), in_full(whole), strict=True):
        assert np.array_equal(resumed_rows, rows), "six digits are alike, and the others are not"
    with pytest.raises(OctavoError, match="another model, other data or other settings"):
        finetune(*given, recipe=replace(recipe, seed=1), checkpoint=file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(OctavoError, match="checkpoint"):
        finetune(*given, recipe=recipe, checkpoint=file)


def test_it_stops_when_nothing_is_gained(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    recipe = replace(RECIPE, epochs=9, patience=2)
    done = finetune(start, inputs(graph, samples), np.arange(40) % 4, recipe=recipe, judge=lambda q: 0.0)
    assert len(done.epochs) == 2 and done.best == 0 and done.quantized is start


def test_the_last_epoch_counts_without_a_judge(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    done = finetune(start, inputs(graph, samples), np.arange(40) % 4, recipe=replace(RECIPE, epochs=1))
    assert done.best == 1 and math.isnan(done.start) and not same(done.quantized, start)


def test_what_cannot_be_trained(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    given = inputs(graph, samples)
    with pytest.raises(OctavoError, match="nothing to learn from"):
        finetune(start, given)
    with pytest.raises(OctavoError, match="the loss is nan"):
        broken = {name: np.where(np.arange(40)[:, None, None, None] == 7, np.nan, x) for name, x in given.items()}
        finetune(start, {name: x.astype(np.float32) for name, x in broken.items()}, np.arange(40) % 4, recipe=RECIPE)
    with pytest.raises(OctavoError, match="epochs 0"):
        Recipe(epochs=0)
    with pytest.raises(OctavoError, match="rate nan"):
        Recipe(rate=math.nan)
