"""Learned rounding block by block: rounding, biases and activation scales that keep a block's output.

Each weight is rounded up or down (Nagel et al. 2020, AdaRound), the layers of a block together (Li et al. 2021,
BRECQ), with activations quantized at random (Wei et al. 2022, QDrop) and their scales learned (Esser et al. 2020, LSQ).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.extract import extract
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.quant.lockstep import Lockstep, fitting, kept_constant, memory_note
from octavo.quant.observe import Batch, as_inputs
from octavo.quant.rounding.blocks import Block, partition
from octavo.quant.rounding.checkpoint import Checkpoint
from octavo.quant.rounding.relaxed import RELAXATIONS, Relaxed
from octavo.quant.rounding.scales import LearnedScales, learnable
from octavo.quant.rounding.windows import layout_of, learned_layout, refusals
from octavo.quant.simulate import fake_quantize
from octavo.run.float_run import Tap, float_run

__all__ = ["ADAROUND", "Reconstruction", "Step", "check_device", "reconstruct"]

Tensors = Mapping[str, torch.Tensor]
_CHUNK = 20
_WARM = 0.2
_BETA = (20.0, 2.0)
_WORK = 4e8
_PER_ELEMENT = 60
_FEWEST = 10


def check_device(device: str) -> None:
    """OctavoError unless it is cpu, or a GPU that is there."""
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise OctavoError(f"device {device}", "is unknown", "Use cpu, cuda or cuda:1.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise OctavoError(f"device {device}", "is not there", "Use device cpu.")


@dataclass(frozen=True)
class Reconstruction:
    """Settings. ``layers`` a block; 1 is layer by layer.

    ``iterations`` of Adam for each block, ``batch`` samples each or fewer where the block is large. ``decide`` weighs
    the term that drives weights to a level against the error, which counts 1 at the start. ``drop`` is the chance with
    which an activation stays unquantized during training. ``scales``: learn those of activations, too. ``max_bytes``
    bounds stored activations by using fewer samples. ``device`` is cpu or cuda.
    """

    layers: int = 3
    iterations: int = 300
    batch: int = 32
    rate: float = 0.03
    rounding: str = "straight-through"
    decide: float = 10.0
    drop: float = 0.5
    scales: bool = True
    max_bytes: int = 2**30
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.layers < 1 or self.iterations < 1 or self.batch < 1 or not 0 <= self.drop < 1:
            raise OctavoError(
                f"{self}", "has a value out of range", "Use layers, iterations, batch >= 1, 0 <= drop < 1."
            )
        if self.rounding not in RELAXATIONS:
            raise OctavoError(f"rounding {self.rounding}", "is unknown", f"Use one of {', '.join(RELAXATIONS)}.")
        check_device(self.device)


ADAROUND = Reconstruction(layers=1, rate=0.1, rounding="soft", drop=0.0, scales=False)
"""Layer by layer, rounding and biases only."""


@dataclass(frozen=True)
class Step:
    """How far the work is; ``loss`` is the block's error over its error at the start, nan before the first."""

    block: str
    done: int
    total: int
    loss: float


def reconstruct(
    quantized: Quantized,
    data: Batch,
    settings: Reconstruction = Reconstruction(),
    progress: Callable[[Step], None] | None = None,
    checkpoint: Path | None = None,
) -> Quantized:
    """Learn the rounding of all convolutions and fully connected layers, first block first.

    A block's target is its output in the float network, its input is what the quantized blocks before it give. ``data``
    are samples [N, ...] as the network takes them; a fifth of them is held out and decides whether a block keeps what
    it learned. It starts from the integers that ``quantized`` has: nearest ones, or least-squares ones. The graph
    stays; integers and biases and, with ``scales``, scales of activations change, and ``plan.reasons`` tell what each
    block gained.

    ``checkpoint`` is a file that is written after every block; with the same arguments the work goes on from there.
    The caller removes it. Raises OctavoError when it belongs to other arguments.
    """
    graph = quantized.graph
    given = as_inputs(graph, data)
    inputs = fitting(graph, given, settings.max_bytes)
    blocks = partition(graph, settings.layers)
    saved = None if checkpoint is None else Checkpoint.of(checkpoint, quantized, inputs, repr((settings, len(blocks))))
    done = 0
    if saved is not None:
        done, quantized = saved.resume(quantized)
    state = Lockstep(quantized, inputs)
    total = len(blocks) * settings.iterations
    for index, block in enumerate(blocks):
        if index >= done and block.output is not None:

            def tell(iteration: int, loss: float, index: int = index, block: Block = block) -> None:
                if progress is not None:
                    progress(Step(block.name, index * settings.iterations + iteration, total, loss))

            generator = torch.Generator(settings.device).manual_seed(settings.seed * 1_000_003 + index)
            state.quantized = _learned(state, block, settings, generator, tell)
            if saved is not None:
                saved.write(index + 1, state.quantized)
        with torch.inference_mode():
            for node in block.nodes:
                state.advance(node)
    plan = state.quantized.plan
    notes = (*plan.notes, *memory_note("block reconstruction", inputs, given), *_few(inputs))
    return state.quantized.with_(reasons={**plan.reasons, **refusals(quantized)}, notes=notes)


