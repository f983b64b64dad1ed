"""ResNet8 (Banbury et al. 2021, MLPerf Tiny) for 32 x 32 colour images, in plain PyTorch.

Three residual blocks of two 3 x 3 convolutions with 16, 32 and 64 channels; the last two halve the image, and their
shortcuts are 1 x 1 convolutions. The sum of a block goes through ReLU.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Residual", "ResNet8"]

WIDTHS = (16, 32, 64)


class Residual(nn.Module):
    """Two convolutions with batch norm, added to the input; the shortcut is convolved where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        return nn.functional.relu(self.layers(x) + self.shortcut(x))


class ResNet8(nn.Module):
    """Ten classes from ``float32[N, 3, 32, 32]``, (pixels - 128) / 128; returns logits ``[N, 10]``."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()
        )
        inputs = (WIDTHS[0], *WIDTHS)
        self.blocks = nn.Sequential(*(Residual(i, o, 1 if i == o else 2) for i, o in zip(inputs, WIDTHS, strict=False)))
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = nn.functional.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1)
        logits: torch.Tensor = self.classifier(x.flatten(1))
        return logits
