"""Networks whose constants are streamed, and how they are compiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from octavo import ops
from octavo.build import Build
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.num.formats import find_format
from octavo.package import export
from octavo.quant.quantize import Scheme, quantize_graph
from tests.bundles.conftest import NETWORKS as BUNDLED
from tests.device.conftest import network

__all__ = ["NETWORKS", "compiled", "quantized"]


def pieces() -> Graph:
    """Every kind of layer that is cut: convolutions with and without a window, of one pixel, vectors and rows of them.

    Channels are no multiples of four, two layers read what another wrote, and the last is an output.
    """
    rng = np.random.default_rng(5)
    b = GraphBuilder("pieces")

    def linear(op: ops.Conv2D | ops.FullyConnected, x: str, *shape: int, name: str) -> str:
        w, bias = b.const(rng.normal(size=shape) * 0.3, "w"), b.const(rng.normal(size=shape[0]), "b")
        return b.add(op, [x, w, bias], name)

    x = b.input("image", TensorType((1, 6, 5, 3)))
    y = linear(ops.Conv2D((1, 1), (1, 1, 1, 1), activation=ops.Clip(0.0, 6.0)), x, 22, 3, 3, 3, name="window")
    z = linear(ops.Conv2D((1, 1), (0, 0, 0, 0)), y, 22, 1, 1, 22, name="point")
    y = b.add(ops.Add(), [y, z], "sum")
    y = linear(ops.Conv2D((2, 2), (1, 1, 1, 1)), y, 13, 3, 3, 22, name="strided")
    rows = b.add(ops.Reshape((1, 9, 13)), [y], "rows")
    rows = linear(ops.FullyConnected(), rows, 11, 13, name="each row")
    y = b.add(ops.Mean((1, 2)), [y], "mean")
    y = linear(ops.FullyConnected(), y, 40, 13, name="hidden")
    y = b.add(ops.HardSwish(), [y], "act")
    pixel = linear(ops.Conv2D((1, 1), (0, 0, 0, 0)), b.add(ops.Reshape((1, 1, 1, 40)), [y], "pixel"), 10, 1, 1, 40,
                   name="of one pixel")  # fmt: skip
    return b.finish([rows, pixel, linear(ops.FullyConnected(), y, 18, 40, name="classes")])


def wide() -> Graph:
    """One layer of 36,000 weights."""
    rng = np.random.default_rng(6)
    b = GraphBuilder("wide")
    x = b.input("x", TensorType((1, 200)))
    w, bias = b.const(rng.normal(size=(180, 200)) * 0.1, "w"), b.const(rng.normal(size=180), "b")
    return b.finish([b.add(ops.FullyConnected(), [x, w, bias], "fc")])


NETWORKS: dict[str, tuple[Graph, Scheme]] = {
    "small": (network(), Scheme()),
    "pieces": (pieces(), Scheme()),
    "pieces of int16": (pieces(), Scheme(find_format("16x8"))),
    "wide": (wide(), Scheme()),
    **BUNDLED,
}


def quantized(net: str) -> Quantized:
    """With ranges of random data."""
    graph, scheme = NETWORKS[net]
    rng = np.random.default_rng(1)
    data = {x: rng.normal(size=(16, *graph.types[x].shape[1:])).astype(np.float32) for x in graph.inputs}
    return quantize_graph(graph, [data], scheme)


def compiled(
    folder: Path, stream: int | None, target: str = "cortex-m0", net: str = "small", optimize: str = "speed"
) -> Build:
    """Under the name of the folder's model: "model"."""
    return export(quantized(net), folder / "out", "model", target, optimize, stream=stream)
