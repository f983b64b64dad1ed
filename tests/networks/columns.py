"""Random networks of layers that slide over an image: what can run strip by strip."""

from __future__ import annotations

import numpy as np

from octavo import ops
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.lower.lower import IntegerModel, lower
from octavo.num.formats import find_format
from octavo.quant.quantize import Scheme, quantize_graph

__all__ = ["column"]


def column(seed: int, layers: int = 6, format: str = "affine", channels: int = 9, size: int = 24) -> IntegerModel:
    """Convolutions, depthwise and pointwise ones, pools, tables and sums, with kernels, strides and paddings of any
    kind, then a mean and a head; lowered."""
    rng, b = np.random.default_rng(seed), GraphBuilder("column")
    shape = (1, int(rng.integers(size // 2, size + 1)), int(rng.integers(5, 12)), int(rng.integers(1, channels)))
    values = [b.input("x", TensorType(shape))]

    def parameters(weights: tuple[int, ...], axis: int) -> list[str]:
        w = rng.normal(size=weights) * np.sqrt(2 * weights[axis] / np.prod(weights))
        return [b.const(w.astype(np.float32), "w"), b.const(rng.normal(size=weights[axis]).astype(np.float32) / 4, "b")]

    def window(height: int, width: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
        kernel = int(rng.integers(1, min(height, 5) + 1)), int(rng.integers(1, min(width, 3) + 1))
        stride = int(rng.integers(1, 4 if height > 8 else 2)), int(rng.integers(1, 3 if width > 5 else 2))
        pads = [int(rng.integers(0, k)) for k in (kernel[0], kernel[0], kernel[1], kernel[1])]
        return kernel, stride, (pads[0], pads[1], pads[2], pads[3])

    for index in range(layers):
        x = values[-1]
        _, height, width, c = b.type(x).shape
        kernel, stride, padding = window(height, width)
        kind = int(rng.integers(0, 6))
        out = int(rng.integers(1, channels))
        relu = ops.Clip(0.0, 6.0 if rng.integers(0, 2) else float("inf"))
        if kind == 0:
            x = b.add(
                ops.Conv2D(stride, padding, activation=relu), [x, *parameters((out, *kernel, c), 0)], f"conv{index}"
            )
        elif kind == 1:
            weights = parameters((1, *kernel, c), 3)
            x = b.add(ops.DepthwiseConv2D(stride, padding, activation=relu), [x, *weights], f"depthwise{index}")
        elif kind == 2:
            x = b.add(ops.Conv2D(), [x, *parameters((out, 1, 1, c), 0)], f"pointwise{index}")
        elif kind == 3:
            pool = (ops.MaxPool2D, ops.AveragePool2D)[int(rng.integers(0, 2))]
            x = b.add(pool(kernel, stride, padding if rng.integers(0, 3) == 0 else (0, 0, 0, 0)), [x], f"pool{index}")
        elif kind == 4:
            x = b.add(ops.Sigmoid(), [x], f"sigmoid{index}")
        else:
            same = [value for value in values if b.type(value) == b.type(x)]
            x = b.add(ops.Add(), [x, same[int(rng.integers(0, len(same)))]], f"sum{index}")
        values.append(x)
    c = b.type(values[-1]).shape[-1]
    flat = b.add(ops.Reshape((1, c)), [b.add(ops.Mean((1, 2)), [values[-1]], "mean")], "flat")
    graph = b.finish([b.add(ops.FullyConnected(), [flat, *parameters((5, c), 0)], "head")])
    data = rng.normal(size=(6, *shape[1:])).astype(np.float32)
    return lower(quantize_graph(graph, [data], Scheme(find_format(format))))
