"""The writer of float networks. Oracles: ONNX Runtime runs the file, and the reader gives the same function back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx_oracle import run_octavo

from octavo.formats.onnx import read_onnx, write_onnx
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ops import OPERATORS, Concat, Conv2D, Identity
from octavo.passes import normalize
from octavo.passes.proof import difference
from octavo.run.float_run import float_run

EXAMPLES = [(name, i, e) for name, cls in sorted(OPERATORS.items()) for i, e in enumerate(cls.examples())]


def of_one(example: Any) -> Graph:
    builder, values = GraphBuilder("one"), []
    for index, type_ in enumerate(example.inputs):
        const = example.consts.get(index)
        values.append(builder.input(f"in{index}", type_) if const is None else builder.const(const, f"in{index}"))
    return builder.finish([builder.add(example.op, values, "y")])


@pytest.mark.parametrize(("name", "index", "example"), EXAMPLES, ids=[f"{n}-{i}" for n, i, _ in EXAMPLES])
def test_every_operator(name: str, index: int, example: Any, tmp_path: Path) -> None:
    graph = of_one(example)
    rng = np.random.default_rng(index)
    # Positive, so that logarithms and roots have a value.
    inputs = {n: np.abs(rng.normal(size=(2, *graph.types[n].shape[1:]))).astype(np.float32) + 0.1 for n in graph.inputs}
    expected = float_run(graph, inputs)["y"].numpy()
    data = write_onnx(graph)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, inputs)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5 * np.abs(expected).max())
    path = tmp_path / "one.onnx"
    path.write_bytes(data)
    (again,) = run_octavo(read_onnx(path), inputs)
    np.testing.assert_allclose(again, expected, rtol=2e-5, atol=1e-5 * np.abs(expected).max())


def test_the_users_order_of_axes_stays(tmp_path: Path) -> None:
    rng, b = np.random.default_rng(0), GraphBuilder("net")
    x = b.input("x", TensorType((1, 6, 5, 3)))
    b.layout(x, (0, 2, 3, 1))
    weights = [b.const(rng.normal(size=shape), "w") for shape in ((4, 3, 3, 3), (4,))]
    y = b.add(Conv2D(), [x, *weights], "conv")
    graph = b.finish([b.add(Concat(3), [y, b.add(Identity(), [y], "same")], "y")])
    path = tmp_path / "net.onnx"
    path.write_bytes(write_onnx(graph))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == [3, 6, 5] and session.get_outputs()[0].shape[1:] == [4, 3, 8]
    assert max(difference(graph, normalize(read_onnx(path))).values()) < 1e-6
