"""Training modules: they start and end in the integers, and what they compute is what the integers compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import octavo
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, Format
from octavo.run.float_run import to_graph_layout
from octavo.run.integer_run import integer_run
from octavo.train import Trainable, trainable
from tests.networks.torch_networks import conv_norm, seeded

SAMPLE = (3, 12, 10)
CASES: list[tuple[str, Format]] = [
    ("affine", FORMATS["affine"]),
    ("affine per-tensor", FORMATS["affine"].with_weights("per-tensor")),
    ("symmetric", FORMATS["symmetric"]),
    ("power-of-two per-tensor", FORMATS["power-of-two"].with_weights("per-tensor")),
    ("16x8", FORMATS["16x8"]),
    ("int4", FORMATS["int4"]),
    ("int4 per-group", FORMATS["int4"].with_weights("per-group")),
    ("log2", FORMATS["log2"]),
]


class Net(nn.Module):
    """Plain, depthwise and residual convolutions, a pool and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_norm(3, 8, act=nn.ReLU6)
        self.filter = conv_norm(8, 8, groups=8)
        self.mix = conv_norm(8, 8, 1, act=None)
        self.down = conv_norm(8, 12, 3, 2)
        self.classifier = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.mix(self.filter(x))
        return self.classifier(self.down(x).mean((2, 3)))


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(24, *SAMPLE, generator=torch.Generator().manual_seed(1))


def quantized(graph: Graph, samples: torch.Tensor, format: str | Format = "affine") -> Quantized:
    return octavo.quantize(graph, samples.numpy(), "host", format, equalization="none")


def in_steps(found: torch.Tensor, q: Quantized) -> torch.Tensor:
    """Values of the network's output in steps of its scale."""
    return found / float(q.plan.qparams[q.graph.outputs[0]].scale[0])


def in_integers(q: Quantized, samples: torch.Tensor) -> torch.Tensor:
    """What the integer executor gives, as real numbers."""
    (name,) = q.graph.inputs
    x = to_graph_layout(q.graph, name, samples.numpy())
    (found,) = integer_run(lower(q).graph, {name: q.plan.qparams[name].quantize_input(x)}).values()
    return torch.from_numpy(q.plan.qparams[q.graph.outputs[0]].dequantize(found.numpy()))


def check_faithful(module: Trainable, q: Quantized, samples: torch.Tensor, wide: bool) -> torch.Tensor:
    """The module's outputs, which are the integer network's: float sums decide ties otherwise, now and then."""
    with torch.no_grad():
        found = module.eval()(samples)
    differs = in_steps(found - in_integers(q, samples), q).abs()
    assert differs.max() < (8 if wide else 1.5)
    assert wide or (differs > 0.5).float().mean() < 0.03
    return found


