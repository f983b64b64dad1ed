"""The graph builder, the checker and the text form."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, Node, TensorType
from octavo.ir.show import show
from octavo.ops import Clip, Conv2D, FullyConnected, Identity, Reshape


def small() -> Graph:
    rng = np.random.default_rng(0)
    b = GraphBuilder("small")
    x = b.input("image", TensorType((1, 6, 6, 2)))
    w, bias = b.const(rng.normal(size=(3, 3, 3, 2)), "w"), b.const(np.zeros(3), "b")
    y = b.add(Conv2D(stride=(2, 2), activation=Clip(0.0)), [x, w, bias], "conv", "layer1.conv")
    flat = b.add(Reshape((1, 12)), [y], "flat")
    out = b.add(FullyConnected(), [flat, b.const(rng.normal(size=(4, 12)), "w"), b.const(np.zeros(4), "b")], "fc")
    return b.finish([out])


def test_names_are_unique_and_types_inferred() -> None:
    graph = verify(small())
    assert graph.types["conv"].shape == (1, 2, 2, 3)
    assert {"w", "w_1", "b", "b_1"} <= set(graph.consts)


def test_show_is_readable() -> None:
    text = show(small())
    assert "Conv2D(stride=(2, 2), activation=Clip(minimum=0.0))" in text
    assert "# layer1.conv" in text and "input  image: float32[1, 6, 6, 2]" in text
    assert len(text.splitlines()) == 6


def test_errors_name_the_users_node() -> None:
    b = GraphBuilder("bad")
    x = b.input("x", TensorType((1, 4, 4, 2)))
    with pytest.raises(OctavoError, match=r"encoder\.conv3") as caught:
        b.add(Conv2D(), [x, b.const(np.zeros((3, 3, 3, 5)), "w"), b.const(np.zeros(3), "b")], "c", "encoder.conv3")
    assert "do not match" in caught.value.why and caught.value.remedy


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_constants_must_be_finite(bad: float) -> None:
    with pytest.raises(OctavoError, match="fc.weight"):
        GraphBuilder("bad").const(np.array([1.0, bad]), "fc.weight")


def test_inputs_must_have_batch_one() -> None:
    for shape in ((2, 4), (1, 0), ()):
        with pytest.raises(OctavoError):
            GraphBuilder("bad").input("x", TensorType(shape))


def broken(kind: str) -> Graph:
    graph = small()
    first, second, third = graph.nodes
    if kind == "order":
        return graph.with_(nodes=(second, first, third))
    if kind == "twice":
        return graph.with_(nodes=(first, second, Node("again", Identity(), ("image",), ("conv",)), third))
    if kind == "type":
        return graph.with_(types={**graph.types, "conv": TensorType((1, 2, 2, 4))})
    if kind == "name":
        return graph.with_(nodes=(first, second, Node("conv", third.op, third.inputs, third.outputs)))
    if kind == "const":
        return graph.with_(consts={**graph.consts, "w": np.zeros((1,), np.float32)})
    return graph.with_(outputs=("nothing",))


@pytest.mark.parametrize("kind", ["order", "twice", "type", "name", "const", "output"])
def test_verify_finds_each_kind_of_break(kind: str) -> None:
    with pytest.raises(OctavoError):
        verify(broken(kind))
