"""One small network, built once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from octavo import ops
from octavo.build import Build
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.package import export
from octavo.quant.quantize import quantize_graph
from octavo.run.integer_run import integer_run


def network() -> Graph:
    rng = np.random.default_rng(0)
    b = GraphBuilder("small")
    x = b.input("image", TensorType((1, 9, 8, 3)))

    def parameters(*shape: int, outputs: int) -> list[str]:
        return [b.const(rng.normal(size=shape) * 0.3, "w"), b.const(rng.normal(size=outputs), "b")]

    y = b.add(
        ops.Conv2D((1, 1), (1, 1, 1, 1), activation=ops.Clip(0.0, 6.0)), [x, *parameters(8, 3, 3, 3, outputs=8)], "c"
    )
    z = b.add(ops.DepthwiseConv2D((1, 1), (1, 1, 1, 1)), [y, *parameters(1, 3, 3, 8, outputs=8)], "d")
    z = b.add(ops.Add(), [y, z], "sum")
    z = b.add(ops.Mean((1, 2)), [b.add(ops.HardSwish(), [z], "act")], "mean")
    z = b.add(ops.FullyConnected(), [z, *parameters(5, 8, outputs=5)], "fc")
    return b.finish([b.add(ops.Softmax(), [z], "softmax")])


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    data = np.random.default_rng(1).normal(size=(16, 9, 8, 3)).astype(np.float32)
    return export(quantize_graph(network(), [data]), tmp_path_factory.mktemp("device") / "build")


@pytest.fixture(scope="session")
def samples(build: Build) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Random inputs int8 [N, bytes], and the integer executor's outputs."""
    x = np.random.default_rng(2).integers(-128, 128, (11, 9, 8, 3)).astype(np.int8)
    y = integer_run(build.model.graph, {"image": x})[build.model.graph.outputs[0]].numpy()
    return x.reshape(11, -1), y.reshape(11, -1)