def train(module: Trainable, samples: torch.Tensor, steps: int = 5, rate: float = 1e-2) -> list[float]:
    labels = torch.arange(len(samples)) % 4
    optimizer = torch.optim.Adam(module.parameter_groups(rate))
    losses = []
    module.train()
    for _ in range(steps):
        loss = nn.functional.cross_entropy(module(samples), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize(("name", "format"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.parametrize("batch_norm", ["fold", "keep"])
def test_it_starts_and_ends_in_the_integers(
    graph: Graph, samples: torch.Tensor, name: str, format: Format, batch_norm: str
) -> None:
    start = quantized(graph, samples, format)
    if batch_norm == "keep" and ("per-tensor" in name or name == "log2"):
        with pytest.raises(OctavoError, match="rescales every channel"):
            trainable(start, batch_norm)
        return
    module = trainable(start, batch_norm)
    before = check_faithful(module, start, samples, name == "16x8")
    same = module.finish()
    for weight in module.trained_weights():
        np.testing.assert_array_equal(same.integers(weight.name), start.integers(weight.name))

    losses = train(module, samples)
    assert losses[-1] < losses[0]
    end = module.finish()
    after = check_faithful(module, end, samples, name == "16x8")
    assert in_steps(after - before, end).abs().max() > 2, "training changed nothing"
    if "power-of-two" in format.name:
        scales = [e.scale for e in end.plan.qparams.values()]
        assert all(np.all(np.frexp(scale)[0] == 0.5) for scale in scales)


def test_small_gradients_add_up_in_the_master_and_nowhere_else(graph: Graph, samples: torch.Tensor) -> None:
    """A step far below a level's width: the float copy keeps it, weights that are levels forget it."""
    start = quantized(graph, samples, "int4")
    gains = {}
    for forget in (False, True):
        module = trainable(start, learn_scales=False)
        for bias in module.biases:
            bias.requires_grad_(False)
        optimizer = torch.optim.SGD([weight.master for weight in module.trained_weights()], lr=0.02)
        labels, losses = torch.arange(len(samples)) % 4, []
        for _ in range(60):
            loss = nn.functional.cross_entropy(module(samples), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if forget:
                with torch.no_grad():
                    for weight in module.trained_weights():
                        weight.master.copy_(weight())
        gains[forget] = losses[0] - losses[-1]
    assert gains[False] > 0.1 and gains[True] < 0.2 * gains[False]


def test_scales_learn_and_can_be_held(graph: Graph, samples: torch.Tensor) -> None:
    start = quantized(graph, samples)
    held = trainable(start, learn_scales=False)
    train(held, samples)
    after = held.finish().plan.qparams
    assert all(np.array_equal(after[name].scale, encoding.scale) for name, encoding in start.plan.qparams.items())
    free = trainable(start, learn_zero_points=True)
    train(free, samples, 20)
    plan = free.finish().plan
    changed = [name for name, e in start.plan.qparams.items() if not np.array_equal(plan.qparams[name].scale, e.scale)]
    assert len(changed) > len(start.graph.nodes)


def test_frozen_layers_stay(graph: Graph, samples: torch.Tensor) -> None:
    start = quantized(graph, samples)
    layer = start.graph.nodes[0]
    module = trainable(start, freeze=[layer.source or layer.name])
    assert module.frozen == {layer.name: "frozen as wished"}
    train(module, samples)
    np.testing.assert_array_equal(module.finish().integers(layer.inputs[1]), start.integers(layer.inputs[1]))
    with pytest.raises(OctavoError, match="no layer of the network"):
        trainable(start, freeze=["nowhere"])
    with pytest.raises(OctavoError, match="no layer left to train"):
        trainable(start, freeze=[node.name for node in start.graph.nodes])


class Normalised(nn.Module):
    """(x - mean) / deviation as a batch norm that cannot fold, for the padding of the convolution stands between."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.layer = conv_norm(3, 6)
        self.classifier = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.layer(self.norm(x)).mean((2, 3)))


def test_what_normalises_the_input_is_frozen(samples: torch.Tensor) -> None:
    graph = octavo.load(seeded(Normalised, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    start = quantized(graph, samples)
    module = trainable(start)
    ((name, reason),) = module.frozen.items()
    assert name == start.graph.nodes[0].name and "normalises the network's input" in reason
    train(module, samples)
    weights = start.graph.nodes[0].inputs[1]
    np.testing.assert_array_equal(module.finish().integers(weights), start.integers(weights))


def test_kept_batch_norms_follow_the_batches_until_they_are_frozen(graph: Graph, samples: torch.Tensor) -> None:
    module = trainable(quantized(graph, samples), "keep").train()
    norm = module._live_norm(next(iter(module._norm)))
    before = norm.mean.clone()
    module(samples + 3)
    moved = norm.mean.clone()
    assert not torch.allclose(before, moved)
    module.freeze_batch_norm()
    module(samples - 3)
    assert torch.equal(norm.mean, moved)


def test_wrong_arguments(graph: Graph, samples: torch.Tensor) -> None:
    with pytest.raises(OctavoError, match="Quantize the network first"):
        trainable(graph)  # type: ignore[arg-type]
    with pytest.raises(OctavoError, match="batch_norm both"):
        trainable(quantized(graph, samples), "both")
    with pytest.raises(OctavoError, match="got 2 inputs"):
        trainable(quantized(graph, samples))(samples, samples)
