"""Test networks as torch modules, in the style of torchvision, with seeded random statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["NETWORKS", "conv_norm", "mobilenet_v2", "mobilenet_v3", "network", "resnet18", "seeded"]


def seeded(make: Callable[[], nn.Module], seed: int = 0, sample: tuple[int, ...] = ()) -> nn.Module:
    """The module in eval mode with random weights and random batch-norm statistics.

    With the shape of a ``sample`` the statistics are near those of random inputs, as after training. Without, the
    signal of a deep network dies in its constants, and a comparison of its outputs says nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
        for layer in module.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        for norm in norms:
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.2)
            norm.momentum = 1.0
        if sample:
            with torch.no_grad():
                module.train()(torch.randn(16, *sample))
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean += 0.2 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
            norm.running_var *= 0.6 + torch.rand_like(norm.running_var)
    return module.eval()


def network(name: str, seed: int = 0) -> tuple[nn.Module, tuple[int, ...]]:
    """A test network by name and the shape of one sample."""
    make, sample = NETWORKS[name]
    return seeded(make, seed, sample), sample


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
    """ResNet-18; width 64 and 1000 classes are torchvision's."""
    layers: list[nn.Module] = [conv_norm(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    i = width
    for stage in range(4):
        for block in range(2):
            o = width * 2**stage
            layers.append(BasicBlock(i, o, 2 if stage and not block else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(i, classes))


def _round(channels: float) -> int:
    """Nearest multiple of 8, at most 10 % less."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SqueezeExcite(nn.Module):
    """Gates channels with a hard sigmoid."""

    def __init__(self, c: int) -> None:
        super().__init__()
        squeezed = _round(c / 4)
        self.down, self.up = nn.Conv2d(c, squeezed, 1), nn.Conv2d(squeezed, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
    """Inverted residual block: expand, depthwise, gate, project."""

    def __init__(
        self, i: int, wide: int, o: int, kernel: int, stride: int, act: type[nn.Module], gate: bool = False
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and i == o
        layers = [conv_norm(i, wide, 1, act=act)] if wide != i else []
        layers.append(conv_norm(wide, wide, kernel, stride, wide, act))
        layers += [SqueezeExcite(wide)] if gate else []
        self.body = nn.Sequential(*layers, conv_norm(wide, o, 1, act=None))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def _head(i: int, classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(i, classes)]


_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(width: float = 0.25, classes: int = 5) -> nn.Module:
    """MobileNetV2; width 1 and 1000 classes are torchvision's."""
    act = nn.ReLU6
    i, last = _round(32 * width), _round(1280 * width)
    blocks: list[nn.Module] = [conv_norm(3, i, 3, 2, act=act)]
    for expansion, channels, count, stride in _V2:
        for block in range(count):
            o = _round(channels * width)
            blocks.append(Inverted(i, i * expansion, o, 3, 1 if block else stride, act))
            i = o
    return nn.Sequential(*blocks, conv_norm(i, last, 1, act=act), *_head(last, classes))


# kernel, expanded, out, gate, hard swish, stride
_V3 = (
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1),
    (5, 576, 96, 1, 1, 1),
)  # fmt: skip


def mobilenet_v3(width: float = 0.25, classes: int = 5) -> nn.Module:
    """MobileNetV3-small: hard swish, gates; width 1 and 1000 classes are torchvision's."""
    i = _round(16 * width)
    blocks: list[nn.Module] = [conv_norm(3, i, 3, 2, act=nn.Hardswish)]
    for kernel, wide, channels, gate, swish, stride in _V3:
        o, act = _round(channels * width), nn.Hardswish if swish else nn.ReLU
        blocks.append(Inverted(i, _round(wide * width), o, kernel, stride, act, bool(gate)))
        i = o
    last, hidden = 6 * i, _round(1024 * width)
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, hidden), nn.Hardswish(), nn.Dropout(0.2)]
    return nn.Sequential(*blocks, conv_norm(i, last, 1, act=nn.Hardswish), *pooled, nn.Linear(hidden, classes))


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
    "mobilenet_v2": (mobilenet_v2, (3, 32, 32)),
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
