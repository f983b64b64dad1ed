"""16x8: how close the int16 forms are to the float operators, and what lowering refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.analysis.compare import dequantize_outputs, quantize_inputs
from octavo.errors import OctavoError
from octavo.formats.native import read_quantized, write_quantized
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS
from octavo.num.qparams import QParams
from octavo.ops.base import Example
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.regions import has_int16
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run
from tests.ops.test_standing import CASES, FLOAT_ONLY, graph_of, random_inputs
from tests.oracles.single_op import encoding

WIDE = [case for case in CASES if not isinstance(case.values[0].op, (*FLOAT_ONLY, ops.ResizeBilinear))]


@pytest.mark.parametrize("example", WIDE)
def test_int16_form_is_close_to_the_float_form(example: Example, tmp_path: Path) -> None:
    """Weights of int8 bound the layers that have some; everything else is far closer than int8 can be."""
    graph = graph_of(example)
    inputs = random_inputs(graph, type(example.op).__name__, 16)
    quantized = quantize_graph(graph, [inputs], Scheme(FORMATS["16x8"], ranges="minmax"))
    model = lower(quantized)
    verify(model.graph)
    assert {model.graph.types[name].dtype for name in model.graph.activations()} == {"int16"}
    expected = float_run(graph, inputs)[graph.outputs[0]].numpy().astype(np.float64)
    integers = integer_run(model.graph, quantize_inputs(model, inputs))
    got = dequantize_outputs(model, {k: v.numpy() for k, v in integers.items()})[model.graph.outputs[0]]
    sqnr = 10 * np.log10(np.sum(expected**2) / np.sum((expected - got) ** 2))
    assert sqnr > (44 if example.op.weight is not None else 55), f"{sqnr:.1f} dB"
    for name, data in write_quantized(quantized).items():
        (tmp_path / name).write_bytes(data)
    again = lower(read_quantized(tmp_path))
    assert again.graph.nodes == model.graph.nodes and again.graph.types == model.graph.types


@pytest.mark.parametrize("example", CASES)
def test_every_operator_says_whether_it_has_an_int16_form(example: Example) -> None:
    if isinstance(example.op, FLOAT_ONLY):
        pytest.skip("no integer form")
    (node,) = (graph := graph_of(example)).nodes
    assert has_int16(graph, node) == (not isinstance(example.op, ops.ResizeBilinear))


def _one(op: ops.Op, shape: tuple[int, ...], x: QParams, y: QParams, *consts: tuple[np.ndarray, QParams | None]):  # type: ignore[no-untyped-def]
    """A network of one operator of an input and constants, whose encodings are given (None: a bias)."""
    builder = GraphBuilder("one")
    names = [builder.input("x", TensorType(shape))]
    names += [builder.const(array, f"c{index}") for index, (array, _) in enumerate(consts)]
    graph = builder.finish([builder.add(op, names, "y", "model.node")])
    qparams = {"x": x, "y": y} | {names[i + 1]: e for i, (_, e) in enumerate(consts) if e is not None}
    return Quantized(graph, make_plan(graph, qparams))


def _refused(quantized: Quantized, why: str) -> None:
    with pytest.raises(OctavoError, match=why) as caught:
        lower(quantized)
    assert "model.node" in str(caught.value)


WIDE_X, WIDE_Y, NARROW = encoding(1e-3, 0, "int16"), encoding(2e-3, 0, "int16"), encoding(0.1, 3)
IMAGE = (1, 4, 4, 3)


def test_no_int16_form() -> None:
    _refused(_one(ops.ResizeBilinear((8, 8)), IMAGE, WIDE_X, WIDE_X), "ResizeBilinear has no int16 form.*layer int8")


def test_dtypes_meet_in_requantize_only() -> None:
    _refused(_one(ops.Sigmoid(), IMAGE, NARROW, encoding(1 / 32768, 0, "int16")), "joins int16 and int8.*Requantize")
    _refused(_one(ops.Reshape((1, 48)), IMAGE, NARROW, WIDE_X), "joins int16 and int8")
    lower(_one(ops.Requantize(), IMAGE, NARROW, WIDE_X))


def test_zero_points() -> None:
    _refused(_one(ops.Clip(0.0), IMAGE, encoding(1e-3, 5, "int16"), WIDE_Y), "has a zero_point")


def test_constant_operands() -> None:
    ones = np.ones((1, 1, 1, 3), np.float32)
    _refused(_one(ops.Add(), IMAGE, WIDE_X, WIDE_Y, (ones, NARROW)), "constant operand is int8")
    _refused(_one(ops.Prelu(), IMAGE, WIDE_X, WIDE_Y, (ones.reshape(3), WIDE_X)), "slopes are int16")


@pytest.mark.parametrize(
    ("bias", "scale", "why"),
    [(1e12, 2e-3, "overflows int64"), (0.0, 1e-12, "output range is so narrow"), (0.0, 2e-3, "")],
)
def test_accumulators_stay_in_their_bits(bias: float, scale: float, why: str) -> None:
    weights = (np.ones((2, 3), np.float32), encoding(1 / 127))
    network = _one(
        ops.FullyConnected(), (1, 3), WIDE_X, encoding(scale, 0, "int16"), weights, (np.full(2, bias, np.float32), None)
    )
    if why:
        _refused(network, why)
    else:
        assert lower(network).graph.consts["y:bias"].dtype == np.int64


@pytest.mark.parametrize("kind", [ops.Add, ops.Sub, ops.Mul])
def test_outputs_that_are_all_but_constant(kind: type[ops.Op]) -> None:
    operand = np.ones((1, 1, 1, 3), np.float32), WIDE_X
    _refused(_one(kind(), IMAGE, WIDE_X, encoding(1e-8, 0, "int16"), operand), "output range is so narrow")


def test_means_and_softmax_stay_in_32_bits() -> None:
    mean = _one(ops.Mean((1,)), (1, 65536, 1), WIDE_X, WIDE_Y)
    _refused(mean, "leaves 32 bits")
    assert not has_int16(mean.graph, mean.graph.nodes[0])
    _refused(_one(ops.Softmax(), (1, 5), encoding(3.0, 0, "int16"), encoding(1 / 32768, 0, "int16")), "too large")
