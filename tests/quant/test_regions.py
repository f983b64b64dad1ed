"""Regions of int16 activations: where the Requantizes stand, and what encodings come out."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS
from octavo.ops import Add, Clip, Concat, MaxPool2D, Prelu, ResizeBilinear, Sigmoid
from octavo.quant.observe import observe
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_graph, quantize_observed
from octavo.quant.regions import followed, value_dtypes

DATA = np.random.default_rng(0).normal(size=(16, 4, 4, 2)).astype(np.float32)


def branched() -> Graph:
    """A clip that two pools and a sum read, and a constant that two sums read."""
    b = GraphBuilder("branched")
    x, c = b.input("x", TensorType((1, 4, 4, 2))), b.const(np.array([[[[0.5, -0.25]]]], np.float32), "c")
    y = b.add(Clip(0.0), [x], "clip")
    pools = [b.add(MaxPool2D((1, 1), (1, 1)), [y], name) for name in ("p", "q")]
    left, right = b.add(Add(), [pools[0], c], "left"), b.add(Add(), [pools[1], c], "right")
    return b.finish([b.add(Add(), [b.add(Add(), [left, right], "sum"), y], "out")])


def count(graph: Graph) -> int:
    return [node.kind for node in graph.nodes].count("Requantize")


def test_one_requantize_for_a_value_and_dtype() -> None:
    graph = align(branched(), {"p", "q"})
    assert [node.inputs[0] for node in graph.nodes if node.kind == "Requantize"] == ["clip", "p", "q"]
    assert count(align(branched())) == 0
    assert count(align(branched(), {"clip", "p", "q", "left", "right", "sum", "out"})) == 2


@pytest.mark.parametrize("wide", [{"p"}, {"left", "sum"}, {"out"}, {"clip", "p", "q", "left", "right", "sum", "out"}])
def test_a_second_call_changes_nothing(wide: set[str]) -> None:
    graph = align(branched(), wide)
    again = align(graph, wide)
    assert again.nodes == graph.nodes and dict(again.types) == dict(graph.types)


def test_edges_keep_name_and_dtype() -> None:
    wide = frozenset({"clip", "out"})
    quantized = quantize_graph(branched(), [DATA], Scheme(wide=wide))
    assert quantized.graph.outputs == ("out",)
    dtypes = {name: entry.dtype for name, entry in quantized.plan.qparams.items()}
    assert dtypes["x"] == dtypes["out"] == "int8" and dtypes["clip"] == dtypes["out.int16"] == "int16"
    assert dtypes == {**dtypes, **value_dtypes(quantized.graph, wide)}
    lower(quantized)


def test_a_constant_of_both_dtypes_has_two_encodings() -> None:
    quantized = quantize_graph(branched(), [DATA], Scheme(wide=frozenset({"left"})))
    assert {quantized.plan.qparams[name].dtype for name in quantized.graph.consts} == {"int8", "int16"}
    lower(quantized)


def test_wide_values_are_symmetric_and_finer() -> None:
    """Ranges come from the same method; the step is 2^8 times finer."""
    scheme = Scheme(ranges="minmax", wide=frozenset({"p"}))
    quantized = quantize_graph(branched(), [DATA], scheme)
    narrow, wide = quantized.plan.qparams["clip"], quantized.plan.qparams["p"]
    assert int(wide.zero_point[0]) == 0
    assert float(narrow.scale[0]) * 255 == pytest.approx(float(wide.scale[0]) * 32767, rel=1e-5)


def test_what_has_no_int16_form_stays_int8_and_says_so() -> None:
    b = GraphBuilder("resized")
    x = b.add(Clip(0.0), [b.input("x", TensorType((1, 4, 4, 2)))], "clip")
    y = b.add(ResizeBilinear((8, 8), False, True), [x], "resize", "model.resize")
    quantized = quantize_graph(b.finish([y]), [DATA], Scheme(wide=frozenset({"clip", "resize"})))
    assert quantized.plan.qparams["resize"].dtype == "int8" and quantized.plan.qparams["clip"].dtype == "int16"
    assert any("model.resize stays int8" in note for note in quantized.plan.notes)
    lower(quantized)


def test_fixed_and_shared_encodings_and_slopes() -> None:
    b = GraphBuilder("fixed")
    x = b.input("x", TensorType((1, 4, 4, 2)))
    parts = [b.add(Sigmoid(), [x], "s"), b.add(Prelu(), [x, b.const(np.array([0.1, 0.2], np.float32), "a")], "r")]
    graph = b.finish([b.add(MaxPool2D((2, 2), (2, 2)), [b.add(Concat(3), parts, "cat")], "pool")])
    for wide in ({"cat"}, {"s", "cat"}, {"s", "r", "cat", "pool"}, {"pool"}):
        quantized = quantize_graph(graph, [DATA], Scheme(wide=frozenset(wide)))
        lower(quantized)
        if "s" in wide:
            assert float(quantized.plan.qparams["s"].scale[0]) == 1 / 32768


def test_one_calibration_serves_every_region() -> None:
    wide = frozenset({"p", "left", "out"})
    scheme = Scheme(ranges="mse", wide=wide)
    graph = align(branched(), wide)
    seen = followed(observe(align(branched()), [DATA]), graph)
    once, fresh = quantize_observed(graph, seen, scheme), quantize_graph(branched(), [DATA], scheme)
    assert once.plan.qparams == fresh.plan.qparams


def test_refusals() -> None:
    with pytest.raises(OctavoError, match="names nobody"):
        quantize_graph(branched(), [DATA], Scheme(wide=frozenset({"nobody"})))
    with pytest.raises(OctavoError, match="float16 beside integers"):
        quantize_graph(branched(), [DATA], Scheme(FORMATS["float16"], wide=frozenset({"p"})))


def test_a_format_of_int16_has_no_regions() -> None:
    quantized = quantize_graph(branched(), [DATA], Scheme(FORMATS["16x8"], wide=frozenset({"p"})))
    assert count(quantized.graph) == 0
    assert {quantized.plan.qparams[name].dtype for name in quantized.graph.activations()} == {"int16"}
