"""The demo network: a small residual, depthwise-separable classifier for 28 x 28 grey images.

Plain PyTorch, no dependence on the rest of Octavo: this is what a user's own file looks like.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["CLASSES", "FashionNet", "Separable"]

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class Separable(nn.Module):
    """A 3 x 3 depthwise convolution, batch norm and ReLU6, then a 1 x 1 convolution and batch norm.

    With equal shapes on both sides the input is added to the result; a ReLU closes the block.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        y = nn.functional.relu6(self.depthwise_norm(self.depthwise(x)))
        y = self.pointwise_norm(self.pointwise(y))
        return nn.functional.relu(x + y if self.residual else y)


class FashionNet(nn.Module):
    """Ten clothing classes from ``float32[N, 1, 28, 28]``, pixels divided by 255; returns logits ``[N, 10]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(32)
        self.blocks = nn.Sequential(
            Separable(32, 64),
            Separable(64, 64),
            Separable(64, 128, stride=2),
            Separable(128, 128),
            Separable(128, 192),
        )
        self.classifier = nn.Linear(192, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = nn.functional.relu(self.stem_norm(self.stem(x)))
        x = self.blocks(x)
        logits: torch.Tensor = self.classifier(x.mean(dim=(2, 3)))
        return logits
