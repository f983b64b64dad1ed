"""What is remembered of training: losses in windows, scales and oscillations layer by layer, in bounded space."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import octavo
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.quant.place import place
from octavo.train import Recipe, finetune
from octavo.train.history import EPOCHS, LOSSES, History
from octavo.train.module import trainable
from octavo.train.oscillation import Oscillations
from tests.networks.torch_networks import seeded
from tests.train.test_loop import inputs
from tests.train.test_module import SAMPLE, Net, quantized

RECIPE = Recipe(epochs=4, batch=8, rate=1e-2)


@pytest.fixture(scope="module")
def start() -> tuple[Graph, Quantized, torch.Tensor]:
    graph = octavo.load(seeded(Net, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    samples = torch.randn(40, *SAMPLE, generator=torch.Generator().manual_seed(2))
    return graph, quantized(graph, samples, "int4"), samples


def test_it_tells_what_the_loop_and_the_encodings_did(start: tuple[Graph, Quantized, torch.Tensor]) -> None:
    graph, begun, samples = start
    losses: list[float] = []
    done = finetune(
        begun, inputs(graph, samples), np.arange(40) % 4, recipe=replace(RECIPE, hold_oscillating=0.005),
        progress=lambda step, steps, mean: losses.append(mean * (1 + (step - 1) % 5)),
    )  # fmt: skip
    told = done.history.row(graph, RECIPE)
    # Progress tells the mean since the epoch began: differences of its sums are the losses.
    each = np.diff(np.array(losses).reshape(4, 5), prepend=0.0).reshape(-1)
    assert told["steps"] == list(range(1, 21)) and told["steps_each_epoch"] == 5 and told["epochs"] == [1, 2, 3, 4]
    assert np.allclose(told["loss"], each, rtol=1e-5)
    assert max(told["rate"]) <= 1e-2 and told["rate"][-1] < told["rate"][3]
    # The last epoch is the one that is kept without a judge: its plan has the encodings that the last row tells.
    for row, node in zip(told["layers"], [n for n in graph.nodes if getattr(n.op, "bias", None)], strict=True):
        weight = node.inputs[node.op.weight]
        factor = done.quantized.plan.qparams[weight].scale / begun.plan.qparams[weight].scale
        assert row["layer"] == (node.source or node.name)
        assert math.isclose(row["scale"][-1], np.exp(np.log(factor).mean()), rel_tol=1e-5)
        assert math.isclose(row["scale_min"][-1], factor.min(), rel_tol=1e-5)
        assert math.isclose(row["scale_max"][-1], factor.max(), rel_tol=1e-5)
        assert all(0 <= share <= 1 for share in (*row["oscillating"], *row["held"]))
    assert any(row["held"][-1] for row in told["layers"])
    assert len(told["activations"]) == len(set(place(begun.graph).groups.values()))
    for row in told["activations"]:
        name = row["value"]
        factor = done.quantized.plan.qparams[name].scale[0] / begun.plan.qparams[name].scale[0]
        assert math.isclose(row["scale"][-1], factor, rel_tol=1e-5)


def test_a_long_run_takes_no_more_room(start: tuple[Graph, Quantized, torch.Tensor]) -> None:
    graph, begun, _ = start
    module = trainable(begun)
    oscillations = Oscillations(module)
    each, epochs = 7, 1001
    history = History.of(module, each, epochs)
    for epoch in range(epochs):
        for step in range(each):
            history.add_loss(float(epoch * each + step))
        if epoch < 3:
            history.add_epoch(module, oscillations)
    history.by_layer *= 500
    history.by_group *= 500
    told = history.row(graph, replace(RECIPE, epochs=epochs))
    assert LOSSES // 2 < len(told["loss"]) == len(told["rate"]) <= LOSSES
    assert told["steps"][-1] == each * epochs and told["steps"] == sorted(set(told["steps"]))
    middle = history.window / 2 - 0.5
    assert told["loss"][0] == middle and math.isclose(told["loss"][1], middle + history.window)
    assert EPOCHS // 2 < len(told["epochs"]) <= EPOCHS and told["epochs"][-1] == 1500
    assert len(json.dumps(told)) < 40_000


def test_before_the_first_epoch_there_is_nothing_to_tell(start: tuple[Graph, Quantized, torch.Tensor]) -> None:
    graph, begun, _ = start
    told = History.of(trainable(begun), 5, 3).row(graph, RECIPE)
    assert told["loss"] == told["epochs"] == [] and all(row["scale"] == [] for row in told["layers"])
