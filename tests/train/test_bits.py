"""Learned numbers of bits: their gradients, the integers they come to, and where they go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import octavo
import octavo.build
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, Format
from octavo.num.levels import Narrow
from octavo.quant.mixed import Budget, node_cost
from octavo.run.float_run import to_graph_layout
from octavo.run.integer_run import integer_run
from octavo.train import Oscillations, Trainable, trainable
from octavo.train.bits import LearnedBits
from tests.networks.torch_networks import seeded
from tests.train.test_faithful import Shared, check_inside
from tests.train.test_module import SAMPLE, quantized


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(24, *SAMPLE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def start(graph: Graph, samples: torch.Tensor) -> Quantized:
    return quantized(graph, samples)


def cost(q: Quantized, kind: str) -> float:
    return sum(node_cost(q, node, kind) for node in q.graph.nodes)


def between(q: Quantized, kind: str, bits: float) -> Budget:
    """A budget of so many bits a weight, on average, in the layers of the start."""
    low, high = (sum(node_cost(q, node, kind, width) for node in q.graph.nodes) for width in (2, 8))
    return Budget(kind, low + (high - low) * (bits - 2) / 6)


def learning(module: Trainable) -> list[LearnedBits]:
    return [weight.bits for weight in module.trained_weights() if weight.bits is not None]


def set_bits(module: Trainable, bits: float) -> None:
    with torch.no_grad():
        for learned in learning(module):
            learned.offset.fill_(bits - learned.first)


def train(module: Trainable, samples: torch.Tensor, steps: int, settle: int, rate: float = 5e-3) -> None:
    labels = torch.arange(len(samples)) % 4
    optimizer = torch.optim.Adam(module.parameter_groups(rate, bits_rate=0.1))
    module.train()
    for step in range(steps):
        if step == settle:
            module.settle_bits()
        loss = nn.functional.cross_entropy(module(samples), labels) + module.size_penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
@pytest.mark.parametrize("format", ["affine", "power-of-two"])
@pytest.mark.parametrize("bits", [2, 3.3, 5, 7.6, 8])
def test_the_gradient_is_that_of_a_smooth_path(
    graph: Graph, samples: torch.Tensor, format: str, granularity: str, bits: float
) -> None:
    """Rounding errors held in steps, clipped weights at the largest level: y(b) is smooth, and finite differences of it
    in float64 are the gradient."""
    q = quantized(graph, samples, FORMATS[format].with_weights(granularity))
    module = trainable(q, learn_bits=between(q, "bytes", 4))
    set_bits(module, bits)
    whole = round(bits)
    for weight, learned in zip(module.trained_weights(), learning(module), strict=True):
        with torch.no_grad():
            weight.master *= 2
        upstream = torch.randn(weight.master.shape, generator=torch.Generator().manual_seed(2))
        (weight() * upstream).sum().backward()

        scales = learned.scales.double().numpy()
        low, high = max(whole - 1, 2), min(whole + 1, 8)
        slope = np.log(scales[high - 2] / scales[low - 2]) / (high - low)
        w = weight.master.detach().double().numpy()
        ratio = w / scales[whole - 2]
        level = np.clip(np.rint(ratio), -(2 ** (whole - 1) - 1), 2 ** (whole - 1) - 1)
        inside, error = np.abs(ratio) <= 2 ** (whole - 1) - 0.5, level - ratio
        assert not inside.all()

        def path(b: float) -> float:
            scale = scales[whole - 2] * np.exp((b - whole) * slope)  # noqa: B023
            clipped = np.sign(w) * (2 ** (b - 1) - 1) * scale  # noqa: B023
            y = np.where(inside, w + error * scale, clipped)  # noqa: B023
            return float((y * upstream.double().numpy()).sum())  # noqa: B023

        wanted = (path(whole + 1e-4) - path(whole - 1e-4)) / 2e-4
        if (bits == 2 and wanted > 0) or (bits == 8 and wanted < 0):
            wanted = 0.0
        assert learned.offset.grad is not None
        assert float(learned.offset.grad) == pytest.approx(wanted, rel=2e-3, abs=1e-3)


def test_the_penalty_is_the_excess_over_the_budget(start: Quantized) -> None:
    """5 (share - 1.1) far above the budget, nothing within it, and its gradient is what a bit costs."""
    budget = between(start, "bytes", 4)
    module = trainable(start, learn_bits=budget)
    penalty = module.size_penalty()
    assert float(penalty.detach()) == pytest.approx(5 * (cost(start, "bytes") / budget.amount - 1.1), rel=1e-5)
    penalty.backward()  # type: ignore[no-untyped-call]
    for weight, learned in zip(module.trained_weights(), learning(module), strict=True):
        wanted = 5 * weight.master.numel() / 8 / budget.amount
        assert learned.offset.grad is not None and float(learned.offset.grad) == pytest.approx(wanted, rel=1e-5)
    set_bits(module, 3.9)
    assert float(module.size_penalty().detach()) == 0
    set_bits(module, 4.1)
    assert 0 < float(module.size_penalty().detach()) < 0.1


def test_bits_come_back_from_an_end(start: Quantized) -> None:
    module = trainable(start, learn_bits=between(start, "bytes", 4))
    set_bits(module, 9)
    (first, *_) = learning(module)
    assert first.now == 8
    (-first.number()).backward()  # type: ignore[no-untyped-call]
    assert first.offset.grad is not None and float(first.offset.grad) == 0, "further beyond the end"
    first.number().backward()  # type: ignore[no-untyped-call]
    assert float(first.offset.grad) == 1


@pytest.mark.parametrize("format", ["affine", "power-of-two", "16x8"])
@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_so_many_bits_are_what_a_plan_of_as_many_bits_has(
    graph: Graph, samples: torch.Tensor, format: str, bits: int
) -> None:
    q = quantized(graph, samples, format)
    module = trainable(q, learn_bits=between(q, "bytes", 8))
    for learned in learning(module):
        learned.hold(bits)
    found, wanted = module.finish(), quantized(graph, samples, FORMATS[format].with_weights(bits=bits))
    for weight in module.trained_weights():
        assert found.plan.qparams[weight.name] == wanted.plan.qparams[weight.name]
        np.testing.assert_array_equal(found.integers(weight.name), wanted.integers(weight.name))
        assert found.plan.qparams[weight.name].levels == Narrow(bits)


class Branches(nn.Module):
    """Two layers of one shape, of which the head hears one a hundred times as loud as the other."""

    loud = 0

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3, 12, 3, padding=1) for _ in range(2))
        self.head = nn.Linear(24, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([torch.relu(layer(x)).mean((2, 3)) for layer in self.layers], 1))


@pytest.mark.parametrize("loud", [0, 1])
@pytest.mark.parametrize("first", [8, 4])
def test_bits_go_where_they_matter(samples: torch.Tensor, loud: int, first: int) -> None:
    """From 8 bits down and from 4 bits across: the layer that the outputs depend on ends with more of them."""
    network = seeded(Branches, 0, SAMPLE)
    with torch.no_grad():
        quiet = slice(0, 12) if loud else slice(12, 24)
        network.head.weight[:, quiet] *= 0.01
    graph = octavo.load(network, torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    q = quantized(graph, samples, FORMATS["affine"].with_weights(bits=first))
    head = next(node for node in graph.nodes if node.kind == "FullyConnected")
    module = trainable(q, learn_scales=False, learn_bits=between(q, "bytes", 4), keep_bits=[head.name])
    wanted = network(samples).detach()
    optimizer = torch.optim.Adam(module.parameter_groups(2e-3, bits_rate=0.04))
    for _ in range(200):
        loss = 100 * nn.functional.mse_loss(module(samples), wanted) / wanted.var() + module.size_penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    bits = [learned.now for learned in learning(module)]
    assert bits[loud] >= bits[1 - loud] + 2, bits
    assert module.bits()[head.name] == first


@pytest.mark.parametrize("kind", ["bytes", "mac-bits"])
@pytest.mark.parametrize("average", [2.0, 3.1, 4.5, 7.9])
@pytest.mark.parametrize("steps", [0, 3])
def test_the_budget_is_met_and_used(
    start: Quantized, samples: torch.Tensor, kind: str, average: float, steps: int
) -> None:
    """Also where training has hardly begun; no layer could have another bit."""
    budget = between(start, kind, average)
    module = trainable(start, learn_bits=budget)
    train(module, samples, steps, steps)
    assert not module.settled
    found = module.finish()
    assert cost(found, kind) <= budget.amount < cost(start, kind)
    assert not module.settled, "finishing changes nothing"
    for node in found.graph.nodes:
        if module.bits().get(node.name, 8) == 8:
            continue
        bits = found.plan.qparams[node.inputs[1]].levels.bits or 8
        more = node_cost(found, node, kind, bits + 1) - node_cost(found, node, kind, bits)
        assert bits == 8 or cost(found, kind) + more > budget.amount
    note = next(note for note in found.plan.notes if note.startswith("learned bits"))
    assert f"{cost(found, kind):,.0f} of {budget.amount:,.0f} {kind}" in note


def test_what_is_furthest_above_what_was_learned_gives_its_bit(start: Quantized) -> None:
    budget = between(start, "bytes", 4)
    module = trainable(start, learn_bits=budget)
    assert module.budget is not None
    names = list(module.budget.costs)
    learned = dict.fromkeys(names, 4.1) | {names[3]: 3.55}
    assert module.budget.whole(learned)[names[3]] == 4, "the nearest numbers fit"
    learned = dict.fromkeys(names, 4.1) | {names[3]: 4.55}
    settled = module.budget.whole(learned)
    assert settled[names[3]] == 4 and module.budget.cost(settled) <= budget.amount


CASES: list[tuple[Format, str]] = [
    (FORMATS["affine"], "fold"),
    (FORMATS["affine"], "keep"),
    (FORMATS["symmetric"].with_weights("per-tensor"), "fold"),
    (FORMATS["power-of-two"], "fold"),
    (FORMATS["16x8"], "fold"),
    (FORMATS["int4"], "keep"),
]


@pytest.mark.parametrize(("format", "batch_norm"), CASES, ids=[f"{f.name} {norm}" for f, norm in CASES])
def test_what_it_computes_is_what_the_integers_compute(graph: Graph, format: Format, batch_norm: str) -> None:
    samples = torch.randn(24, *SAMPLE, generator=torch.Generator().manual_seed(6))
    q = quantized(graph, samples, format)
    budget = between(q, "bytes", 4.3)
    module = trainable(q, batch_norm, learn_bits=budget)
    check_inside(module, q, samples)
    train(module, samples, 40, 25)
    found = module.finish()
    check_inside(module, found, samples)
    assert cost(found, "bytes") <= budget.amount
    assert module.bits() == {
        node.name: found.plan.qparams[node.inputs[1]].levels.bits for node in graph.nodes if node.name in module.bits()
    }
    if format.name == "power-of-two":
        assert all(np.all(np.frexp(encoding.scale)[0] == 0.5) for encoding in found.plan.qparams.values())


def test_the_compiled_network_is_the_same_and_packs_four_bits(
    graph: Graph, start: Quantized, samples: torch.Tensor, tmp_path: Path
) -> None:
    module = trainable(start, learn_bits=between(start, "bytes", 4.5))
    train(module, samples, 30, 15)
    found = module.finish()
    assert len({*module.bits().values()}) > 1
    build = octavo.export(found, tmp_path / "build", target="cortex-m4")
    result = next(iter(octavo.build.run(build, samples.numpy()).outputs.values()))
    (name,), (output,) = found.graph.inputs, found.graph.outputs
    x = to_graph_layout(found.graph, name, samples.numpy())
    (integers,) = integer_run(lower(found).graph, {name: found.plan.qparams[name].quantize_input(x)}).values()
    np.testing.assert_allclose(result, found.plan.qparams[output].dequantize(integers.numpy()), rtol=1e-6)
    kernels = {layer["name"]: layer["kernel"] for layer in build.manifest["layers"]}
    small = [node.name for node in graph.nodes if node.kind == "Conv2D" and module.bits()[node.name] <= 4]
    large = [node.name for node in graph.nodes if node.kind == "Conv2D" and module.bits()[node.name] > 4]
    assert small and large
    assert all("w4" in kernels[name] for name in small) and not any("w4" in kernels[name] for name in large)


def test_settled_bits_stay_and_weights_go_on(start: Quantized, samples: torch.Tensor) -> None:
    module = trainable(start, learn_bits=between(start, "bytes", 4))
    train(module, samples, 10, 9)
    bits, before = module.bits(), module.finish()
    train(module, samples, 5, 0)
    after = module.finish()
    assert module.settled and module.bits() == bits
    assert any(not np.array_equal(before.integers(w.name), after.integers(w.name)) for w in module.trained_weights())
    assert float(module.size_penalty().detach()) == 0


def test_its_state_says_how_many_bits(start: Quantized, samples: torch.Tensor) -> None:
    budget = between(start, "bytes", 4)
    for settle in (5, 10):
        module = trainable(start, learn_bits=budget)
        train(module, samples, 10, settle)
        fresh = trainable(start, learn_bits=budget)
        fresh.load_state_dict(module.state_dict())
        assert fresh.bits() == module.bits() and fresh.settled == module.settled
        assert torch.equal(fresh.eval()(samples), module.eval()(samples))
        assert fresh.finish().plan.notes == module.finish().plan.notes


def test_oscillations_begin_anew_with_other_bits(start: Quantized) -> None:
    """Integers of 8 and of 4 bits cannot be compared: no weight has turned because its layer lost bits."""
    module = trainable(start, learn_bits=between(start, "bytes", 4))
    watched = Oscillations(module, freeze=1e-6)
    for bits in (4, 8, 4, 8):
        set_bits(module, bits)
        watched.update(module)
    assert watched.shares() == [0.0] * 5 and watched.frozen() == [0.0] * 5


def test_what_is_refused(graph: Graph, start: Quantized, samples: torch.Tensor) -> None:
    budget = between(start, "bytes", 4)
    linear = [node.name for node in graph.nodes if "weight" in dir(node.op) and node.op.weight is not None]  # type: ignore[attr-defined]
    with pytest.raises(OctavoError, match=r"latency: cannot be learned.*mac-bits"):
        trainable(start, learn_bits=Budget("latency", 1e6))
    with pytest.raises(OctavoError, match="that 2 bits take"):
        trainable(start, learn_bits=Budget("bytes", between(start, "bytes", 2).amount - 1))
    with pytest.raises(OctavoError, match="keep_bits nowhere"):
        trainable(start, learn_bits=budget, keep_bits=["nowhere"])
    with pytest.raises(OctavoError, match="no layer left whose bits"):
        trainable(start, learn_bits=budget, keep_bits=linear)
    with pytest.raises(OctavoError, match="has no effect"):
        trainable(start, keep_bits=linear[:1])
    for format, words in (
        (FORMATS["log2"], "log2.*uniform weights"),
        (FORMATS["int4"].with_weights("per-group"), "per-group.*per channel"),
    ):
        q = quantized(graph, samples, format)
        with pytest.raises(OctavoError, match=words):
            trainable(q, learn_bits=budget)


def test_a_weight_of_two_layers_has_one_number_of_bits(samples: torch.Tensor) -> None:
    """It costs in each of them; what one of them keeps, both keep."""
    graph = octavo.load(seeded(Shared, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    q = quantized(graph, samples)
    twice = [node.name for node in graph.nodes if node.kind == "Conv2D"][1:]
    budget = between(q, "bytes", 3.5)
    module = trainable(q, learn_bits=budget)
    train(module, samples, 12, 6)
    bits = module.bits()
    assert len(learning(module)) == len(bits) - 1 and bits[twice[0]] == bits[twice[1]] < 8
    assert cost(module.finish(), "bytes") <= budget.amount
    kept = trainable(q, learn_bits=between(q, "bytes", 7), keep_bits=twice[:1])
    assert len(learning(kept)) == len(learning(module)) - 1


def test_frozen_and_kept_layers_have_the_bits_they_had(start: Quantized, samples: torch.Tensor) -> None:
    """Nothing is kept that is not named: first and last layer learn as the others do."""
    linear = list(trainable(start).bits())
    assert len(learning(trainable(start, learn_bits=between(start, "bytes", 4)))) == len(linear) == 5
    module = trainable(start, freeze=[linear[0]], learn_bits=between(start, "bytes", 4), keep_bits=[linear[-1]])
    train(module, samples, 12, 6)
    bits = module.bits()
    assert bits[linear[0]] == bits[linear[-1]] == 8 and min(bits[name] for name in linear[1:-1]) < 8
