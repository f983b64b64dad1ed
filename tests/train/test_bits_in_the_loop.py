"""The training loop with learned bits: within the budget whatever is judged best, and resumed as if never stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import octavo
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.quant.mixed import Budget
from octavo.train import Recipe, finetune
from octavo.train import loop as training
from tests.train.test_bits import between, cost
from tests.train.test_loop import inputs, same
from tests.train.test_module import SAMPLE, in_integers, quantized

LABELS = np.arange(40) % 4


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(40, *SAMPLE, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def start(graph: Graph, samples: torch.Tensor) -> Quantized:
    return quantized(graph, samples)


def recipe(budget: Budget, **changes: object) -> Recipe:
    settings = Recipe(epochs=3, batch=8, rate=1e-2, learn_bits=budget)
    return replace(settings, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("stop", [3, 9, 11])
def test_interrupted_anywhere_and_resumed_it_is_the_same(
    tmp_path: Path, graph: Graph, start: Quantized, samples: torch.Tensor, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the bits are settled; the best network, of other bits than the start, is in the file."""
    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    settings = recipe(between(start, "bytes", 4), hold_oscillating=0.005)
    given = (start, inputs(graph, samples), LABELS)
    scores = iter([9.0, 2.0, 1.0, 0.0] * 3)

    def judge(q: Quantized) -> float:
        return next(scores)

    whole = finetune(*given, recipe=settings, judge=judge)
    scores = iter([9.0, 2.0, 1.0, 0.0] * 3)

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == stop:
            raise KeyboardInterrupt

    file = tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        finetune(*given, recipe=settings, judge=judge, progress=interrupt, checkpoint=file)
    again = finetune(*given, recipe=settings, judge=judge, checkpoint=file)
    assert whole.best == again.best == 1 and same(whole.quantized, again.quantized)
    assert whole.quantized.plan.notes == again.quantized.plan.notes
    assert any((e.levels.bits or 8) < 8 for e in again.quantized.plan.qparams.values())
    assert [epoch.loss for epoch in whole.epochs] == [epoch.loss for epoch in again.epochs]
    other = replace(settings, learn_bits=between(start, "bytes", 5))
    with pytest.raises(OctavoError, match="other settings"):
        finetune(*given, recipe=other, judge=judge, checkpoint=file)


@pytest.mark.parametrize("patience", [None, 1])
def test_a_start_over_the_budget_is_never_the_best(
    graph: Graph, start: Quantized, samples: torch.Tensor, patience: int | None
) -> None:
    """Its score is told. Patience waits until the bits are settled, half-way through the second epoch."""
    budget = between(start, "bytes", 4)
    scores = iter([1.0, 0.3, 0.2, 0.1])
    done = finetune(
        start, inputs(graph, samples), LABELS, recipe=recipe(budget, patience=patience), judge=lambda q: next(scores)
    )
    assert done.start == 1.0 and done.best == 1 and len(done.epochs) == (3 if patience is None else 2)
    assert cost(done.quantized, "bytes") <= budget.amount < cost(start, "bytes")


def test_a_start_within_the_budget_may_stay(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    scores = iter([1.0, 0.3, 0.2, 0.1])
    settings = recipe(between(start, "bytes", 8))
    done = finetune(start, inputs(graph, samples), LABELS, recipe=settings, judge=lambda q: next(scores))
    assert done.best == 0 and same(done.quantized, start)


def test_it_learns_with_fewer_bits(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    def accuracy(q: Quantized) -> float:
        return float((in_integers(q, samples).argmax(1).numpy() == LABELS).mean())

    budget = between(start, "mac-bits", 3.5)
    settings = recipe(budget, epochs=20, settle=0.4)
    done = finetune(start, inputs(graph, samples), LABELS, recipe=settings, judge=accuracy)
    assert cost(done.quantized, "mac-bits") <= budget.amount
    assert accuracy(done.quantized) > done.start + 0.2
    with pytest.raises(OctavoError, match="settle 1"):
        recipe(budget, settle=1.0)


def test_a_target_without_int4_is_refused(
    graph: Graph, start: Quantized, samples: torch.Tensor, tmp_path: Path
) -> None:
    text = Path(octavo.__file__).parent.joinpath("targets", "cortex-m3.toml").read_text()
    custom = tmp_path / "plain.toml"
    custom.write_text(text.replace('"int4", ', ""))
    settings = recipe(between(start, "bytes", 4), epochs=1)
    with pytest.raises(OctavoError, match="needs the format int4, which the target does not have"):
        octavo.finetune(start, samples.numpy(), LABELS, samples.numpy(), recipe=settings, target=str(custom))
    done = octavo.finetune(start, samples.numpy(), LABELS, samples.numpy(), LABELS, recipe=settings)
    assert any(note.startswith("learned bits") for note in done.plan.notes)
