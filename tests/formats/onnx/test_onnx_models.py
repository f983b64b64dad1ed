"""Composite models and random geometries. Oracle: ONNX Runtime."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import MODELS, residual
from onnx_oracle import compare, make_model, node, read

from octavo.errors import OctavoError

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch", [1, 3])
def test_model(name: str, batch: int, tmp_path: Path) -> None:
    compare(MODELS[name](), tmp_path, batch=batch)


def test_interface_and_sources(tmp_path: Path) -> None:
    graph = read(residual(), tmp_path)
    assert graph.inputs == ("x",) and graph.outputs == ("y",)
    assert graph.types["x"].shape == (1, 12, 12, 3) and graph.layouts == {"x": (0, 2, 3, 1)}
    assert all("node n_" in node.source or "input x" in node.source for node in graph.nodes)


def test_channels_last_model_keeps_its_input(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Relu", ["t"], ["y"])]
    graph = compare(make_model(nodes, {"x": ("N", 5, 6, 3)}, ["y"]), tmp_path)
    assert not graph.layouts


def test_initializer_that_is_also_an_input(tmp_path: Path) -> None:
    model = make_model([node("Add", ["x", "c"], ["y"])], {"x": (1, 4), "c": (4,)}, ["y"], {"c": np.ones(4, np.float32)})
    assert len(read(model, tmp_path).inputs) == 1


@SETTINGS
@given(data=st.data())
def test_random_convolutions(data: st.DataObject, tmp_path: Path) -> None:
    draw = data.draw
    groups, per_group = draw(st.sampled_from([(1, 1), (1, 3), (2, 2), (3, 1), (4, 1)]))
    multiple = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    dilation = [draw(st.integers(1, 2)) for _ in range(2)]
    size = [draw(st.integers(d * (k - 1) + 1, 9)) for k, d in zip(kernel, dilation, strict=True)]
    attributes: dict[str, Any] = {"strides": [draw(st.integers(1, 3)) for _ in range(2)], "dilations": dilation}
    mode = draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "pads":
        attributes["pads"] = [draw(st.integers(0, 2)) for _ in range(4)]
    elif mode == "VALID" or dilation == [1, 1]:
        attributes["auto_pad"] = mode
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(groups * multiple, per_group, *kernel)).astype(np.float32)
    model = make_model(
        [node("Conv", ["x", "w"], ["y"], group=groups, **attributes)],
        {"x": (1, groups * per_group, *size)}, ["y"], {"w": weights},
    )  # fmt: skip
    compare(model, tmp_path)


@SETTINGS
@given(data=st.data())
def test_random_transposed_convolutions(data: st.DataObject, tmp_path: Path) -> None:
    draw = data.draw
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    stride = [draw(st.integers(1, 3)) for _ in range(2)]
    pads = [draw(st.integers(0, (kernel[i % 2] - 1) // 2)) for i in range(4)]
    extra = [draw(st.integers(0, s - 1)) for s in stride]
    weights = np.random.default_rng(0).normal(size=(3, 2, *kernel)).astype(np.float32)
    size = [draw(st.integers(2, 6)) for _ in range(2)]
    made = node("ConvTranspose", ["x", "w"], ["y"], strides=stride, pads=pads, output_padding=extra)
    compare(make_model([made], {"x": (1, 3, *size)}, ["y"], {"w": weights}), tmp_path)


@SETTINGS
@given(data=st.data())
def test_random_pools(data: st.DataObject, tmp_path: Path) -> None:
    draw = data.draw
    op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": [draw(st.integers(1, 3)) for _ in range(2)],
        "pads": [draw(st.integers(0, (kernel[i % 2] - 1) // 2)) for i in range(4)],
        "ceil_mode": draw(st.integers(0, 1)),
    }
    if op == "AveragePool" and not attributes["ceil_mode"]:
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    size = [draw(st.integers(k, 10)) for k in kernel]
    compare(make_model([node(op, ["x"], ["y"], **attributes)], {"x": (1, 3, *size)}, ["y"]), tmp_path)


@SETTINGS
@given(data=st.data())
def test_random_resizes(data: st.DataObject, tmp_path: Path) -> None:
    """What is accepted is right; what is refused is refused with a remedy."""
    draw = data.draw
    size = [draw(st.integers(1, 7)) for _ in range(2)]
    modes = ["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"]
    attributes = {
        "mode": draw(st.sampled_from(["nearest", "linear"])),
        "coordinate_transformation_mode": draw(st.sampled_from(modes)),
        "nearest_mode": draw(st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])),
    }
    target = np.array([1, 3, *(draw(st.integers(1, 12)) for _ in range(2))], dtype=np.int64)
    made = node("Resize", ["x", "", "", "k"], ["y"], **attributes)
    model = make_model([made], {"x": (1, 3, *size)}, ["y"], {"k": target})
    try:
        compare(model, tmp_path)
    except OctavoError as error:
        assert "as no device kernel does" in error.why and math.prod(size) > 1


def test_unused_second_outputs_do_not_matter(tmp_path: Path) -> None:
    nodes = [node("Dropout", ["x"], ["d", "mask"]), node("MaxPool", ["d"], ["y", "at"], kernel_shape=[2, 2])]
    compare(make_model(nodes, {"x": ("N", 3, 6, 6)}, ["y"]), tmp_path)
    split = make_model([node("Split", ["x"], ["unused", "y"], axis=1)], {"x": (1, 4, 6, 6)}, ["y"])
    compare(split, tmp_path)
