"""MobileNetV3-small (Howard et al. 2019) for 32 x 32 colour images, in plain PyTorch: as a user's own file looks.

Inverted residuals with depthwise convolutions, squeeze-excite gates with a hard sigmoid, hard-swish in the deeper
half. The paper's network halves a 224 x 224 image five times; this one halves 32 x 32 three times, down to 4 x 4, and
ends in narrower layers, for ten classes need no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["CLASSES", "InvertedResidual", "MobileNetV3Small", "SqueezeExcite"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Block:
    """One inverted residual: kernel side, channels inside and at the end, gate, activation and stride."""

    kernel: int
    wide: int
    outputs: int
    gate: bool
    activation: type[nn.Module]
    stride: int = 1


STEM, HEAD, FEATURES = 16, 288, 256
BLOCKS = (
    Block(3, 16, 16, True, nn.ReLU, stride=2),
    Block(3, 72, 24, False, nn.ReLU),
    Block(3, 88, 24, False, nn.ReLU),
    Block(5, 96, 40, True, nn.Hardswish, stride=2),
    Block(5, 160, 40, True, nn.Hardswish),
    Block(5, 160, 40, True, nn.Hardswish),
    Block(5, 120, 48, True, nn.Hardswish),
    Block(5, 144, 48, True, nn.Hardswish),
    Block(5, 240, 72, True, nn.Hardswish, stride=2),
    Block(5, 288, 72, True, nn.Hardswish),
    Block(5, 288, 72, True, nn.Hardswish),
)


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """A convolution that keeps the size but for the stride, batch norm, and an activation if there is one."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class SqueezeExcite(nn.Module):
    """Weighs each channel between 0 and 1 by what the means of all channels say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(8, channels // 32 * 8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, channels, H, W]`` to the same shape."""
        weights = nn.functional.relu(self.reduce(self.pool(x)))
        return x * nn.functional.hardsigmoid(self.expand(weights))


class InvertedResidual(nn.Module):
    """Widen by a 1 x 1 convolution, filter each channel, gate, and narrow again; equal shapes add the input."""

    def __init__(self, inputs: int, block: Block) -> None:
        super().__init__()
        wide, activation = block.wide, block.activation
        layers = [convolution(inputs, wide, activation=activation)] if wide != inputs else []
        layers.append(convolution(wide, wide, block.kernel, block.stride, groups=wide, activation=activation))
        gate = [SqueezeExcite(wide)] if block.gate else []
        self.layers = nn.Sequential(*layers, *gate, convolution(wide, block.outputs))
        self.residual = block.stride == 1 and inputs == block.outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        y: torch.Tensor = self.layers(x)
        return x + y if self.residual else y


class MobileNetV3Small(nn.Module):
    """Ten classes from ``float32[N, 3, 32, 32]``, (pixels - 128) / 128; returns logits ``[N, 10]``."""

    def __init__(self, classes: int = len(CLASSES), dropout: float = 0.1) -> None:
        super().__init__()
        self.stem = convolution(3, STEM, 3, activation=nn.Hardswish)
        inputs = (STEM, *(block.outputs for block in BLOCKS))
        self.blocks = nn.Sequential(*(InvertedResidual(i, block) for i, block in zip(inputs, BLOCKS, strict=False)))
        self.head = convolution(inputs[-1], HEAD, activation=nn.Hardswish)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(HEAD, FEATURES), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(FEATURES, classes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.pool(self.head(self.blocks(self.stem(x))))
        logits: torch.Tensor = self.classifier(x.flatten(1))
        return logits
