"""Two small networks, each compiled to a folder named after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.package import export
from octavo.quant.quantize import quantize_graph

NAMES = ("wakeword", "Gesture_2")


def network(classes: int) -> Graph:
    rng = np.random.default_rng(classes)
    b = GraphBuilder("small")
    x = b.input("image", TensorType((1, 6, 6, 2)))
    w, bias = b.const(rng.normal(size=(4, 3, 3, 2)), "w"), b.const(rng.normal(size=4), "b")
    y = b.add(ops.Conv2D((1, 1), (1, 1, 1, 1), activation=ops.Clip(0.0, 6.0)), [x, w, bias], "conv")
    y = b.add(ops.Mean((1, 2)), [y], "mean")
    w, bias = b.const(rng.normal(size=(classes, 4)), "w"), b.const(rng.normal(size=classes), "b")
    return b.finish([b.add(ops.FullyConnected(), [y, w, bias], "fc")])


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The folders that a user takes, by ``NAMES``. To be copied before they are changed."""
    data = np.random.default_rng(1).normal(size=(16, 6, 6, 2)).astype(np.float32)
    root = tmp_path_factory.mktemp("packages")
    builds = [export(quantize_graph(network(3 + i), [data]), root / f"build{i}", name) for i, name in enumerate(NAMES)]
    return tuple(build.c_dir for build in builds)


@pytest.fixture
def library(libraries: tuple[Path, ...]) -> Path:
    return libraries[0]