def _few(inputs: Mapping[str, Array]) -> tuple[str, ...]:
    count = len(next(iter(inputs.values())))
    if count >= _FEWEST:
        return ()
    return (f"block reconstruction was judged by the {count} samples that it learned from: give {_FEWEST} or more",)


class _Learner:
    """One block in training: its part of the graph, its data and what is learned."""

    def __init__(self, state: Lockstep, block: Block, settings: Reconstruction, generator: torch.Generator) -> None:
        quantized, device = state.quantized, torch.device(settings.device)
        graph, plan = quantized.graph, quantized.plan
        assert block.output is not None
        self.output = block.output
        self.part = extract(graph, block.nodes).with_(outputs=(self.output,))
        self.settings, self.generator, self.device = settings, generator, device
        self.x_float = {name: state.float[name] for name in self.part.inputs}
        self.x = {name: state.rounded[name] for name in self.part.inputs}
        self.qparams = plan.qparams
        self.soft: dict[str, Relaxed] = {}
        self.bias: dict[str, tuple[torch.Tensor, float, torch.Tensor]] = {}
        for node in block.layers:
            layout = learned_layout(quantized, node)
            if layout is None:
                continue
            self.soft[node.inputs[1]] = RELAXATIONS[settings.rounding](quantized, layout, device)
            start = torch.from_numpy(np.array(quantized.bias(node.inputs[2]), np.float32)).to(device)
            step = float(plan.qparams[node.outputs[0]].scale[0])
            self.bias[node.inputs[2]] = start, step, torch.zeros_like(start, requires_grad=True)
        made = {node.outputs[0] for node in block.nodes}
        groups = learnable(plan, made) if settings.scales else {}
        self.scales = LearnedScales.of(plan, groups, device)
        self.constants = {name: kept_constant(quantized, name).to(device) for name in self.part.consts}
        self.target = self.run(self.x_float, None)

    def run(self, inputs: Tensors, tap: Tap | None) -> torch.Tensor:
        """The block's output for all samples, on the CPU."""
        count = len(next(iter(inputs.values())))
        with torch.no_grad():
            parts = [
                float_run(self.part, {k: v[i : i + _CHUNK].to(self.device) for k, v in inputs.items()}, tap)[
                    self.output
                ]
                for i in range(0, count, _CHUNK)
            ]
            return torch.cat([part.cpu() for part in parts])

    def tap(self, train: bool) -> Tap:
        """The quantized block: soft and with dropped quantization in training, else as it would be rounded now."""
        drop = self.settings.drop if train else 0.0

        def watch(name: str, value: torch.Tensor) -> torch.Tensor:
            if name in self.soft:
                return self.soft[name].weights() if train else self.soft[name].rounded()
            if name in self.bias:
                start, step, moved = self.bias[name]
                return start + step * moved
            if name in self.part.consts:
                return self.constants[name]
            if name in self.part.inputs:
                return value
            if name in self.scales.logs:
                rounded = self.scales.quantize(name, value)
            else:
                rounded = fake_quantize(value, self.qparams[name])
            return self.dropped(value, rounded) if drop and name != self.output else rounded

        return watch

    def dropped(self, value: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
        """``value`` in place of ``rounded`` at random places, the same in all samples of the batch."""
        chance = torch.rand(value.shape[1:], generator=self.generator, device=self.device)
        return torch.where(chance < self.settings.drop, value, rounded)

    def error(self, at: torch.Tensor) -> float:
        """Mean squared error of the block as it would be rounded now, on some samples."""
        got = self.run({name: value[at] for name, value in self.x.items()}, self.tap(train=False))
        return float((got - self.target[at]).square().mean(dtype=torch.float64))

    def batch(self, at: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Inputs and target of some samples; inputs are partly those of the float network where quantization drops."""
        inputs = {}
        for name, value in self.x.items():
            rounded = value[at].to(self.device)
            exact = self.x_float[name]
            inputs[name] = self.dropped(exact[at].to(self.device), rounded) if self.settings.drop else rounded
        return inputs, self.target[at].to(self.device)

    def result(self, quantized: Quantized, reason: str) -> Quantized:
        """The plan with what was learned."""
        plan = quantized.plan
        biases = {
            name: (start + step * moved).detach().cpu().double().numpy()
            for name, (start, step, moved) in self.bias.items()
        }
        scales = self.scales.learned()
        return quantized.with_(
            integers={**plan.integers, **{name: soft.integers() for name, soft in self.soft.items()}},
            biases={**plan.biases, **biases},
            qparams={**plan.qparams, **scales},
            reasons={**plan.reasons, **dict.fromkeys((*self.soft, *biases, *scales), reason)},
        )


def _learned(
    state: Lockstep,
    block: Block,
    settings: Reconstruction,
    generator: torch.Generator,
    tell: Callable[[int, float], None],
) -> Quantized:
    """Train one block and keep what it learned if the held-out error fell."""
    learner = _Learner(state, block, settings, generator)
    if not learner.soft:
        return state.quantized
    count = len(learner.target)
    places = torch.arange(count)
    held_out = places[4::5] if count >= _FEWEST else places
    used = places[places % 5 != 4] if count >= _FEWEST else places
    start, first = learner.error(used), learner.error(held_out)
    if not (start > 0 and math.isfinite(start)):
        why = "reconstruction had nothing to gain" if start == 0 else "not learned: the block's error is not finite"
        return _explained(state.quantized, learner, why)
    _train(learner, used, start, tell)
    last = learner.error(held_out)
    if not last < first:
        return _explained(state.quantized, learner, "reconstruction brought nothing")
    gain = 10 * math.log10(first / max(last, 1e-30))
    return learner.result(state.quantized, f"reconstructed with {block.name}: {gain:.2f} dB less error of the block")


def _explained(quantized: Quantized, learner: _Learner, why: str) -> Quantized:
    """The same network, with the reason why a block's weights stay."""
    before = quantized.plan.reasons
    kept = (name for name in learner.soft if name in before and not why.startswith("not learned"))
    reasons = dict.fromkeys(learner.soft, why) | {name: f"{before[name]}; {why}" for name in kept}
    return quantized.with_(reasons={**before, **reasons})


def _train(learner: _Learner, used: torch.Tensor, start: float, tell: Callable[[int, float], None]) -> None:
    """Adam on rounding, biases and scales; the rates of all fall to zero along a cosine."""
    settings = learner.settings
    softs = list(learner.soft.values())
    groups = [
        {"params": [soft.v for soft in softs], "lr": settings.rate},
        {"params": [moved for _, _, moved in learner.bias.values()], "lr": settings.rate / 2},
        {"params": learner.scales.parameters, "lr": settings.rate / 20},
    ]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.iterations)
    size = min(_affordable(learner.part, settings.batch), len(used))
    order = torch.Generator().manual_seed(learner.generator.initial_seed())
    tap = learner.tap(train=True)
    for iteration in range(settings.iterations):
        inputs, target = learner.batch(used[torch.randperm(len(used), generator=order)[:size]])
        got = float_run(learner.part, inputs, tap)[learner.output]
        loss = (got - target).square().mean() / start
        total, progress = loss, iteration / settings.iterations
        if progress >= _WARM:
            beta = _BETA[1] + (_BETA[0] - _BETA[1]) * 0.5 * (1 + math.cos(math.pi * (progress - _WARM) / (1 - _WARM)))
            total = loss + settings.decide * sum(soft.undecided(beta) for soft in softs)
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if iteration % 10 == 9 or iteration + 1 == settings.iterations:
            tell(iteration + 1, float(loss.detach()))


def _affordable(part: Graph, most: int) -> int:
    """Samples a batch, so that blocks of large images take no longer: their many positions stand for samples."""
    work = 1.0
    for node in part.nodes:
        layout, out = layout_of(part, node), part.types[node.outputs[0]].size
        work += out * (_PER_ELEMENT + (layout.width if layout is not None else 0))
    return max(2, min(most, round(_WORK / work)))
