"""The number of bits of a layer's weights as a parameter, along the curve of scales with the least error.

Uhlich et al. 2020, Mixed Precision DNNs: of step, range and number of bits two are parameters and the third follows.
Their gradients are good where step and range move and the bits are inferred. Here each channel has a step of its own
and the layer one number of bits, so the two move together: the number of bits says where on the curve of steps and
ranges with the least squared error the layer is, and each channel's ``log_factor`` moves it off the curve. So a layer
that loses a bit starts with the scales with which a plan of as many bits would start.

The forward pass takes the nearest whole number, straight through. With a number b of bits, the scale s(b) and the
largest level p(b) = 2^(b-1) - 1, a weight inside the range is w + r s(b), r being its rounding's error in steps, and a
clipped one +-p(b) s(b): the derivatives in b are r s'(b) and +-(p' s + p s'). The first is what rounding costs, for the
gradient is taken at the rounded weights: on average it is the second-order loss of the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from octavo.ir.graph import Array
from octavo.num.formats import WeightFormat
from octavo.num.levels import All, Narrow
from octavo.num.qparams import QParams
from octavo.quant.ranges.weights import weight_qparams
from octavo.train.fake import rounded

__all__ = ["FEWEST", "MOST", "LearnedBits"]

FEWEST, MOST = 2, 8
"""Bits that can be learned."""

_LN2 = math.log(2)


class _Bounded(torch.autograd.Function):
    """A number of bits inside its ends, or the held one; at an end no gradient that leads beyond it passes."""

    @staticmethod
    def forward(ctx: Any, bits: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(bits, held)
        return torch.where(held > 0, held, bits.clamp(FEWEST, MOST))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,), (bits, held) = gradients, ctx.saved_tensors
        stays = (held > 0) | ((bits <= FEWEST) & (gradient > 0)) | ((bits >= MOST) & (gradient < 0))
        return torch.where(stays, torch.zeros_like(gradient), gradient), None


class LearnedBits(nn.Module):
    """The number of bits of one layer's weights.

    ``offset`` is what is added to the number at the start. ``costs`` are the layer's at each number of bits, as shares
    of the budget. ``held`` is the number that stays once the bits are settled, 0 before;
    ``moved`` says by how many bits the budget changed it then.
    """

    scales: torch.Tensor
    costs: torch.Tensor
    held: torch.Tensor
    moved: torch.Tensor

    def __init__(self, encoding: QParams, weights: Array, axis: int, powers: bool, costs: Sequence[float]) -> None:
        super().__init__()
        self.first = encoding.levels.bits or MOST
        assert isinstance(encoding.levels, All | Narrow)
        self.levels = encoding.levels
        scales = [self._scale(encoding, weights, axis, powers, bits) for bits in range(FEWEST, MOST + 1)]
        shape = [1] * weights.ndim
        if encoding.per_channel:
            shape[axis] = -1
        table = torch.from_numpy(np.array(scales)).reshape(len(scales), *shape)
        self.register_buffer("scales", table, False)
        self.register_buffer("costs", torch.tensor(list(costs), dtype=torch.float32), False)
        self.register_buffer("held", torch.zeros(()))
        self.register_buffer("moved", torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def _scale(self, encoding: QParams, weights: Array, axis: int, powers: bool, bits: int) -> Array:
        """The scales of the plan at its own number of bits, those with the least error at others."""
        if bits == self.first:
            return encoding.scale
        granularity = "per-channel" if encoding.per_channel else "per-tensor"
        format = WeightFormat(bits=bits, power_of_two=powers, granularity=granularity)
        return weight_qparams(weights, format, axis, "mse").scale

    def number(self) -> torch.Tensor:
        """The present number of bits, a real one until it is held; 0-d."""
        found: torch.Tensor = _Bounded.apply(self.first + self.offset, self.held)  # type: ignore[no-untyped-call]
        return found

    def whole(self) -> torch.Tensor:
        """The whole number of bits that the forward pass takes, with the gradient of the real one; 0-d."""
        return rounded(self.number())

    @property
    def now(self) -> int:
        """The same as an integer."""
        return int(self.whole().detach())

    @property
    def present(self) -> All | Narrow:
        """The levels of as many bits; the plan's at its own number."""
        return self.levels if self.now == self.first else Narrow(self.now)

    def scale(self, bits: torch.Tensor) -> torch.Tensor:
        """The scale that belongs to a whole number of bits, broadcast over the weights."""
        at = int(bits.detach()) - FEWEST
        low, high = max(at - 1, 0), min(at + 1, MOST - FEWEST)
        slope = torch.log(self.scales[high] / self.scales[low]) / (high - low)
        return self.scales[at] * torch.exp((bits - bits.detach()) * slope)

    def peak(self, bits: torch.Tensor) -> torch.Tensor:
        """The largest level of a whole number of bits, 0-d."""
        half = torch.exp2(bits.detach() - 1)
        return half - 1 + (bits - bits.detach()) * _LN2 * half

    def cost(self) -> torch.Tensor:
        """The layer's cost as a share of the budget; between whole numbers of bits, between theirs. 0-d."""
        bits = self.number()
        at = min(int(bits.detach()), MOST - 1)
        low, high = self.costs[at - FEWEST], self.costs[at + 1 - FEWEST]
        return low + (bits - at) * (high - low)

    @torch.no_grad()
    def hold(self, bits: int) -> None:
        """From now on the number of bits is this one."""
        self.moved.fill_(bits - self.now)
        self.held.fill_(bits)
