"""Random small networks, drawn by hypothesis: every operator with an integer form, joined at random."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from octavo import ops
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ops import Clip

__all__ = ["networks"]

ACTIVATIONS = (ops.NONE, Clip(0.0), Clip(0.0, 6.0), Clip(-1.0, 1.0))
UNARY = (
    ops.Sigmoid(), ops.Tanh(), ops.HardSwish(), ops.HardSigmoid(), ops.LeakyRelu(0.1), ops.LeakyRelu(-0.3), ops.Elu(),
    ops.Silu(), ops.Gelu(), ops.Clip(0.0), ops.Abs(), ops.Softplus(), ops.Square(), ops.Requantize(), ops.Neg(),
)  # fmt: skip
UNARY_HALF = (
    ops.Sigmoid(), ops.Tanh(), ops.HardSwish(), ops.LeakyRelu(0.1), ops.LeakyRelu(-0.3), ops.Silu(), ops.Clip(0.0),
    ops.Requantize(),
)  # fmt: skip
"""Those with a float16 form."""


class _Drawer:
    """Adds random operators to a builder, with ``half`` those that have a float16 form.

    ``values`` are the rank-4 values drawn so far.
    """

    def __init__(self, draw: st.DrawFn, half: bool) -> None:
        self.draw, self.half = draw, half
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.builder = GraphBuilder("random")
        self.values: list[str] = []

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self) -> tuple[str, tuple[int, ...]]:
        """Mostly the newest value, so that chains grow; sometimes any, so that branches do."""
        newest = self.draw(st.integers(0, 3)) > 0
        value = self.values[-1 if newest else self.draw(st.integers(0, len(self.values) - 1))]
        return value, self.builder.type(value).shape

    def weights(self, *shape: int) -> str:
        scale = (
            1.5 / np.sqrt(max(np.prod(shape[1:]), 1)) * self.rng.uniform(0.2, 3.0, (shape[0], *[1] * (len(shape) - 1)))
        )
        return self.builder.const((self.rng.normal(size=shape) * scale).astype(np.float32), "w")

    def bias(self, size: int) -> str:
        return self.builder.const(self.rng.normal(size=size).astype(np.float32) * 0.3, "b")

    def geometry(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
        kernel = tuple(min(self.integer(1, 5), size + 2) for size in shape[1:3])
        pads = [self.integer(0, (k - 1) // 2 + (k > 1 and k - 1 < 2)) for k in kernel for _ in range(2)]
        for axis in (0, 1):
            if shape[1 + axis] + pads[2 * axis] + pads[2 * axis + 1] < kernel[axis]:
                pads[2 * axis] = kernel[axis] - 1
        stride = self.integer(1, 2), self.integer(1, 2)
        return (kernel[0], kernel[1]), stride, (pads[0], pads[1], pads[2], pads[3])

    def activation(self) -> Clip:
        return self.draw(st.sampled_from(ACTIVATIONS))

    def conv(self) -> str:
        x, shape = self.pick()
        kernel, stride, padding = self.geometry(shape)
        groups = 2 if shape[3] % 2 == 0 and self.draw(st.booleans()) else 1
        out = groups * self.integer(1, 5)
        op = ops.Conv2D(stride, padding, (1, 1), groups, self.activation())
        return self.add(op, x, self.weights(out, *kernel, shape[3] // groups), self.bias(out))

    def depthwise(self) -> str:
        x, shape = self.pick()
        kernel, stride, padding = self.geometry(shape)
        out = shape[3] * self.integer(1, 2)
        w = self.rng.normal(size=(1, *kernel, out)) * self.rng.uniform(0.05, 2.0, (1, 1, 1, out))
        const = self.builder.const(w.astype(np.float32), "w")
        return self.add(ops.DepthwiseConv2D(stride, padding, (1, 1), self.activation()), x, const, self.bias(out))

    def transpose_conv(self) -> str:
        x, shape = self.pick()
        if max(shape[1:3]) > 10 or self.half:
            return x
        kernel, stride = (self.integer(1, 3), self.integer(1, 3)), (self.integer(1, 2), self.integer(1, 2))
        out = self.integer(1, 4)
        return self.add(ops.TransposeConv2D(stride), x, self.weights(out, *kernel, shape[3]), self.bias(out))

    def pool(self) -> str:
        x, shape = self.pick()
        kernel, stride, padding = self.geometry(shape)
        if self.draw(st.booleans()):
            padding = tuple(min(p, kernel[i // 2] - 1) for i, p in enumerate(padding))  # type: ignore[assignment]
            if any(shape[1 + a] + padding[2 * a] + padding[2 * a + 1] < kernel[a] for a in (0, 1)):
                return x
            return self.add(ops.MaxPool2D(kernel, stride, padding), x)
        if any(shape[1 + axis] < kernel[axis] for axis in (0, 1)):
            return x
        return self.add(ops.AveragePool2D(kernel, stride), x)

    def unary(self) -> str:
        x, _ = self.pick()
        return self.add(self.draw(st.sampled_from(UNARY_HALF if self.half else UNARY)), x)

    def prelu(self) -> str:
        x, shape = self.pick()
        alpha = self.builder.const(self.rng.normal(size=shape[3]).astype(np.float32) * 0.3, "alpha")
        return self.add(ops.Prelu(), x, alpha)

    def binary(self) -> str:
        x, shape = self.pick()
        same = [v for v in self.values if self.builder.type(v).shape == shape]
        kind = self.draw(st.sampled_from((ops.Add, ops.Sub, ops.Mul, ops.Maximum, ops.Minimum)))
        op = kind(self.activation()) if kind in (ops.Add, ops.Sub, ops.Mul) else kind()
        if self.draw(st.booleans()):
            other = self.draw(st.sampled_from(same))
        else:
            constant = self.rng.normal(size=(1, 1, 1, shape[3])).astype(np.float32)
            other = self.builder.const(constant, "c")
        return self.add(op, x, other)

    def squeeze_excite(self) -> str:
        x, shape = self.pick()
        pooled = self.add(ops.Mean((1, 2), True), x)
        gate = self.add(ops.Conv2D(), pooled, self.weights(shape[3], 1, 1, shape[3]), self.bias(shape[3]))
        return self.add(ops.Mul(), x, self.add(ops.Sigmoid() if self.half else ops.HardSigmoid(), gate))

    def concat(self) -> str:
        x, shape = self.pick()
        fitting = [v for v in self.values if self.builder.type(v).shape[:3] == shape[:3]]
        others = self.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))
        return self.add(ops.Concat(3), x, *others)

    def move(self) -> str:
        x, (n, h, w, c) = self.pick()
        kind = self.integer(0, 3)
        if kind == 0 and max(h, w) < 12:
            return self.add(ops.Pad((0, 1, 0, 0), (0, 0, 2, 1), 0.0), x)
        if kind == 1:
            begin = (0, self.integer(0, h - 1), self.integer(0, w - 1), self.integer(0, c - 1))
            return self.add(ops.Slice(begin, (n, h, w, c), (1, self.integer(1, 2), 1, 1)), x)
        if kind == 2:
            return self.add(ops.Transpose((0, 2, 1, 3)), x)
        if max(h, w) < 10:
            op = self.draw(st.sampled_from((ops.ResizeNearest, *(() if self.half else (ops.ResizeBilinear,)))))
            half = self.draw(st.booleans())
            return self.add(op((h * 2, w * 2), False, half), x)
        return x

    def add(self, op: ops.Op, *inputs: str) -> str:
        return self.builder.add(op, list(inputs), type(op).__name__.lower())

    def head(self) -> list[str]:
        """One or two outputs: a classifier, and perhaps a feature map."""
        x, shape = self.pick()
        pooled = self.add(ops.Mean((1, 2), False), x)
        classes = self.integer(2, 9)
        logits = self.add(ops.FullyConnected(), pooled, self.weights(classes, shape[3]), self.bias(classes))
        outputs = [self.add(ops.Softmax(), logits) if self.draw(st.booleans()) else logits]
        extra, _ = self.pick()
        if self.draw(st.booleans()) and extra != self.values[0]:
            outputs.append(extra)
        return outputs


STEPS = (
    "conv", "conv", "depthwise", "depthwise", "transpose_conv", "pool", "unary", "prelu", "binary", "binary",
    "squeeze_excite", "concat", "move",
)  # fmt: skip


@st.composite
def networks(draw: st.DrawFn, half: bool = False) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """A graph of 5 to 12 random operators and a head, and 6 random samples of its inputs.

    With ``half`` all operators have a float16 form.
    """
    drawer = _Drawer(draw, half)
    shape = TensorType((1, drawer.integer(1, 9), drawer.integer(1, 9), drawer.integer(1, 5)))
    for _ in range(drawer.integer(1, 2)):
        drawer.values.append(drawer.builder.input("x", shape))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=5, max_size=12)):
        value = getattr(drawer, step)()
        if value not in drawer.values:
            drawer.values.append(value)
    graph = drawer.builder.finish(drawer.head())
    inputs = {
        name: drawer.rng.normal(size=(6, *graph.types[name].shape[1:])).astype(np.float32) for name in graph.inputs
    }
    return graph, inputs
