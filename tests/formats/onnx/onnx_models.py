"""Composite models written by hand, as exporters write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx_oracle import make_model, node

__all__ = ["MODELS", "cnn1d", "mlp", "residual", "separable", "squeeze_excite", "unet"]


class Weights:
    """Hands out named random weights."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.consts: dict[str, Any] = {}

    def __call__(self, *shape: int) -> str:
        """A new weight of this shape, scaled so that activations keep their size."""
        name = f"w{len(self.consts)}"
        fan_in = max(int(np.prod(shape[1:])), 1)
        self.consts[name] = (self.rng.normal(size=shape) / np.sqrt(fan_in)).astype(np.float32)
        return name

    def put(self, value: Any) -> str:
        """A given constant."""
        name = f"k{len(self.consts)}"
        self.consts[name] = value
        return name

    def norm(self, channels: int) -> list[str]:
        """Scale, bias, mean and variance of a batch normalisation."""
        names = [self(channels) for _ in range(4)]
        for name in (names[0], names[3]):
            self.consts[name] = (self.rng.uniform(0.5, 1.5, channels)).astype(np.float32)
        return names


def _conv(w: Weights, x: str, y: str, o: int, i: int, k: int, **attrs: Any) -> onnx.NodeProto:
    pads = attrs.pop("pads", [k // 2] * 4)
    return node("Conv", [x, w(o, i, k, k), w(o)], [y], pads=pads, **attrs)


def mlp() -> onnx.ModelProto:
    """Three layers on a row."""
    w = Weights(1)
    nodes = [
        node("Gemm", ["x", w(32, 20), w(32)], ["a"], transB=1),
        node("Relu", ["a"], ["b"]),
        node("MatMul", ["b", w(32, 16)], ["c"]),
        node("Add", ["c", w(16)], ["d"]),
        node("Tanh", ["d"], ["e"]),
        node("Gemm", ["e", w(16, 4), w(4)], ["f"]),
        node("Softmax", ["f"], ["y"]),
    ]
    return make_model(nodes, {"x": ("batch", 20)}, ["y"], w.consts)


def cnn1d() -> onnx.ModelProto:
    """A network for signals, with torch's flatten by Shape, Gather and Concat."""
    w = Weights(2)
    nodes = [
        node("Conv", ["x", w(8, 3, 5), w(8)], ["a"], pads=[2, 2], strides=[2]),
        node("BatchNormalization", ["a", *w.norm(8)], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2], strides=[2]),
        node("Conv", ["d", w(8, 1, 3), w(8)], ["e"], group=8, pads=[1, 1]),
        node("LeakyRelu", ["e"], ["f"], alpha=0.1),
        node("Shape", ["f"], ["s"]),
        node("Gather", ["s", w.put(np.int64(0))], ["n"]),
        node("Unsqueeze", ["n", w.put(np.array([0]))], ["n1"]),
        node("Concat", ["n1", w.put(np.array([-1]))], ["shape"], axis=0),
        node("Reshape", ["f", "shape"], ["g"]),
        node("Gemm", ["g", w(5, 64), w(5)], ["y"], transB=1),
    ]
    return make_model(nodes, {"x": ("N", 3, 32)}, ["y"], w.consts)


def separable() -> onnx.ModelProto:
    """A small keyword network: depthwise separable blocks with ReLU6."""
    w = Weights(3)
    six = [w.put(np.float32(0)), w.put(np.float32(6))]
    nodes = [_conv(w, "x", "a", 8, 1, 3, strides=[2, 2]), node("Clip", ["a", *six], ["b"])]
    for i, name in enumerate(("b", "c")):
        nodes += [
            _conv(w, name, f"d{i}", 8, 1, 3, group=8),
            node("BatchNormalization", [f"d{i}", *w.norm(8)], [f"e{i}"]),
            node("Clip", [f"e{i}", *six], [f"f{i}"]),
            _conv(w, f"f{i}", f"g{i}", 8, 8, 1),
            node("Relu", [f"g{i}"], ["c" if i == 0 else "z"]),
        ]
    nodes += [
        node("AveragePool", ["z"], ["p"], kernel_shape=[10, 5], strides=[10, 5]),
        node("Flatten", ["p"], ["q"]),
        node("Gemm", ["q", w(12, 8), w(12)], ["y"], transB=1),
    ]
    return make_model(nodes, {"x": ("N", 1, 20, 10)}, ["y"], w.consts)


def residual() -> onnx.ModelProto:
    """A residual block with a strided shortcut."""
    w = Weights(4)
    nodes = [
        _conv(w, "x", "a", 8, 3, 3, strides=[2, 2]),
        node("BatchNormalization", ["a", *w.norm(8)], ["b"]),
        node("Relu", ["b"], ["c"]),
        _conv(w, "c", "d", 8, 8, 3),
        _conv(w, "x", "e", 8, 3, 1, strides=[2, 2]),
        node("Add", ["d", "e"], ["f"]),
        node("Relu", ["f"], ["g"]),
        node("GlobalAveragePool", ["g"], ["h"]),
        node("Reshape", ["h", w.put(np.array([-1, 8]))], ["i"]),
        node("Gemm", ["i", w(10, 8), w(10)], ["y"], transB=1),
    ]
    return make_model(nodes, {"x": ("N", 3, 12, 12)}, ["y"], w.consts)


def unet() -> onnx.ModelProto:
    """Down, and up by a transposed convolution and by a resize, with skips."""
    w = Weights(5)
    nodes = [
        _conv(w, "x", "a", 6, 3, 3),
        node("Relu", ["a"], ["skip1"]),
        node("MaxPool", ["skip1"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
        _conv(w, "b", "c", 8, 6, 3),
        node("Relu", ["c"], ["skip2"]),
        node("MaxPool", ["skip2"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        _conv(w, "d", "e", 8, 8, 3),
        node("ConvTranspose", ["e", w(8, 8, 2, 2), w(8)], ["f"], strides=[2, 2]),
        node("Concat", ["f", "skip2"], ["g"], axis=1),
        _conv(w, "g", "h", 6, 16, 3),
        node("Resize", ["h", "", w.put(np.array([1, 1, 2, 2], np.float32))], ["i"], mode="linear"),
        node("Concat", ["i", "skip1"], ["j"], axis=1),
        _conv(w, "j", "k", 2, 12, 1),
        node("Sigmoid", ["k"], ["y"]),
    ]
    return make_model(nodes, {"x": ("N", 3, 8, 12)}, ["y"], w.consts)


def squeeze_excite() -> onnx.ModelProto:
    """A block of MobileNetV3: expand, hard-swish, squeeze and excite, project."""
    w = Weights(6)
    nodes = [
        _conv(w, "x", "a", 12, 4, 1),
        node("HardSwish", ["a"], ["b"]),
        _conv(w, "b", "c", 12, 1, 5, group=12),
        node("ReduceMean", ["c"], ["d"], axes=[2, 3]),
        _conv(w, "d", "e", 4, 12, 1),
        node("Relu", ["e"], ["f"]),
        _conv(w, "f", "g", 12, 4, 1),
        node("HardSigmoid", ["g"], ["h"], alpha=1 / 6),
        node("Mul", ["c", "h"], ["i"]),
        _conv(w, "i", "j", 4, 12, 1),
        node("Add", ["j", "x"], ["y"]),
    ]
    return make_model(nodes, {"x": ("N", 4, 7, 7)}, ["y"], w.consts)


def _all() -> Sequence[Any]:
    return [mlp, cnn1d, separable, residual, unet, squeeze_excite]


MODELS = {build.__name__: build for build in _all()}
