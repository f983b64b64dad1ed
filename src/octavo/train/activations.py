"""Encodings of activations that are learned: one scale and zero point for each group of values that share them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.quant.place import place
from octavo.quant.simulate import fake_quantize
from octavo.train.fake import fake_activation, rounded
from octavo.train.gradients import scaled_gradient

__all__ = ["ActivationScales"]

_LN2 = math.log(2)


class ActivationScales(nn.Module):
    """The encodings of a plan's activations, of which some are learned.

    ``log_scales`` and ``zero_points`` have one element a group. What an operator fixes (a softmax's output) and what
    nothing can be learned of (float16) stays as it is. Scales of formats with powers of two stay such: what is learned
    is the logarithm, which is rounded (Jain et al. 2020, TQT).
    """

    def __init__(self, quantized: Quantized, learn_scales: bool, learn_zero_points: bool) -> None:
        super().__init__()
        placement, plan = place(quantized.graph), quantized.plan
        self.encodings: Mapping[str, QParams] = {value: plan.qparams[value] for value in placement.groups}
        fixed = {value for value, root in placement.groups.items() if root in placement.fixed}
        learned = [
            value for value, root in placement.groups.items()
            if value == root and value not in fixed and plan.qparams[value].dtype != "float16"
        ]  # fmt: skip
        self.index = {root: position for position, root in enumerate(learned)}
        self.group = {value: self.index[root] for value, root in placement.groups.items() if root in self.index}
        types = quantized.graph.types
        self.sizes = tuple(types[root].size for root in learned)
        self.shifts = tuple(_is_power_of_two(plan.qparams[root]) and _all_powers(quantized) for root in learned)
        scales = [math.log(float(plan.qparams[root].scale[0])) for root in learned]
        zero_points = [float(plan.qparams[root].zero_point[0]) for root in learned]
        self.log_scales = nn.ParameterList(_parameter(value, learn_scales) for value in scales)
        movable = [learn_zero_points and not self._symmetric(plan.qparams[root]) for root in learned]
        self.zero_points = nn.ParameterList(
            _parameter(value, moves) for value, moves in zip(zero_points, movable, strict=True)
        )

    @staticmethod
    def _symmetric(encoding: QParams) -> bool:
        return encoding.dtype != "int8" or int(encoding.zero_point[0]) == 0

    def log_scale(self, index: int) -> torch.Tensor:
        """Natural logarithm of a group's scale, 0-d, with LSQ's share of its gradient."""
        log = self.log_scales[index]
        if self.shifts[index]:
            log = rounded(log / _LN2) * _LN2
        return scaled_gradient(log, self._share(index, log))

    def _share(self, index: int, log: torch.Tensor) -> float:
        """What a gradient of log scale is multiplied by, so that its step is LSQ's.

        LSQ steps s by 1 / sqrt(N Q) of its gradient, N the values of one sample, Q the largest level. A step of log s
        is one of s divided by s, and its gradient is s times that of s: hence 1 / s^2.
        """
        return 1.0 / (math.sqrt(self.sizes[index] * 127) * math.exp(2 * float(log.detach())))

    def forward(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Fake quantization of the value ``name``."""
        encoding = self.encodings[name]
        index = self.group.get(name)
        if index is None:
            return fake_quantize(x, encoding)
        low, high = encoding.limits
        zero_point = self.zero_points[index]
        if zero_point.requires_grad:
            zero_point = scaled_gradient(zero_point, self._share(index, self.log_scales[index]))
        return fake_activation(x, self.log_scale(index), zero_point, low, high)

    @torch.no_grad()
    def scale(self, name: str) -> float:
        """The present scale of a value."""
        index = self.group.get(name)
        if index is None:
            return float(self.encodings[name].scale[0])
        return float(np.float32(torch.exp(self.log_scale(index))))

    @torch.no_grad()
    def learned(self) -> dict[str, QParams]:
        """The encodings as they are now, by value."""
        found = dict(self.encodings)
        for name, index in self.group.items():
            encoding = self.encodings[name]
            low, high = encoding.limits
            zero_point = int(torch.round(self.zero_points[index]).clamp(low, high))
            scale = np.array([self.scale(name)], np.float32)
            found[name] = replace(encoding, scale=scale, zero_point=np.array([zero_point], np.int32))
        return found


def _parameter(value: float, learned: bool) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value, dtype=torch.float32), requires_grad=learned)


def _is_power_of_two(encoding: QParams) -> bool:
    return float(np.frexp(encoding.scale[0])[0]) == 0.5


def _all_powers(quantized: Quantized) -> bool:
    """Whether the plan's format has scales 2^k: all of its activations do."""
    graph = quantized.graph
    return all(_is_power_of_two(quantized.plan.qparams[value]) for value in graph.activations())
