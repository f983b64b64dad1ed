"""What the module computes is what the integers compute: operators and arrangements one by one."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import octavo
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS
from octavo.ops import Unary
from octavo.run.float_run import float_run, to_graph_layout
from octavo.run.integer_run import integer_run
from octavo.train import Trainable, trainable
from octavo.train.fake import Ends, Rounding, fake_activation
from tests.networks.torch_networks import conv_norm, seeded
from tests.train.test_module import SAMPLE, quantized, train


class Pooled(nn.Module):
    """A layer whose outputs are both sides of zero, then an average pool."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.classifier = conv_norm(3, 6, act=None), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(nn.functional.avg_pool2d(self.layer(x), 2).mean((2, 3)))


class Shared(nn.Module):
    """One layer applied twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.twice, self.classifier = conv_norm(3, 6), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.classifier(torch.relu(self.twice(torch.relu(self.twice(x)))).mean((2, 3)))


class Floored(nn.Module):
    """A maximum with a constant, which shares the layer's encoding."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.classifier = conv_norm(3, 6, act=None), nn.Linear(6, 4)
        self.floor = nn.Parameter(torch.linspace(-1, 1, 6).reshape(1, 6, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.maximum(self.layer(x), self.floor).mean((2, 3)))


class Residual(nn.Module):
    """A sum of two branches, without an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branch, self.classifier = conv_norm(3, 6), conv_norm(6, 6, act=None), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.classifier((x + self.branch(x)).mean((2, 3)))


class Functions(nn.Module):
    """Functions by table: hard-swish, leaky ReLU, a gate of sigmoids, SiLU, tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.second, self.third = (conv_norm(i, 6, act=None) for i in (3, 6, 6))
        self.gate, self.classifier = nn.Conv2d(6, 6, 1), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.hardswish(self.stem(x))
        x = nn.functional.leaky_relu(self.second(x), 0.1) * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.classifier(torch.tanh(nn.functional.silu(self.third(x))).mean((2, 3)))


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(64, *SAMPLE, generator=torch.Generator().manual_seed(6))


def module_of(make: type[nn.Module], samples: torch.Tensor, format: str, **options: object) -> Trainable:
    graph = octavo.load(seeded(make, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    return trainable(quantized(graph, samples, format), **options)  # type: ignore[arg-type]


def check_inside(module: Trainable, q: Quantized, samples: torch.Tensor) -> None:
    """Every value inside, against the integer executor: few elements differ, by a step or two.

    Behind activations of 4 bits a step of theirs is several of 8 bits.
    """
    (name,) = q.graph.inputs
    x = to_graph_layout(q.graph, name, samples.numpy())
    seen: dict[str, torch.Tensor] = {}

    def tap(value: str, tensor: torch.Tensor) -> torch.Tensor:
        seen[value] = module.tap(value, tensor)
        return seen[value]

    with torch.no_grad():
        float_run(module.eval().graph, {name: x}, tap)
    model, made = lower(q), [node.outputs[0] for node in q.graph.nodes]
    integers = integer_run(model.graph.with_(outputs=tuple(made)), {name: q.plan.qparams[name].quantize_input(x)})
    narrow = any(encoding.narrow for encoding in q.plan.qparams.values())
    for node in q.graph.nodes:
        encoding = q.plan.qparams[node.outputs[0]]
        wanted = torch.from_numpy(encoding.dequantize(integers[node.outputs[0]].numpy()))
        differs = (seen[node.outputs[0]] - wanted).abs() / float(encoding.scale[0])
        wide, ends = encoding.dtype == "int16", node.outputs[0] in q.graph.outputs
        behind = narrow and not encoding.narrow
        assert differs.max() < (9 if wide or behind else 2.5), node.kind
        assert wide or (differs > 0.5).float().mean() < (0.06 if ends else 0.03), node.kind


@pytest.mark.parametrize("format", ["affine", "symmetric", "power-of-two", "16x8", "int4", "4x4"])
@pytest.mark.parametrize("make", [Pooled, Shared, Floored, Residual])
def test_before_and_after_training(samples: torch.Tensor, make: type[nn.Module], format: str) -> None:
    module = module_of(make, samples, format, learn_zero_points=format == "affine")
    check_inside(module, module.quantized, samples)
    train(module, samples, 12)
    check_inside(module, module.finish(), samples)


@pytest.mark.parametrize("format", ["affine", "symmetric", "4x4"])
def test_functions_are_looked_up(samples: torch.Tensor, format: str) -> None:
    """Given the integers that they read, functions by table give the device's integers, all of them, and a gradient."""
    module = module_of(Functions, samples, format)
    train(module, samples, 8)
    q = module.eval().finish()
    (name,) = q.graph.inputs
    x = to_graph_layout(q.graph, name, samples.numpy())
    made = tuple(node.outputs[0] for node in q.graph.nodes)
    integers = integer_run(lower(q).graph.with_(outputs=made), {name: q.plan.qparams[name].quantize_input(x)})
    exact = {
        value: torch.from_numpy(q.plan.qparams[value].dequantize(integers[value].numpy())).float() for value in made
    }
    functions = {node.outputs[0]: node.kind for node in q.graph.nodes if isinstance(node.op, Unary)}
    assert {"HardSwish", "LeakyRelu", "Sigmoid", "Silu", "Tanh"} <= set(functions.values())

    def tap(value: str, tensor: torch.Tensor) -> torch.Tensor:
        found = module.tap(value, tensor)
        if value in functions:
            assert found.requires_grad
            step = float(q.plan.qparams[value].scale[0])
            assert float((found - exact[value]).detach().abs().max()) < 0.01 * step, functions[value]
        if value not in exact:
            return found
        forced = found + (exact[value] - found).detach()
        module.lookups.keep(value, forced)
        return forced

    float_run(module.graph, {name: x}, tap)


def test_frozen_layers_round_as_the_others(samples: torch.Tensor) -> None:
    graph = octavo.load(seeded(Residual, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(graph, Graph)
    start = quantized(graph, samples, "int4")
    module = trainable(start, freeze=[start.graph.nodes[0].name])
    train(module, samples, 12)
    check_inside(module, module.finish(), samples)


def test_a_kept_batch_norm_whose_factor_turns_negative(samples: torch.Tensor) -> None:
    module = module_of(Residual, samples, "affine", batch_norm="keep")
    with torch.no_grad():
        for norm in module.norms:
            norm.gamma[::2] *= -1
            norm.gamma[1] = 0
    check_inside(module, module.finish(), samples)


def test_zero_points_learn_and_stay_in_their_integers(samples: torch.Tensor) -> None:
    module = module_of(Residual, samples, "affine", learn_zero_points=True)
    train(module, samples, 40, 2e-2)
    before, after = module.quantized.plan.qparams, module.finish().plan.qparams
    assert any(not np.array_equal(encoding.zero_point, after[name].zero_point) for name, encoding in before.items())
    check_inside(module, module.finish(), samples)


@pytest.mark.parametrize("clip", [False, True])
def test_what_a_clip_cuts_off_moves_no_scale(clip: bool) -> None:
    """Beyond ReLU6's six the value is six, whatever the scale; beyond the dtype's end it grows with the scale."""
    scale = torch.tensor(0.06, requires_grad=True)
    zero = torch.tensor(-60.0, requires_grad=True)
    ends = Ends(-60, 40, True, True) if clip else Ends(-128, 127)
    x = torch.full((1, 50), 30.0)
    fake_activation(x, scale, zero, ends).sum().backward()
    assert float(scale.grad) == pytest.approx(0 if clip else 50 * 187)
    assert float(zero.grad) == pytest.approx(0 if clip else -50 * 0.06)


def test_kernels_round_twice() -> None:
    """2.4375 with two places is first 2.5, then 3; with none it is 2. Ties go away from zero, below it, too."""
    x = torch.tensor([[2.4375, -2.4375, 2.5, -2.5, 0.5]])
    one, zero, ends = torch.tensor(1.0), torch.tensor(0.0), Ends(-128, 127)
    assert fake_activation(x, one, zero, ends).tolist() == [[2, -2, 3, -3, 1]]
    twice = fake_activation(x, one, zero, ends, Rounding(torch.tensor([2.0])))
    assert twice.tolist() == [[3, -3 if math.floor(-2.4375 * 4 + 0.5) == -10 else -2, 3, -3, 1]]
    raw = fake_activation(x, one, torch.tensor(3.0), ends, Rounding(raw=True))
    assert raw.tolist() == [[2, -2, 3, -2, 1]]


def test_it_can_be_copied_and_its_parameters_know_where_they_belong(samples: torch.Tensor) -> None:
    module = module_of(Residual, samples, "affine")
    train(module, samples)
    twin = copy.deepcopy(module)
    assert torch.equal(twin(samples), module(samples))
    fresh = module_of(Residual, samples[:32], "affine")
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(fresh.eval()(samples), module.eval()(samples)), "calibrated on other samples"
    with pytest.raises(OctavoError, match="another network or format"):
        module_of(Residual, samples, "int4").load_state_dict(module.state_dict())


def test_autocast_leaves_it_in_float32(samples: torch.Tensor) -> None:
    module = module_of(Residual, samples, "affine")
    with torch.autocast("cpu", torch.bfloat16):
        found = module(samples)
    assert found.dtype == torch.float32 and torch.equal(found, module(samples))


@pytest.mark.parametrize("allowed", ["highest", "high", "medium"])
def test_low_precision_of_the_process_leaves_it_in_float32(samples: torch.Tensor, allowed: str) -> None:
    module = module_of(Residual, samples, "affine").eval()
    wanted, before = module(samples), torch.get_float32_matmul_precision()
    inside = []

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        backends = torch.backends
        inside.extend(
            place.fp32_precision for place in (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul)
        )
        return Trainable.tap(module, name, value)

    module.tap = tap  # type: ignore[method-assign]
    try:
        torch.set_float32_matmul_precision(allowed)
        assert torch.equal(module(samples), wanted)
        assert set(inside) == {"ieee"}
        assert torch.get_float32_matmul_precision() == allowed and torch.backends.cudnn.allow_tf32
        with pytest.raises(OctavoError):
            module(samples, samples)
        assert torch.get_float32_matmul_precision() == allowed, "after an error, too"
    finally:
        torch.set_float32_matmul_precision(before)


def test_weights_decay_and_nothing_else(samples: torch.Tensor) -> None:
    module = module_of(Residual, samples, "affine")
    weights, others = module.parameter_groups(0.1, 0.5)
    assert {id(p) for p in weights["params"]} == {id(weight.master) for weight in module.trained_weights()}
    assert weights["weight_decay"] == 0.5 and others["weight_decay"] == 0
    assert len(weights["params"]) + len(others["params"]) == sum(p.requires_grad for p in module.parameters())


def test_formats_that_a_kept_batch_norm_would_break(samples: torch.Tensor) -> None:
    for format in ("power-of-two", "log2"):
        with pytest.raises(OctavoError, match="scales are powers of two"):
            module_of(Residual, samples, format, batch_norm="keep")
    assert FORMATS["power-of-two"].weights.granularity == "per-channel"


def test_a_batch_norm_that_is_not_there_cannot_be_kept(samples: torch.Tensor) -> None:
    """As in most ONNX files, which have it folded: nothing would be live, and nobody would be told."""

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.classifier = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(torch.relu(self.layer(x)).mean((2, 3)))

    with pytest.raises(OctavoError, match="no batch norm to keep"):
        module_of(Bare, samples, "affine", batch_norm="keep")
