"""A small network with every kind of linear layer, its data, and its error: what learned rounding is tested on."""

from __future__ import annotations

import numpy as np

from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.num.formats import Format, WeightFormat
from octavo.ops import Clip, Conv2D, DepthwiseConv2D, FullyConnected, Mean, Reshape
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run

__all__ = ["FORMATS", "error", "images", "network", "quantized"]

FORMATS = {
    "int8": WeightFormat(),
    "int4": WeightFormat(bits=4),
    "int3 per tensor": WeightFormat(bits=3, granularity="per-tensor"),
    "int4 groups": WeightFormat(bits=4, granularity="per-group", group_size=8),
    "log2": WeightFormat("log2", 4),
    "power of two": WeightFormat(bits=6, power_of_two=True),
}


def network() -> Graph:
    """A padded strided convolution, a depthwise one with a multiplier, a grouped and a fully connected layer."""
    rng, b = np.random.default_rng(0), GraphBuilder("net")

    def parameters(shape: tuple[int, ...], axis: int) -> list[str]:
        name = f"p{len(shapes)}"
        shapes.append(shape)
        fan_in = np.prod(shape) / shape[axis]
        w = (rng.normal(size=shape) * np.sqrt(2 / fan_in)).astype(np.float32)
        return [b.const(w, f"{name}.w"), b.const(rng.normal(size=shape[axis]).astype(np.float32) / 4, f"{name}.b")]

    shapes: list[tuple[int, ...]] = []
    x = b.input("x", TensorType((1, 9, 9, 4)))
    relu = Clip(0.0)
    x = b.add(Conv2D((2, 2), (0, 1, 1, 1), activation=relu), [x, *parameters((8, 3, 3, 4), 0)], "conv")
    x = b.add(DepthwiseConv2D(padding=(1, 1, 1, 1), activation=relu), [x, *parameters((1, 3, 3, 16), 3)], "depthwise")
    x = b.add(Conv2D(groups=2, activation=relu), [x, *parameters((12, 1, 1, 8), 0)], "grouped")
    x = b.add(Mean((1, 2), False), [x], "mean")
    x = b.add(Reshape((1, 12)), [x], "flat")
    return b.finish([b.add(FullyConnected(), [x, *parameters((10, 12), 0)], "head")])


def images(count: int, seed: int = 1) -> np.ndarray:
    """Smooth in space, so that the windows' pixels depend on each other."""
    x = np.random.default_rng(seed).normal(size=(count, 11, 11, 4))
    return (x[:, :9, :9] + x[:, 1:10, :9] + x[:, 1:10, 1:10] + x[:, 2:, 2:]).astype(np.float32) / 2


def quantized(weights: WeightFormat) -> Quantized:
    return quantize_graph(network(), [images(64)], Scheme(Format("test", weights), "mse", "mse"))


def error(q: Quantized, data: np.ndarray) -> float:
    expected = float_run(q.graph, {"x": data})[q.graph.outputs[0]]
    return float((simulate(q, {"x": data})[q.graph.outputs[0]] - expected).square().mean())
