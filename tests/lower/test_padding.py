"""Padding becomes the convolution's own: the integer executor before and after, on random layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octavo.ir.check import verify
from octavo.ir.graph import Node, TensorType
from octavo.lower.lower import IntegerModel
from octavo.lower.padding import fold_padding
from octavo.ops.integer.movement import QPad
from octavo.run.integer_run import integer_run
from tests.networks.integer_layers import Layer, convolution, depthwise, random_inputs, side_by_side

LAYERS: list[Callable[[np.random.Generator], Layer]] = [convolution, depthwise]


def padded(seed: int, layer: Callable[[np.random.Generator], Layer], border: tuple[int, int, int, int]) -> IntegerModel:
    """A random layer that reads its image by way of a QPad with (top, bottom, left, right) and its zero point."""
    made = layer(np.random.default_rng(seed))
    model = side_by_side([made])
    conv: Any = made[0]
    inside = model.graph.types["x0_0"].shape
    outside = (1, inside[1] + sum(border[:2]), inside[2] + sum(border[2:]), inside[3])
    size: list[int] = []
    for axis, (name, before) in enumerate((("h", conv.pad_top), ("w", conv.pad_left)), 1):
        out, kernel, stride = (getattr(conv, f"{what}_{name}") for what in ("out", "kernel", "stride"))
        after = max((out - 1) * stride + kernel - inside[axis] - before, 0)
        size.append((outside[axis] + before + after - kernel) // stride + 1)
    wide = replace(conv, in_h=outside[1], in_w=outside[2], out_h=size[0], out_w=size[1])
    op = QPad((1, *inside), (1, *outside), (0, 0, border[0], border[2], 0), conv.input_zero_point)
    node = model.graph.nodes[0]
    nodes = Node("pad", op, ("x0_0",), ("padded",)), replace(node, op=wide, inputs=("padded", *node.inputs[1:]))
    types = {
        **model.graph.types,
        "padded": TensorType(outside, "int8"),
        "y0": TensorType((1, *size, conv.out_c), "int8"),
    }
    encodings = {**model.encodings, "padded": model.encodings["x0_0"]}
    return IntegerModel(model.graph.with_(nodes=nodes, types=types), encodings)


def kinds(model: IntegerModel) -> list[type]:
    return [type(node.op) for node in model.graph.nodes]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("seed", range(12))
def test_the_same_integers_without_the_copy(seed: int, layer: Callable[[np.random.Generator], Layer]) -> None:
    rng = np.random.default_rng(seed)
    border: Any = tuple(int(v) for v in rng.integers(0, 4, 4))
    model = padded(seed, layer, border)
    folded = fold_padding(model)
    verify(folded.graph, "folded")
    assert QPad in kinds(model) and QPad not in kinds(folded) and "padded" not in folded.encodings
    inputs = random_inputs(model, 4, rng)
    for name, value in integer_run(model.graph, inputs).items():
        np.testing.assert_array_equal(integer_run(folded.graph, inputs)[name].numpy(), value.numpy())


def changed(model: IntegerModel, **fields: Any) -> IntegerModel:
    pad, node = model.graph.nodes
    assert isinstance(pad.op, QPad)
    nodes = replace(pad, op=replace(pad.op, **fields)), node
    return IntegerModel(model.graph.with_(nodes=nodes), model.encodings)


def test_what_is_no_padding_of_the_convolution_stays() -> None:
    """Another value than the zero point; a border of channels; a padded image that is an output, too."""
    model = padded(1, convolution, (1, 1, 1, 1))
    pad = model.graph.nodes[0].op
    assert isinstance(pad, QPad)
    assert fold_padding(model) is not model
    other = changed(model, value=pad.value - 1 if pad.value > -128 else 0)
    assert fold_padding(other) is other
    deeper = changed(model, in_shape=(*pad.in_shape[:4], pad.in_shape[4] - 1))
    assert fold_padding(deeper) is deeper
    shown = IntegerModel(model.graph.with_(outputs=(*model.graph.outputs, "padded")), model.encodings)
    assert fold_padding(shown) is shown
