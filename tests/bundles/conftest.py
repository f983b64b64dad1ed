"""Three small networks compiled for one target: one of int8, one with int16 and several edges, one other of int8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.build import Build
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.num.formats import find_format
from octavo.package import export
from octavo.quant.quantize import Scheme, quantize_graph

Builds = Mapping[str, Build]
TARGET = "cortex-m0"  # portable kernels: they run on every board


def images(name: str, size: int, channels: int, classes: int) -> Graph:
    """A convolution, an addition that keeps its input alive, and a classifier."""
    rng = np.random.default_rng(size)
    b = GraphBuilder(name)
    x = b.input("image", TensorType((1, size, size, channels)))
    w, bias = b.const(rng.normal(size=(6, 3, 3, channels)) * 0.3, "w"), b.const(rng.normal(size=6), "b")
    y = b.add(ops.Conv2D((1, 1), (1, 1, 1, 1), activation=ops.Clip(0.0, 6.0)), [x, w, bias], "conv")
    w, bias = b.const(rng.normal(size=(1, 3, 3, 6)) * 0.3, "w"), b.const(rng.normal(size=6), "b")
    y = b.add(ops.Add(), [y, b.add(ops.DepthwiseConv2D((1, 1), (1, 1, 1, 1)), [y, w, bias], "depthwise")], "sum")
    y = b.add(ops.Mean((1, 2)), [y], "mean")
    w, bias = b.const(rng.normal(size=(classes, 6)), "w"), b.const(rng.normal(size=classes), "b")
    return b.finish([b.add(ops.FullyConnected(), [y, w, bias], "fc")])


def signals() -> Graph:
    """Two inputs of odd sizes, two outputs."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("signals")
    left, right = b.input("left", TensorType((1, 7))), b.input("right", TensorType((1, 7)))
    w, bias = b.const(rng.normal(size=(7, 7)), "w"), b.const(rng.normal(size=7), "b")
    hidden = b.add(ops.Tanh(), [b.add(ops.FullyConnected(), [left, w, bias], "fc")], "tanh")
    return b.finish([b.add(ops.Mul(), [hidden, right], "product"), b.add(ops.Sigmoid(), [hidden], "gate")])


NETWORKS = {
    "eye": (images("eye", 9, 3, 5), Scheme()),
    "ear": (signals(), Scheme(find_format("16x8"))),
    "hand": (images("hand", 6, 2, 3), Scheme()),
}


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """By prefix, in folders of the same name. To be copied before they are changed."""
    root = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(1)
    made = {}
    for name, (graph, scheme) in NETWORKS.items():
        data = {x: rng.normal(size=(16, *graph.types[x].shape[1:])).astype(np.float32) for x in graph.inputs}
        made[name] = export(quantize_graph(graph, [data], scheme), root / name, name, TARGET)
    return made


@pytest.fixture
def folders(builds: Builds) -> list[Path]:
    return [build.folder for build in builds.values()]
