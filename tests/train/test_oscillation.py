"""Weights that flip: counted as the paper counts, held, and pulled to the middle of their levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import octavo
from octavo.train import Oscillations, Trainable, dampening, trainable
from tests.networks.torch_networks import seeded
from tests.train.test_module import SAMPLE, Net, quantized


@pytest.fixture
def module() -> Trainable:
    graph = octavo.load(seeded(Net, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    return trainable(quantized(graph, torch.randn(24, *SAMPLE, generator=torch.Generator().manual_seed(4)), "int4"))


def flip(module: Trainable, step: int) -> None:
    """Moves the first weight of the first layer to and fro between levels 1 and 2; at 2 it is two times of three."""
    weight = next(module.trained_weights())
    with torch.no_grad():
        weight.master.view(-1)[0] = (1.0 if step % 3 == 0 else 2.0) * weight.scale().view(-1)[0]


def test_frequencies_are_those_of_the_paper(module: Trainable) -> None:
    watch = Oscillations(module)
    weight = next(module.trained_weights())
    last, direction, frequency = float(weight.integers().view(-1)[0]), 0.0, 0.0
    for step in range(60):
        flip(module, step)
        watch.update(module)
        now = float(weight.integers().view(-1)[0])
        moved = np.sign(now - last)
        frequency += 0.01 * (float(moved * direction < 0) - frequency)
        direction = moved or direction
        last = now
    frequencies = watch.layers[0].frequency.view(-1)
    assert float(frequencies[0]) == pytest.approx(frequency, rel=1e-4) and frequency > 0.2
    assert float(frequencies[1:].abs().max()) == 0
    assert watch.shares()[0] == pytest.approx(1 / frequencies.numel()) and watch.shares()[1:] == [0] * (
        len(watch.layers) - 1
    )


def test_a_weight_is_held_where_it_was_most(module: Trainable) -> None:
    watch = Oscillations(module, freeze=0.02)
    weight = next(module.trained_weights())
    for step in range(200):
        if not watch.layers[0].frozen.view(-1)[0]:
            flip(module, step)
        watch.update(module)
    assert watch.frozen()[0] == pytest.approx(1 / weight.master.numel())
    held = float(weight.integers().view(-1)[0])
    with torch.no_grad():
        weight.master.add_(3 * weight.scale())
    watch.update(module)
    assert float(weight.integers().view(-1)[0]) == held


def test_dampening_pulls_weights_to_their_levels(module: Trainable) -> None:
    weights = list(module.trained_weights())

    def distance() -> float:
        ratios = [weight.master / weight.scale() for weight in weights]
        return sum(
            float(((ratio - weight.nearest(ratio)).square() * (ratio.abs() < 7.5)).sum())
            for ratio, weight in zip(ratios, weights, strict=True)
        )

    first = distance()
    assert float(dampening(module).detach()) == pytest.approx(first, rel=1e-4)
    optimizer = torch.optim.SGD([weight.master for weight in weights], lr=1e-4)
    before = [weight.integers() for weight in weights]
    for _ in range(20):
        optimizer.zero_grad()
        dampening(module).backward()
        optimizer.step()
    assert distance() < first
    assert all(torch.equal(a, weight.integers()) for a, weight in zip(before, weights, strict=True))
