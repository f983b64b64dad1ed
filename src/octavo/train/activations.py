"""Encodings of activations in training: a scale and a zero point for each group of values that share them."""

from __future__ import annotations

import math
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
from octavo.train.fake import PLAIN, Ends, Rounding, fake_activation
from octavo.train.scale import learned_scale, power_of_two, with_share

__all__ = ["ActivationScale", "ActivationScales"]


class ActivationScale(nn.Module):
    """One group's encoding. ``log_factor`` is the logarithm of its scale over that at the start, ``shift`` what is
    added to its zero point, in largest levels; both 0-d.

    ``powers`` keeps the scale a power of two. ``size`` is that of one sample.
    """

    start: torch.Tensor
    zero: torch.Tensor

    def __init__(self, encoding: QParams, size: int, powers: bool, learn_scale: bool, learn_zero_point: bool) -> None:
        super().__init__()
        self.limits, self.size, self.powers = encoding.limits, size, powers
        self.peak = (encoding.limits[1] - encoding.limits[0]) // 2
        self.register_buffer("start", torch.tensor(float(encoding.scale[0])))
        self.register_buffer("zero", torch.tensor(float(encoding.zero_point[0])))
        self.log_factor = nn.Parameter(torch.zeros(()), requires_grad=learn_scale)
        self.shift = nn.Parameter(torch.zeros(()), requires_grad=learn_zero_point)

    def scale(self) -> torch.Tensor:
        """The present scale, 0-d."""
        return learned_scale(self.start, self.log_factor, self.powers, self.size, self.peak)

    def zero_point(self, scale: torch.Tensor) -> torch.Tensor:
        """The present zero point, 0-d, a real number; ``scale`` weighs its gradient as LSQ+ does.

        In LSQ+ the offset, a zero point times the scale, is stepped by 1 / sqrt(size peak) of its gradient.
        """
        shift, peak = self.shift, self.peak
        if shift.requires_grad:
            share = 1 / (math.sqrt(self.size * peak) * (peak * scale.detach()).square())
            shift = with_share(shift, share)  # type: ignore[assignment]
        return (self.zero + peak * shift).clamp(*self.limits)

    def forward(self, x: torch.Tensor, clip: Clip, rounding: Rounding) -> torch.Tensor:
        """Fake quantization of a value whose operator clips it."""
        scale = self.scale()
        zero_point = self.zero_point(scale)
        size, zero = float(scale.detach()), round(float(zero_point.detach()))
        low, high = activation_limits(clip.minimum, clip.maximum, size, zero, self.limits)
        ends = Ends(low, high, low > self.limits[0], high < self.limits[1])
        return fake_activation(x, scale, zero_point, ends, rounding)

    @torch.no_grad()
    def result(self, encoding: QParams) -> QParams:
        """The encoding as it is now."""
        scale = self.scale()
        zero_point, size = round(float(self.zero_point(scale))), np.array([float(scale)], np.float32)
        return replace(encoding, scale=size, zero_point=np.array([zero_point], np.int32))


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
        used = [plan.qparams[value] for value in graph.activations()]
        powers = all(power_of_two(encoding.scale) for encoding in used)
        # Symmetric formats stay such.
        affine = learn_zero_points and any(int(encoding.zero_point[0]) != 0 for encoding in used)
        self.groups = nn.ModuleList(
            ActivationScale(encoding, graph.types[root].size, powers, learn_scales, affine and encoding.dtype == "int8")
            for root, encoding in ((root, plan.qparams[root]) for root in roots)
        )

    def _group(self, name: str) -> ActivationScale | None:
        if name not in self._at:
            return None
        group = self.groups[self._at[name]]
        assert isinstance(group, ActivationScale)
        return group

    def forward(self, name: str, x: torch.Tensor, rounding: Rounding = PLAIN) -> torch.Tensor:
        """Fake quantization of the value ``name``, clipped and rounded as its operator does."""
        clip, group = self.clips.get(name, NONE), self._group(name)
        if group is None:
            return fake_quantize(clip.eval_float(x), self.encodings[name])
        found: torch.Tensor = group(x, clip, rounding)
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
