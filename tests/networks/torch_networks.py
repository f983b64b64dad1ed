"""Test networks as torch modules, in the style of torchvision, with seeded random statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["NETWORKS", "conv_norm", "seeded"]


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """The module in eval mode with random weights and random batch-norm statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, 0.0, 0.2)
                nn.init.normal_(layer.running_mean, 0.0, 0.2)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return module.eval()


def conv_norm(
    i: int, o: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: type[nn.Module] | None = nn.ReLU
) -> nn.Module:
    """Convolution, batch norm, activation."""
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = conv_norm(i, o, 3, stride), conv_norm(o, o, act=None)
        self.shortcut = conv_norm(i, o, 1, stride, act=None) if stride > 1 or i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


def resnet18(width: int = 8, classes: int = 5) -> nn.Module:
    """ResNet-18."""
    layers: list[nn.Module] = [conv_norm(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    i = width
    for stage in range(4):
        for block in range(2):
            o = width * 2**stage
            layers.append(BasicBlock(i, o, 2 if stage and not block else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(i, classes))


class SqueezeExcite(nn.Module):
    """Gates channels with a hard sigmoid."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(c, c // 2, 1), nn.Conv2d(c // 2, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
    """Inverted residual block."""

    def __init__(self, i: int, o: int, stride: int, act: type[nn.Module], kernel: int = 3, gate: bool = False) -> None:
        super().__init__()
        wide = i * 4
        self.residual = stride == 1 and i == o
        self.body = nn.Sequential(
            conv_norm(i, wide, 1, act=act),
            conv_norm(wide, wide, kernel, stride, wide, act),
            SqueezeExcite(wide) if gate else nn.Identity(),
            conv_norm(wide, o, 1, act=None),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def _head(i: int, classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(i, classes)]


def mobilenet_v2(width: int = 8, classes: int = 5) -> nn.Module:
    """MobileNetV2."""
    w, act = width, nn.ReLU6
    blocks = [Inverted(w, w, 1, act), Inverted(w, 2 * w, 2, act), Inverted(2 * w, 2 * w, 1, act)]
    return nn.Sequential(conv_norm(3, w, 3, 2, act=act), *blocks, *_head(2 * w, classes))


def mobilenet_v3(width: int = 8, classes: int = 5) -> nn.Module:
    """MobileNetV3-small: hard swish, gates."""
    w, swish = width, nn.Hardswish
    blocks = [
        Inverted(w, w, 2, nn.ReLU, gate=True),
        Inverted(w, 2 * w, 2, swish, 5, True),
        Inverted(2 * w, 2 * w, 1, swish, 5, True),
    ]
    return nn.Sequential(conv_norm(3, w, 3, 2, act=swish), *blocks, *_head(2 * w, classes))


def cnn_1d(width: int = 8, classes: int = 5) -> nn.Module:
    """1-D CNN."""
    w = width
    return nn.Sequential(
        nn.Conv1d(4, w, 5, 2, 2), nn.BatchNorm1d(w), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(w, w, 3, padding="same", groups=w), nn.Conv1d(w, 2 * w, 1), nn.BatchNorm1d(2 * w), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2 * w, classes),
    )  # fmt: skip


def mlp(width: int = 16, classes: int = 5) -> nn.Module:
    """Multi-layer perceptron."""
    return nn.Sequential(
        nn.Linear(10, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, classes), nn.Softmax(-1)
    )


def kws(width: int = 8, classes: int = 12) -> nn.Module:
    """Depthwise-separable keyword spotter."""
    w = width
    first = [nn.Conv2d(1, w, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(w), nn.ReLU()]
    blocks = [m for _ in range(3) for m in (conv_norm(w, w, 3, 1, w), conv_norm(w, w, 1))]
    return nn.Sequential(*first, *blocks, *_head(w, classes))


class UNet(nn.Module):
    """Small U-Net; ``up`` is "transposed", "bilinear" or "nearest"."""

    def __init__(self, up: str, width: int = 4) -> None:
        super().__init__()
        w = width
        self.up = up
        self.first, self.low, self.last = conv_norm(3, w), conv_norm(w, 2 * w), conv_norm(3 * w, w)
        self.rise = nn.ConvTranspose2d(2 * w, 2 * w, 2, 2) if up == "transposed" else nn.Identity()
        self.out = nn.Conv2d(w, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.rise(self.low(F.max_pool2d(x, 2)))
        if self.up != "transposed":
            y = F.interpolate(y, scale_factor=2, mode=self.up)
        return self.out(self.last(torch.cat([x, y], 1)))


class Shuffle(nn.Module):
    """Channel split, branch, shuffle."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.branch = conv_norm(3, width), conv_norm(width // 2, width // 2)
        self.head = nn.Sequential(*_head(width, 5))

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.first(x).chunk(2, dim=1)
        y = torch.cat([left, self.branch(right)], 1)
        n, c, h, w = y.shape
        return self.head(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18": (resnet18, (3, 32, 32)),
    "mobilenet_v2": (mobilenet_v2, (3, 24, 24)),
    "mobilenet_v3": (mobilenet_v3, (3, 32, 32)),
    "cnn_1d": (cnn_1d, (4, 40)),
    "mlp": (mlp, (10,)),
    "kws": (kws, (1, 49, 10)),
    "unet_transposed": (lambda: UNet("transposed"), (3, 16, 12)),
    "unet_bilinear": (lambda: UNet("bilinear"), (3, 16, 12)),
    "unet_nearest": (lambda: UNet("nearest"), (3, 16, 12)),
    "shuffle": (Shuffle, (3, 12, 12)),
}
"""Factory and the shape of one sample, by name."""
