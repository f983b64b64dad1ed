"""Single-operator models in every supported form. Oracle: ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_oracle import compare, make_model, node

RNG = np.random.default_rng(3)


def w(*shape: int) -> np.ndarray:
    """Random weights."""
    return RNG.normal(size=shape).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    """A constant list."""
    return np.array(values, dtype=np.int64)


IMAGE, SIGNAL, ROW = (1, 6, 9, 8), (1, 6, 13), (1, 10)
Case = tuple[str, tuple[int, ...], dict[str, Any], dict[str, Any], int]


def case(op: str, shape: tuple[int, ...], consts: dict[str, Any] | None = None, opset: int = 17, **attrs: Any) -> Case:
    """One row: operator, input shape, constants, attributes, opset."""
    return op, shape, consts or {}, attrs, opset


CASES: list[Case] = [
    case("Conv", IMAGE, {"w": w(4, 6, 3, 3), "b": w(4)}, pads=[1, 1, 1, 1]),
    case("Conv", IMAGE, {"w": w(4, 6, 3, 2)}, strides=[2, 1], pads=[0, 1, 2, 0]),
    case("Conv", IMAGE, {"w": w(4, 6, 3, 3)}, auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", IMAGE, {"w": w(4, 6, 2, 2)}, auto_pad="SAME_LOWER", strides=[1, 3]),
    case("Conv", IMAGE, {"w": w(4, 6, 3, 3)}, auto_pad="VALID", dilations=[2, 3]),
    case("Conv", IMAGE, {"w": w(4, 3, 3, 3), "b": w(4)}, group=2),
    case("Conv", IMAGE, {"w": w(6, 1, 3, 3), "b": w(6)}, group=6, pads=[1, 1, 1, 1]),
    case("Conv", IMAGE, {"w": w(12, 1, 3, 3), "b": w(12)}, group=6, strides=[2, 2]),
    case("Conv", SIGNAL, {"w": w(4, 6, 3), "b": w(4)}, pads=[2, 1], strides=[2]),
    case("Conv", SIGNAL, {"w": w(12, 1, 5)}, group=6, dilations=[2]),
    case("ConvTranspose", IMAGE, {"w": w(6, 4, 2, 2), "b": w(4)}, strides=[2, 2]),
    case("ConvTranspose", IMAGE, {"w": w(6, 4, 3, 3)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    case("ConvTranspose", IMAGE, {"w": w(6, 4, 3, 3)}, strides=[2, 3], auto_pad="SAME_UPPER"),
    case("ConvTranspose", IMAGE, {"w": w(6, 4, 3, 3)}, strides=[2, 2], auto_pad="SAME_LOWER"),
    case("ConvTranspose", IMAGE, {"w": w(6, 4, 4, 4)}, strides=[2, 2], output_shape=[17, 16]),
    case("ConvTranspose", SIGNAL, {"w": w(6, 4, 4), "b": w(4)}, strides=[2], pads=[1, 1]),
    case("Gemm", ROW, {"w": w(10, 4), "b": w(4)}),
    case("Gemm", ROW, {"w": w(4, 10), "b": w(1, 4)}, transB=1, alpha=0.5, beta=2.0),
    case("Gemm", ROW, {"w": w(4, 10), "b": w(1)}, transB=1),
    case("Gemm", ROW, {"w": w(4, 10)}, transB=1),
    case("MatMul", ROW, {"w": w(10, 4)}),
    case("MatMul", (1, 5, 10), {"w": w(10, 4)}),
    case("MatMul", (1, 5, 10), {"w": w(1, 10, 4)}),
    case("MatMul", (1, 5, 10), {"w": w(10)}),
    case("BatchNormalization", IMAGE, {"s": w(6), "b": w(6), "m": w(6), "v": w(6) ** 2}, epsilon=1e-3),
    case("BatchNormalization", SIGNAL, {"s": w(6), "b": w(6), "m": w(6), "v": w(6) ** 2}),
    case("BatchNormalization", ROW, {"s": w(10), "b": w(10), "m": w(10), "v": w(10) ** 2}),
    *[case(op, IMAGE) for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Erf", "Softplus", "Identity")],
    case("HardSwish", IMAGE),
    case("Mish", IMAGE, opset=18),
    case("Gelu", IMAGE, opset=20),
    case("Gelu", IMAGE, opset=20, approximate="tanh"),
    case("HardSigmoid", IMAGE),
    case("HardSigmoid", IMAGE, alpha=1 / 6, beta=0.5),
    case("LeakyRelu", IMAGE, alpha=0.2),
    case("Elu", IMAGE, alpha=0.7),
    case("PRelu", IMAGE, {"s": w(6, 1, 1)}),
    case("PRelu", IMAGE, {"s": w(1)}),
    case("PRelu", ROW, {"s": w(10)}),
    case("Clip", IMAGE, {"lo": np.float32(0), "hi": np.float32(6)}),
    case("Clip", IMAGE, {"lo": np.float32(-1)}),
    case("Clip", IMAGE, opset=10, min=-0.5, max=0.5),
    case("Dropout", IMAGE),
    case("Cast", IMAGE, to=1),
    case("Pow", IMAGE, {"e": np.float32(2)}),
    case("Pow", IMAGE, {"e": np.float32(3)}),
    *[case(op, IMAGE, {"c": w(*shape)}) for op in ("Add", "Sub", "Mul") for shape in ((6, 1, 1), (1,), (1, 1, 9, 8))],
    *[case(op, IMAGE, {"c": w(6, 1, 8)}) for op in ("Max", "Min", "Sum")],
    case("Div", IMAGE, {"c": w(6, 1, 1) + np.float32(5)}),
    case("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("MaxPool", IMAGE, kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1),
    case("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    case("MaxPool", SIGNAL, kernel_shape=[3], strides=[2], pads=[0, 1]),
    case("AveragePool", IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    case("AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2], count_include_pad=1),
    case("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1),
    case("AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
    case("AveragePool", SIGNAL, kernel_shape=[3], strides=[2]),
    case("GlobalAveragePool", IMAGE),
    case("GlobalAveragePool", SIGNAL),
    case("GlobalMaxPool", IMAGE),
    case("ReduceMean", IMAGE, axes=[2, 3]),
    case("ReduceMean", IMAGE, axes=[-1, -2], keepdims=0),
    case("ReduceMean", IMAGE, axes=[1], keepdims=0),
    case("ReduceMean", IMAGE, {"a": i64(2, 3)}, opset=18),
    case("ReduceMean", SIGNAL, axes=[2], keepdims=0),
    case("ReduceSum", IMAGE, {"a": i64(1, 3)}),
    case("ReduceSum", IMAGE, {"a": i64(2, 3)}, keepdims=0),
    case("ReduceSum", IMAGE, noop_with_empty_axes=1),
    case("Softmax", ROW),
    case("Softmax", IMAGE, axis=1),
    case("Softmax", IMAGE, opset=11),
    case("Softmax", IMAGE, opset=11, axis=2),
    case("LogSoftmax", ROW),
    case("LogSoftmax", SIGNAL, axis=1),
    case("Concat", IMAGE, {"c": w(1, 2, 9, 8)}, axis=1),
    case("Pad", IMAGE, {"p": i64(0, 0, 1, 2, 0, 0, 3, 4)}),
    case("Pad", IMAGE, {"p": i64(0, 1, 0, 0, 0, 2, 0, 0), "v": np.float32(1.5)}),
    case("Pad", IMAGE, {"p": i64(1, 2), "v": np.float32(0), "a": i64(-1)}, opset=18),
    case("Pad", ROW, {"p": i64(0, 1, 0, 2)}),
    case("Reshape", IMAGE, {"s": i64(0, -1)}),
    case("Reshape", IMAGE, {"s": i64(1, 6, -1, 4)}),
    case("Flatten", IMAGE),
    case("Flatten", IMAGE, axis=-3),
    case("Squeeze", (1, 6, 1, 1), {"a": i64(2, 3)}),
    case("Unsqueeze", ROW, {"a": i64(-1, 1)}),
    case("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    case("Slice", IMAGE, {"s": i64(1, -5), "e": i64(2**60, -1), "a": i64(1, 2)}),
    case("Slice", IMAGE, {"s": i64(0, 1), "e": i64(9, 8), "a": i64(2, 3), "t": i64(2, 3)}),
    case("Gather", IMAGE, {"i": np.int64(-1)}, axis=2),
    case("Gather", IMAGE, {"i": i64(1, 3, 5)}, axis=1),
    case("DepthToSpace", (1, 12, 3, 4), blocksize=2),
    case("DepthToSpace", (1, 12, 3, 4), blocksize=2, mode="CRD"),
    case("SpaceToDepth", (1, 3, 6, 4), blocksize=2),
    case("Expand", IMAGE, {"s": i64(1, 1, 1, 1)}),
]


@pytest.mark.parametrize("row", CASES, ids=[f"{i}-{row[0]}" for i, row in enumerate(CASES)])
def test_operator(row: Case, tmp_path: Path) -> None:
    op, shape, consts, attributes, opset = row
    model = make_model([node(op, ["x", *consts], ["y"], **attributes)], {"x": shape}, ["y"], consts, opset)
    compare(model, tmp_path)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_positive_domain(op: str, tmp_path: Path) -> None:
    compare(make_model([node(op, ["x"], ["y"])], {"x": IMAGE}, ["y"]), tmp_path, positive=True)


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.0, -1.0])
def test_powers_of_positive(exponent: float, tmp_path: Path) -> None:
    model = make_model([node("Pow", ["x", "e"], ["y"])], {"x": IMAGE}, ["y"], {"e": np.float32(exponent)})
    compare(model, tmp_path, positive=True)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_two_computed_operands(op: str, tmp_path: Path) -> None:
    nodes = [node("GlobalAveragePool", ["x"], ["p"]), node(op, ["x", "p"], ["y"])]
    compare(make_model(nodes, {"x": IMAGE}, ["y"]), tmp_path, positive=True)


@pytest.mark.parametrize("op", ["Sub", "Div"])
def test_constant_on_the_left(op: str, tmp_path: Path) -> None:
    model = make_model([node(op, ["c", "x"], ["y"])], {"x": IMAGE}, ["y"], {"c": w(6, 1, 1)})
    compare(model, tmp_path, positive=True)


def test_variadic(tmp_path: Path) -> None:
    nodes = [node("Sum", ["x", "c", "x", "r"], ["s"]), node("Max", ["s"], ["y"]), node("Relu", ["x"], ["r"])]
    compare(make_model([nodes[2], *nodes[:2]], {"x": IMAGE}, ["y"], {"c": w(6, 1, 1)}), tmp_path)


@pytest.mark.parametrize(("sizes", "opset", "count"), [((1, 2, 3), 17, {}), (None, 18, {"num_outputs": 3})])
def test_split(sizes: tuple[int, ...] | None, opset: int, count: dict[str, int], tmp_path: Path) -> None:
    inputs = ["x", "s"] if sizes else ["x"]
    consts = {"s": i64(*sizes)} if sizes else {}
    model = make_model(
        [node("Split", inputs, ["a", "b", "c"], axis=1, **count)], {"x": IMAGE}, ["a", "b", "c"], consts, opset
    )
    compare(model, tmp_path)


RESIZES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"scales": [1, 1, 2, 3]}, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    ({"scales": [1, 1, 2, 2]}, {}),
    ({"sizes": [1, 6, 18, 24]}, {"coordinate_transformation_mode": "half_pixel"}),
    ({"sizes": [1, 6, 5, 7]}, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    (
        {"sizes": [1, 6, 17, 15]},
        {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"},
    ),
    ({"scales": [1, 1, 2, 2]}, {"mode": "linear"}),
    ({"sizes": [1, 6, 7, 13]}, {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}),
    ({"sizes": [1, 6, 17, 15]}, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    ({"scales": [1, 1, 2, 3]}, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
]


@pytest.mark.parametrize(("target", "attributes"), RESIZES, ids=range(len(RESIZES)))
def test_resize(target: dict[str, Any], attributes: dict[str, Any], tmp_path: Path) -> None:
    consts: dict[str, Any] = {}
    if "scales" in target:
        consts["k"], inputs = np.array(target["scales"], np.float32), ["x", "", "k"]
    else:
        consts["k"], inputs = i64(*target["sizes"]), ["x", "", "", "k"]
    compare(make_model([node("Resize", inputs, ["y"], **attributes)], {"x": IMAGE}, ["y"], consts), tmp_path)


def test_resize_of_a_signal(tmp_path: Path) -> None:
    consts = {"k": np.array([1, 1, 2], np.float32)}
    compare(make_model([node("Resize", ["x", "", "k"], ["y"])], {"x": SIGNAL}, ["y"], consts), tmp_path)


@pytest.mark.parametrize("op", ["Upsample", "Resize"])
def test_old_resize(op: str, tmp_path: Path) -> None:
    opset = 9 if op == "Upsample" else 10
    consts = {"k": np.array([1, 1, 2, 3], np.float32)}
    compare(make_model([node(op, ["x", "k"], ["y"])], {"x": IMAGE}, ["y"], consts, opset), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 19, 21])
def test_opsets(opset: int, tmp_path: Path) -> None:
    consts = {"w": w(4, 6, 3, 3), "f": w(4, 10), "b": w(10)}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), node("GlobalAveragePool", ["r"], ["p"])]
    nodes += [node("Flatten", ["p"], ["g"]), node("Gemm", ["g", "f", "b"], ["y"])]
    compare(make_model(nodes, {"x": ("N", *IMAGE[1:])}, ["y"], consts, opset), tmp_path, batch=3)
