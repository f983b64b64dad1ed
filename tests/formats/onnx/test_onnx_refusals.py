"""What the ONNX reader refuses, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import residual
from onnx_oracle import make_model, node, read

from octavo.errors import OctavoError
from octavo.formats.onnx import read_onnx

ROW, IMAGE = {"x": (1, 4)}, {"x": (1, 4, 6, 6)}


def relu(**changes: Any) -> onnx.ModelProto:
    """A model of one node."""
    inputs = changes.pop("inputs", ROW)
    return make_model([node("Relu", ["x"], ["y"])], inputs, ["y"], **changes)


def refused(model: onnx.ModelProto, folder: Path, *words: str) -> OctavoError:
    """The error, which holds these words."""
    with pytest.raises(OctavoError) as caught:
        read(model, folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.remedy
    return caught.value


def test_all_unsupported_operators_at_once(tmp_path: Path) -> None:
    nodes = [node("LSTM", ["x"], ["a"]), node("Sin", ["a"], ["b"]), node("Relu", ["b"], ["y"])]
    refused(make_model(nodes, ROW, ["y"]), tmp_path, "2 operators", "LSTM node n_a", "Sin node n_b", "operators.md")


def test_domains_subgraphs_and_functions(tmp_path: Path) -> None:
    custom = helper.make_node("Relu", ["x"], ["y"], domain="my.own")
    refused(make_model([custom], ROW, ["y"]), tmp_path, "my.own.Relu")
    branch = helper.make_graph([node("Relu", ["x"], ["r"])], "b", [], [helper.make_empty_tensor_value_info("r")])
    made = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    refused(make_model([made], {"x": (1, 4), "c": (1,)}, ["y"]), tmp_path, "If node")


def test_quantized_model(tmp_path: Path) -> None:
    consts = {"s": np.float32(0.1), "z": np.int8(0)}
    model = make_model([node("QuantizeLinear", ["x", "s", "z"], ["y"])], ROW, ["y"], consts)
    refused(model, tmp_path, "already quantized", ".tflite")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((4, 4), ("input x", "fixed batch of 4")),
        (("N", 3, "H", 8), ("input x", "dynamic axis 2 (H)")),
        ((), ("input x",)),
        ((1, 2**20, 2**20), ("input x",)),
        ((1, 2**32, 2**32), ("input x",)),
        ((1, -3), ("input x",)),
    ],
)
def test_input_shapes(shape: tuple[Any, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    refused(relu(inputs={"x": shape}), tmp_path, *words)


def test_input_types_and_opsets(tmp_path: Path) -> None:
    refused(relu(elem_type=TensorProto.INT64), tmp_path, "input x", "INT64")
    refused(relu(opset=6), tmp_path, "operator set 6")
    refused(relu(opset=24), tmp_path, "operator set 24")
    model = relu()
    del model.opset_import[:]
    refused(model, tmp_path, "operator set")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(bad: float, tmp_path: Path) -> None:
    weights = np.ones((4, 2), np.float32)
    weights[1, 1] = bad
    model = make_model([node("MatMul", ["x", "fc.weight"], ["y"])], ROW, ["y"], {"fc.weight": weights})
    refused(model, tmp_path, "fc.weight", "NaN or Inf")


BATCH = [
    ("Transpose", {"perm": [1, 0]}, []),
    ("Concat", {"axis": 0}, ["x"]),
    ("Flatten", {"axis": 0}, []),
    ("Softmax", {"axis": 0}, []),
    ("ReduceMean", {}, []),
    ("ReduceMean", {"axes": [0]}, []),
    ("Squeeze", {}, []),
    ("Unsqueeze", {}, ["zero"]),
    ("Gather", {"axis": 0}, ["zero"]),
    ("Reshape", {}, ["flat"]),
    ("Add", {}, ["tall"]),
]


@pytest.mark.parametrize(("op", "attributes", "more"), BATCH, ids=[f"{i}-{row[0]}" for i, row in enumerate(BATCH)])
def test_batch_mixing(op: str, attributes: dict[str, Any], more: list[str], tmp_path: Path) -> None:
    consts = {"zero": np.array([0]), "flat": np.array([4, -1]), "tall": np.ones((3, 4), np.float32)}
    error = refused(make_model([node(op, ["x", *more], ["y"], **attributes)], ROW, ["y"], consts), tmp_path, op)
    assert "batch" in str(error) or "axes" in str(error)


def test_structure(tmp_path: Path) -> None:
    cycle = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])]
    refused(make_model(cycle, ROW, ["b"]), tmp_path, "cycle")
    twice = [node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])]
    refused(make_model(twice, ROW, ["y"]), tmp_path, "second time")
    refused(make_model([node("Relu", ["q"], ["y"])], ROW, ["y"]), tmp_path, "q", "not defined")
    refused(make_model([node("Relu", ["x"], ["y"])], ROW, ["z"]), tmp_path, "output z")
    refused(make_model([node("Relu", ["x"], ["y"])], ROW, ["y", "c"], {"c": np.ones(1)}), tmp_path, "output c")
    refused(make_model([node("Relu", ["c"], ["y"])], ROW, ["y"], {"c": np.ones(1)}), tmp_path, "Relu")


def test_nodes_out_of_order_are_sorted(tmp_path: Path) -> None:
    nodes = [node("Relu", ["a"], ["y"]), node("Tanh", ["x"], ["a"])]
    assert [n.kind for n in read(make_model(nodes, ROW, ["y"]), tmp_path).nodes] == ["Tanh", "Clip"]


def test_attributes(tmp_path: Path) -> None:
    consts = {"w": np.ones((2, 4, 3, 3), np.float32)}
    for attributes in ({"strides": [0, 1]}, {"pads": [1]}, {"group": 3}, {"strides": 2}, {"pads": [2**40] * 4}):
        refused(make_model([node("Conv", ["x", "w"], ["y"], **attributes)], IMAGE, ["y"], consts), tmp_path, "n_y")
    refused(make_model([node("MaxPool", ["x"], ["y"])], IMAGE, ["y"]), tmp_path, "kernel_shape")
    resize = node("Resize", ["x", "", "k"], ["y"], mode="cubic")
    refused(make_model([resize], IMAGE, ["y"], {"k": np.ones(4, np.float32)}), tmp_path, "cubic")


def test_growing_constants(tmp_path: Path) -> None:
    nodes = [node("Concat", ["c"] * 64, ["c0"], axis=0)]
    nodes += [node("Concat", [f"c{i}"] * 64, [f"c{i + 1}"], axis=0) for i in range(8)]
    nodes += [node("Add", ["x", "c8"], ["y"])]
    refused(make_model(nodes, ROW, ["y"], {"c": np.ones(4, np.float32)}), tmp_path, "too large")
    huge = {"s": np.array([2**40, 2**40])}
    nodes = [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])]
    refused(make_model(nodes, ROW, ["y"], huge), tmp_path, "too large")


def test_tensor_data_that_does_not_match(tmp_path: Path) -> None:
    def model() -> onnx.ModelProto:
        return make_model([node("MatMul", ["x", "w"], ["y"])], ROW, ["y"], {"w": np.ones((4, 2), np.float32)})

    short = model()
    short.graph.initializer[0].raw_data = b"1234"
    refused(short, tmp_path, "w", "bytes")
    large = model()
    large.graph.initializer[0].dims[:] = [2**40, 2**40]
    refused(large, tmp_path, "impossible shape")
    kind = model()
    kind.graph.initializer[0].data_type = TensorProto.STRING
    refused(kind, tmp_path, "STRING")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "missing.bin", "short.bin", ""])
def test_external_data_stays_inside(location: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(32))
    (tmp_path / "inside" / "short.bin").write_bytes(bytes(31))
    model = make_model([node("MatMul", ["x", "w"], ["y"])], ROW, ["y"], {"w": np.ones((4, 2), np.float32)})
    _externalise(model, location)
    refused(model, tmp_path / "inside", "w")


def test_external_data(tmp_path: Path) -> None:
    weights = np.arange(8, dtype=np.float32).reshape(4, 2)
    model = make_model([node("MatMul", ["x", "w"], ["y"])], ROW, ["y"], {"w": weights})
    (tmp_path / "data.bin").write_bytes(bytes(16) + weights.tobytes())
    _externalise(model, "data.bin", offset="16")
    assert np.array_equal(read(model, tmp_path).consts["w"], weights.T)
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    _externalise(model, "link.bin")
    refused(model, tmp_path, "outside")


def _externalise(model: onnx.ModelProto, location: str, **entries: str) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize("data", [b"", b"not a model", bytes(100), b"\x00" * 4096])
def test_not_a_model(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(OctavoError):
        read_onnx(path)


def test_paths(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(OctavoError):
            read_onnx(path)


def test_truncation_at_every_point(tmp_path: Path) -> None:
    data = residual().SerializeToString()
    path = tmp_path / "x.onnx"
    for length in range(0, len(data) - 1, max(len(data) // 60, 1)):
        path.write_bytes(data[:length])
        with pytest.raises(OctavoError):
            read_onnx(path)


def test_used_mask(tmp_path: Path) -> None:
    nodes = [node("Dropout", ["x"], ["d", "mask"]), node("Cast", ["mask"], ["y"], to=1)]
    refused(make_model(nodes, ROW, ["y"]), tmp_path, "mask")
