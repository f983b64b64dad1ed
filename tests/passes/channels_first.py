"""Networks as importers of channels-first sources emit them, and small shortcuts for tests of passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.ops import (
    Add,
    AveragePool2D,
    BatchNorm,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Mul,
    Reshape,
    ResizeNearest,
    Transpose,
    TransposeConv2D,
)
from octavo.passes import prove
from octavo.passes.rewrite import without_dead_code

RELU, RELU6 = Clip(minimum=0.0), Clip(0.0, 6.0)
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def kinds(graph: Graph) -> Counter[str]:
    """How many nodes of each operator."""
    return Counter(node.kind for node in graph.nodes)


def applied(step: Callable[[Graph], Graph], graph: Graph, tolerance: float = 1e-5) -> Graph:
    """The result of a pass on what is live of a graph, verified and proved equal."""
    graph = without_dead_code(verify(graph, "before"))
    after = verify(step(graph), step.__name__)
    prove(graph, after, tolerance)
    return after


def refused(step: Callable[[Graph], Graph], graph: Graph) -> bool:
    """Whether a pass leaves what is live of a graph as it is."""
    graph = without_dead_code(verify(graph, "before"))
    return step(graph) is graph


class Source(GraphBuilder):
    """Emits channels-first modules: every spatial operator is wrapped in transposes."""

    def __init__(self, name: str = "net", seed: int = 0) -> None:
        super().__init__(name)
        self.rng = np.random.default_rng(seed)

    def random(self, *shape: int, low: float | None = None) -> str:
        """A constant; uniform in [low, low + 1] when ``low`` is given."""
        array = self.rng.normal(size=shape) if low is None else low + self.rng.random(shape)
        fan = max(1, int(np.prod(shape[1:]))) if len(shape) > 1 and low is None else 1
        return self.const((array / np.sqrt(fan)).astype(np.float32), "w")

    def values(self, values: Any, shape: Sequence[int] = (1, 1, 1, 1)) -> str:
        """A given constant."""
        return self.const(np.asarray(values, dtype=np.float32).reshape(shape), "c")

    def plain(self, *shape: int) -> str:
        """An input in the graph's own order."""
        return self.input("x", TensorType((1, *shape)))

    def image(self, channels: int, height: int, width: int) -> str:
        """An input [N, C, H, W], channels last inside."""
        x = self.input("image", TensorType((1, height, width, channels)))
        self.layout(x, TO_LAST)
        return self.add(Transpose(TO_FIRST), [x], "source_order")

    def sequence(self, channels: int, length: int) -> str:
        """An input [N, C, L], channels last inside."""
        x = self.input("sequence", TensorType((1, length, channels)))
        self.layout(x, (0, 2, 1))
        return self.add(Transpose((0, 2, 1)), [x], "source_order")

    def wrapped(self, op: Any, x: str, *parameters: str, hint: str = "y") -> str:
        """A spatial operator on a channels-first image."""
        last = self.add(Transpose(TO_LAST), [x], "last")
        return self.add(Transpose(TO_FIRST), [self.add(op, [last, *parameters], hint)], "first")

    def wrapped_1d(self, op: Any, x: str, *parameters: str) -> str:
        """An operator of images on a channels-first sequence."""
        channels, length = self.type(x).shape[1:]
        last = self.add(Transpose((0, 2, 1)), [x], "last")
        image = self.add(Reshape((1, 1, length, channels)), [last], "image")
        y = self.add(op, [image, *parameters], "y")
        flat = self.add(Reshape((1, *self.type(y).shape[2:])), [y], "flat")
        return self.add(Transpose((0, 2, 1)), [flat], "first")

    def conv(
        self, x: str, out: int, kernel: int = 3, stride: int = 1, padding: int | None = None, groups: int = 1
    ) -> str:
        """Conv2d, depthwise when it has a group per channel."""
        channels = self.type(x).shape[1]
        pad = (kernel // 2 if padding is None else padding,) * 4
        if groups == channels > 1:
            weights = self.random(1, kernel, kernel, out)
            return self.wrapped(DepthwiseConv2D((stride, stride), pad), x, weights, self.random(out))
        weights = self.random(out, kernel, kernel, channels // groups)
        return self.wrapped(Conv2D((stride, stride), pad, groups=groups), x, weights, self.random(out))

    def conv_1d(self, x: str, out: int, kernel: int = 3, stride: int = 1) -> str:
        """Conv1d."""
        weights = self.random(out, 1, kernel, self.type(x).shape[1])
        return self.wrapped_1d(Conv2D((1, stride), (0, 0, kernel // 2, kernel // 2)), x, weights, self.random(out))

    def up(self, x: str, out: int) -> str:
        """ConvTranspose2d of 2 by 2 with stride 2."""
        weights = self.random(out, 2, 2, self.type(x).shape[1])
        return self.wrapped(TransposeConv2D((2, 2)), x, weights, self.random(out))

    def norm_parameters(self, channels: int) -> list[str]:
        """Gamma, beta, mean, variance."""
        return [
            self.random(channels, low=0.5),
            self.random(channels),
            self.random(channels),
            self.random(channels, low=0.5),
        ]

    def norm(self, x: str) -> str:
        """BatchNorm2d, BatchNorm1d of a sequence or of features."""
        shape = self.type(x).shape
        parameters = self.norm_parameters(shape[1])
        if len(shape) == 4:
            return self.wrapped(BatchNorm(), x, *parameters)
        if len(shape) == 2:
            return self.add(BatchNorm(), [x, *parameters], "norm")
        last = self.add(Transpose((0, 2, 1)), [x], "last")
        return self.add(Transpose((0, 2, 1)), [self.add(BatchNorm(), [last, *parameters], "norm")], "first")

    def relu(self, x: str) -> str:
        """ReLU."""
        return self.add(RELU, [x], "relu")

    def block(self, x: str, out: int, stride: int = 1) -> str:
        """The basic block of ResNet-18."""
        y = self.relu(self.norm(self.conv(x, out, 3, stride)))
        y = self.norm(self.conv(y, out))
        if stride != 1 or self.type(x).shape[1] != out:
            x = self.norm(self.conv(x, out, 1, stride))
        return self.relu(self.add(Add(), [y, x], "add"))

    def squeeze_excite(self, x: str, gate: Any) -> str:
        """Global mean, two fully connected layers, a gate on the channels; with Linear and a view."""
        channels = self.type(x).shape[1]
        mean = self.add(Mean((2, 3), keepdims=False), [x], "mean")
        hidden = self.relu(self.linear(mean, 4))
        scale = self.add(gate, [self.linear(hidden, channels)], "gate")
        view = self.add(Reshape((1, channels, 1, 1)), [scale], "view")
        return self.add(Mul(), [x, view], "scaled")

    def squeeze_excite_conv(self, x: str, gate: Any) -> str:
        """The same with an adaptive pool and 1x1 convolutions, as MobileNetV3 has it."""
        channels = self.type(x).shape[1]
        mean = self.add(Mean((2, 3), keepdims=True), [x], "mean")
        hidden = self.relu(self.conv(mean, 4, 1))
        return self.add(Mul(), [self.add(gate, [self.conv(hidden, channels, 1)], "gate"), x], "scaled")

    def inverted(self, x: str, out: int, expand: int, stride: int, activation: Any, gate: Any = None) -> str:
        """The inverted residual of MobileNetV2 and V3."""
        channels = self.type(x).shape[1]
        wide = channels * expand
        y = self.add(activation, [self.norm(self.conv(x, wide, 1))], "a")
        y = self.add(activation, [self.norm(self.conv(y, wide, 3, stride, groups=wide))], "a")
        if gate is not None:
            y = self.squeeze_excite_conv(y, gate)
        y = self.norm(self.conv(y, out, 1))
        return self.add(Add(), [x, y], "add") if stride == 1 and channels == out else y

    def linear(self, x: str, out: int) -> str:
        """Linear."""
        return self.add(FullyConnected(), [x, self.random(out, self.type(x).shape[-1]), self.random(out)], "fc")

    def flatten(self, x: str) -> str:
        """Everything but the batch in one axis."""
        return self.add(Reshape((1, self.type(x).size)), [x], "flatten")

    def max_pool(self, x: str, kernel: int = 2, stride: int = 2, padding: int = 0) -> str:
        """MaxPool2d."""
        return self.wrapped(MaxPool2D((kernel, kernel), (stride, stride), (padding,) * 4), x)

    def global_pool(self, x: str) -> str:
        """AvgPool2d over the whole image."""
        size = self.type(x).shape[2:]
        return self.wrapped(AveragePool2D(size, size), x)


def resnet() -> Graph:
    """Two stages of ResNet-18 with its stem and head."""
    s = Source("resnet")
    x = s.relu(s.norm(s.conv(s.image(3, 20, 16), 8, 7, 2)))
    x = s.max_pool(x, 3, 2, 1)
    for out, stride in ((8, 1), (8, 1), (12, 2), (12, 1)):
        x = s.block(x, out, stride)
    return s.finish([s.linear(s.flatten(s.global_pool(x)), 5)])


def mobilenet_v2() -> Graph:
    """Inverted residuals with ReLU6, global mean, classifier."""
    s = Source("mobilenet_v2")
    x = s.add(RELU6, [s.norm(s.conv(s.image(3, 16, 16), 8, 3, 2))], "a")
    for out, expand, stride in ((8, 2, 1), (12, 3, 2), (12, 3, 1)):
        x = s.inverted(x, out, expand, stride, RELU6)
    return s.finish([s.linear(s.add(Mean((2, 3), keepdims=False), [x], "mean"), 5)])


def mobilenet_v3(activation: Any, gate: Any) -> Graph:
    """Inverted residuals with squeeze and excitation."""
    s = Source("mobilenet_v3")
    x = s.add(activation, [s.norm(s.conv(s.image(3, 16, 16), 8, 3, 2))], "a")
    for out, expand, stride in ((8, 2, 1), (12, 3, 2), (12, 3, 1)):
        x = s.inverted(x, out, expand, stride, activation, gate)
    x = s.add(Mean((2, 3), keepdims=True), [x], "mean")
    return s.finish([s.linear(s.add(activation, [s.linear(s.flatten(x), 6)], "a"), 5)])


def unet() -> Graph:
    """Two levels; transposed convolution and resize; concatenation of the skips; an image as output."""
    s = Source("unet")

    def double(x: str, out: int) -> str:
        return s.relu(s.norm(s.conv(s.relu(s.norm(s.conv(x, out))), out)))

    top = double(s.image(3, 16, 16), 4)
    middle = double(s.max_pool(top), 8)
    bottom = double(s.max_pool(middle), 12)
    x = double(s.add(Concat(1), [s.up(bottom, 8), middle], "skip"), 8)
    wide = s.wrapped(ResizeNearest((16, 16), False, False), x)
    x = double(s.add(Concat(1), [wide, top], "skip"), 4)
    return s.finish([s.conv(x, 2, 1)])


def cnn_1d() -> Graph:
    """Residual 1-D convolutions, then a flatten."""
    s = Source("cnn_1d")
    x = s.relu(s.norm(s.conv_1d(s.sequence(3, 24), 6)))
    y = s.relu(s.norm(s.conv_1d(x, 6)))
    x = s.add(Add(), [x, s.norm(s.conv_1d(y, 6))], "add")
    x = s.wrapped_1d(MaxPool2D((1, 2), (1, 2)), s.relu(x))
    x = s.add(Concat(1), [x, s.relu(s.conv_1d(x, 4))], "concat")
    return s.finish([s.linear(s.relu(s.linear(s.flatten(x), 7)), 3)])


def vgg() -> Graph:
    """Convolutions, a flatten of an image, fully connected layers with batch norm and two heads."""
    s = Source("vgg")
    x = s.max_pool(s.relu(s.conv(s.image(3, 8, 6), 5)))
    features = s.relu(s.norm(s.flatten(x)))
    return s.finish([s.linear(features, 4), s.linear(features, 2)])


def autoencoder() -> Graph:
    """Image to code and back: the decoder's first layer makes an image."""
    s = Source("autoencoder")
    x = s.relu(s.conv(s.image(3, 8, 8), 4, 3, 2))
    code = s.linear(s.flatten(x), 6)
    x = s.add(Reshape((1, 4, 4, 4)), [s.relu(s.linear(code, 64))], "view")
    return s.finish([s.up(x, 3)])
