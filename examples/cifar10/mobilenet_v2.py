"""MobileNetV2 (Sandler et al. 2018) at half width for 32 x 32 colour images, in plain PyTorch.

Inverted residuals: widen by a 1 x 1 convolution, filter each channel, narrow again without an activation. The paper's
network halves a 224 x 224 image five times; this one halves 32 x 32 three times, down to 4 x 4, and ends in fewer
features, for ten classes need no more.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["InvertedResidual", "MobileNetV2"]

STEM, FEATURES, WIDEN = 16, 320, 6
BLOCKS = ((8, 1, 1), (16, 2, 2), (16, 2, 2), (32, 3, 2), (48, 2, 1), (80, 2, 1))
"""Channels, repetitions, and the stride of the first."""


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size but for the stride, and its batch norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class InvertedResidual(nn.Module):
    """Inputs and outputs are added where they have one shape."""

    def __init__(self, inputs: int, outputs: int, stride: int, widen: int) -> None:
        super().__init__()
        wide = inputs * widen
        expand = [*convolution(inputs, wide), nn.ReLU6()] if widen > 1 else []
        filters = [*convolution(wide, wide, 3, stride, wide), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *filters, *convolution(wide, outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        y: torch.Tensor = self.layers(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Ten classes from ``float32[N, 3, 32, 32]``, (pixels - 128) / 128; returns logits ``[N, 10]``."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = [*convolution(3, STEM, 3), nn.ReLU6()]
        inputs = STEM
        for index, (outputs, repetitions, first) in enumerate(BLOCKS):
            for repetition in range(repetitions):
                stride = first if repetition == 0 else 1
                layers.append(InvertedResidual(inputs, outputs, stride, 1 if index == 0 else WIDEN))
                inputs = outputs
        self.features = nn.Sequential(*layers, *convolution(inputs, FEATURES), nn.ReLU6())
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 1)
        logits: torch.Tensor = self.classifier(x.flatten(1))
        return logits
