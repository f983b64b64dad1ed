"""Weights in training: float copies that the optimizer moves, and the levels that the forward pass sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from octavo.ir.graph import Array, Node
from octavo.ir.plan import Quantized
from octavo.num.levels import All, Between, Grouped, Levels, PowersOfTwo, split_groups
from octavo.num.qparams import QParams
from octavo.ops import Op
from octavo.quant.rounding.levels import nearest_level
from octavo.train.bits import LearnedBits
from octavo.train.fake import fake_weight
from octavo.train.scale import learned_scale, power_of_two

__all__ = ["TrainedWeight", "linear_nodes"]


def linear_nodes(quantized: Quantized) -> list[Node]:
    """The nodes with weights and a bias that are constants, and their weights' encodings of integers."""
    graph = quantized.graph
    found = []
    for node in graph.nodes:
        op = node.op
        assert isinstance(op, Op)
        if op.weight is None or op.bias is None or node.inputs[op.weight] not in graph.consts:
            continue
        if quantized.plan.qparams[node.inputs[op.weight]].dtype == "int8":
            found.append(node)
    return found


class TrainedWeight(nn.Module):
    """The weights of one layer.

    ``master`` are floats, as large as the operator takes them: small gradients add up there, while the forward pass
    sees the nearest level only. ``log_factor`` is the logarithm of the scale, per tensor or channel, over that at the
    start. ``factors`` are those of groups. It starts at the integers of the plan: where these are not the
    nearest to the float weights (learned rounding), the master starts at their level. With ``costs``, shares of a
    budget at each number of bits, the bits are learned, too.
    """

    factors: torch.Tensor
    start: torch.Tensor

    def __init__(
        self,
        quantized: Quantized,
        node: Node,
        learned: bool,
        learn_scale: bool,
        costs: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        op = node.op
        assert isinstance(op, Op) and op.weight is not None
        self.name = node.inputs[op.weight]
        self.axis = op.channel_axis
        self.encoding = quantized.plan.qparams[self.name]
        integers = torch.from_numpy(quantized.integers(self.name).astype(np.float32))
        real = torch.from_numpy(np.array(quantized.graph.consts[self.name], np.float32))
        self.register_buffer(
            "start", self._broadcast(torch.from_numpy(np.array(self.encoding.scale)), real.ndim), False
        )
        self.log_factor = nn.Parameter(torch.zeros_like(self.start), requires_grad=learned and learn_scale)
        # Formats with powers of two keep them.
        self.powers = power_of_two(self.encoding.scale)
        levels = self.encoding.levels
        factors = _spread_factors(levels, real.shape, self.axis) if isinstance(levels, Grouped) else torch.ones(())
        self.register_buffer("factors", factors)
        array = quantized.graph.consts[self.name]
        self.bits = None if costs is None else LearnedBits(self.encoding, array, self.axis, self.powers, costs)
        with torch.no_grad():
            scale = self.start
            ratio = real / scale
            at_home = self.nearest(ratio) == integers
            self.master = nn.Parameter(torch.where(at_home, real, integers * scale), requires_grad=learned)

    def _broadcast(self, values: torch.Tensor, ndim: int) -> torch.Tensor:
        shape = [1] * ndim
        if values.numel() > 1:
            shape[self.axis] = values.numel()
        return values.reshape(shape).clone()

    @property
    def levels(self) -> Levels:
        """The integers that the weights may be now."""
        return self.encoding.levels if self.bits is None else self.bits.present

    @property
    def width(self) -> int:
        """The bits of the weights now."""
        return self.levels.bits or 8

    @property
    def peak(self) -> int:
        """The largest level, in units of the scale and of a group's factor."""
        levels = self.levels
        if isinstance(levels, All):
            return 127
        assert not isinstance(levels, Between), "levels of activations"
        return 2 ** (levels.bits - 1) - 1 if isinstance(levels, Grouped) else levels.peak

    def nearest(self, ratio: torch.Tensor) -> torch.Tensor:
        """The level nearest to each weight in units of its scale."""
        if isinstance(self.encoding.levels, PowersOfTwo):
            return nearest_level(self.encoding, None)(ratio, 0)
        return torch.clamp(torch.round(ratio / self.factors), -self.peak, self.peak) * self.factors

    def scale(self) -> torch.Tensor:
        """The present scale, broadcast over the weights."""
        return self._learned(self.start if self.bits is None else self.bits.scale(self.bits.whole()))

    def _learned(self, start: torch.Tensor) -> torch.Tensor:
        shared = self.master.numel() / self.start.numel()
        return learned_scale(start, self.log_factor, self.powers, shared, self.peak)

    def forward(self) -> torch.Tensor:
        """The weights as the integer network has them."""
        if self.bits is None:
            return fake_weight(self.master, self.scale(), self.nearest, (self.peak + 0.5) * self.factors)
        bits = self.bits.whole()
        scale, peak = self._learned(self.bits.scale(bits)), self.bits.peak(bits)
        return fake_weight(self.master, scale, self.nearest, peak + 0.5)

    @torch.no_grad()
    def integers(self) -> torch.Tensor:
        """The present integers, as floats."""
        return self.nearest(self.master / self.scale())

    def result(self) -> tuple[QParams, Array]:
        """The encoding and the int8 weights as they are now."""
        with torch.no_grad():
            scale = self.scale().reshape(-1).cpu().numpy().astype(np.float32)
            encoding = replace(self.encoding, scale=scale, levels=self.levels)
            return encoding, self.integers().cpu().numpy().astype(np.int8)


def _spread_factors(levels: Grouped, shape: torch.Size, axis: int) -> torch.Tensor:
    """The group factor of every weight."""
    groups, restore = split_groups(np.ones(tuple(shape)), axis, levels.size)
    return torch.from_numpy(restore(groups * levels.factors[:, :, None]).astype(np.float32))
