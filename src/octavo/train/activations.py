"""Encodings of activations in training: a scale and a zero point for each group of values that share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.num.tables import activation_limits
from octavo.ops.unary import NONE, Clip
from octavo.quant.place import place
from octavo.quant.simulate import fake_quantize
from octavo.train.fake import fake_activation
from octavo.train.scale import learned_scale, power_of_two, with_share

__all__ = ["ActivationScale", "ActivationScales"]


class ActivationScale(nn.Module):
    """One group's encoding. ``log_factor`` is the logarithm of its scale over that at the start, both 0-d.

    ``powers`` keeps the scale a power of two. ``size`` is that of one sample.
    """

    start: torch.Tensor

    def __init__(self, encoding: QParams, size: int, powers: bool, learn_scale: bool, learn_zero_point: bool) -> None:
        super().__init__()
        self.limits, self.size, self.powers = encoding.limits, size, powers
        self.register_buffer("start", torch.tensor(float(encoding.scale[0])), persistent=False)
        self.log_factor = nn.Parameter(torch.zeros(()), requires_grad=learn_scale)
        zero = torch.tensor(float(encoding.zero_point[0]))
        self.zero_point = nn.Parameter(zero, requires_grad=learn_zero_point and float(zero) != 0)

    def scale(self) -> torch.Tensor:
        """The present scale, 0-d."""
        return learned_scale(self.start, self.log_factor, self.powers, self.size, self.limits[1])

    def forward(self, x: torch.Tensor, clip: Clip, places: torch.Tensor | None) -> torch.Tensor:
        """Fake quantization of a value whose operator clips it, and rounds to binary ``places`` first."""
        scale = self.scale()
        zero_point: torch.Tensor = self.zero_point
        zero = round(float(zero_point.detach()))
        limits = activation_limits(clip.minimum, clip.maximum, float(scale.detach()), zero, self.limits)
        if zero_point.requires_grad:
            # In LSQ+ the offset is a real number, a zero point times the scale.
            zero_point = with_share(zero_point, 4 / (self.size * self.limits[1] ** 3) ** 0.5 / scale.detach().square())
        return fake_activation(x, scale, zero_point, *limits, places)

    @torch.no_grad()
    def result(self, encoding: QParams) -> QParams:
        """The encoding as it is now."""
        zero_point = int(torch.round(self.zero_point).clamp(*self.limits))
        scale = np.array([float(self.scale())], np.float32)
        return replace(encoding, scale=scale, zero_point=np.array([zero_point], np.int32))


class ActivationScales(nn.Module):
    """The encodings of a plan's activations; what an operator fixes, as a softmax's output, stays as it is.

    ``clips`` are the activations of operators, by the value they make.
    """

    def __init__(
        self, quantized: Quantized, clips: Mapping[str, Clip], learn_scales: bool, learn_zero_points: bool
    ) -> None:
        super().__init__()
        graph, plan = quantized.graph, quantized.plan
        placement = place(graph)
        self.clips = clips
        self.encodings: Mapping[str, QParams] = {value: plan.qparams[value] for value in placement.groups}
        roots = sorted({root for root in placement.groups.values() if root not in placement.fixed})
        at = {root: position for position, root in enumerate(roots)}
        self._at = {value: at[root] for value, root in placement.groups.items() if root in at}
        powers = all(power_of_two(plan.qparams[value].scale) for value in graph.activations())
        self.groups = nn.ModuleList(
            ActivationScale(plan.qparams[root], graph.types[root].size, powers, learn_scales, learn_zero_points)
            for root in roots
        )

    def _group(self, name: str) -> ActivationScale | None:
        if name not in self._at:
            return None
        group = self.groups[self._at[name]]
        assert isinstance(group, ActivationScale)
        return group

    def forward(self, name: str, x: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
        """Fake quantization of the value ``name``, clipped as its operator does; ``places`` as in fake_activation."""
        clip, group = self.clips.get(name, NONE), self._group(name)
        if group is None:
            return fake_quantize(clip.eval_float(x), self.encodings[name])
        found: torch.Tensor = group(x, clip, places)
        return found

    @torch.no_grad()
    def scale(self, name: str) -> float:
        """The present scale of a value."""
        group = self._group(name)
        return float(self.encodings[name].scale[0]) if group is None else float(group.scale())

    def present(self, name: str) -> QParams:
        """The encoding of a value as it is now."""
        group, encoding = self._group(name), self.encodings[name]
        return encoding if group is None else group.result(encoding)
