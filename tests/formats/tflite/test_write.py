"""The exported file, run by TFLite-Micro, gives the integers of our executor."""

from __future__ import annotations

import numpy as np
import pytest

from octavo import ops
from octavo.errors import OctavoError
from octavo.formats.tflite import load_tflite, write_tflite
from octavo.formats.tflite.writers import WRITERS
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.lower.lower import lower
from octavo.num.qparams import PerChannel, PerTensor, QParams, integer_limits
from octavo.ops import OPERATORS, Op, Unary
from octavo.ops.base import Example, Fixed, Share
from octavo.run.integer_run import integer_run
from tests.oracles.tflm import run_tflm

runtime = pytest.importorskip("tflite_micro").runtime

INT16 = {
    "Add", "AveragePool2D", "Clip", "Concat", "Conv2D", "DepthwiseConv2D", "FullyConnected", "LeakyRelu", "MaxPool2D",
    "Maximum", "Mean", "Minimum", "Mul", "Pad", "Prelu", "Requantize", "Reshape", "ResizeNearest", "Sigmoid", "Slice",
    "Softmax", "Sub", "Tanh", "Transpose", "TransposeConv2D",
}  # fmt: skip
CASES = [
    (name, index)
    for name, kind in sorted(OPERATORS.items())
    if (kind in WRITERS or issubclass(kind, Unary)) and name not in ("Identity", "Unary")
    for index in range(len(kind.examples()))
    if (name, index) != ("AveragePool2D", 1)  # an uncounted padding that is not SAME: refused, see below
]


def _tensor_scale(rng: np.random.Generator, dtype: str) -> QParams:
    if dtype == "int16":
        return QParams("int16", np.float32(rng.uniform(1e-4, 4e-4)), np.int32(0), PerTensor())
    return QParams("int8", np.float32(rng.uniform(0.01, 0.05)), np.int32(rng.integers(-40, 41)), PerTensor())


def _weight_scale(array: np.ndarray, axis: int) -> QParams:
    other = tuple(a for a in range(array.ndim) if a != axis)
    scale = np.abs(array).max(axis=other) / 127
    return QParams("int8", scale, np.zeros(scale.size, np.int32), PerChannel(axis))


def build(op: Op, example: Example, dtype: str = "int8") -> Quantized:
    """One operator with random encodings that honour its demand."""
    rng, builder, names = np.random.default_rng(1), GraphBuilder("net"), []
    for index, type_ in enumerate(example.inputs):
        const = example.consts.get(index)
        names.append(builder.const(const, f"c{index}") if const is not None else builder.input(f"x{index}", type_))
    output = builder.add(example.op, names, "y")
    graph, demand = builder.finish([output]), op.constraint()
    qparams = {name: _tensor_scale(rng, dtype) for name in (*names, output)}
    if isinstance(demand, Share):
        positions = range(len(names)) if demand.inputs == (-1,) else demand.inputs
        qparams |= {names[position]: qparams[output] for position in positions}
    if isinstance(demand, Fixed):
        wide = dtype == "int16" and demand.scale16 is not None
        scale, zero_point = (demand.scale16, 0) if wide else (demand.scale, demand.zero_point)
        qparams[output] = QParams(dtype, np.float32(scale), np.int32(zero_point))
    for index, const in example.consts.items():
        if index == op.weight:
            qparams[names[index]] = _weight_scale(const, op.channel_axis)
        elif isinstance(op, ops.Prelu):
            qparams[names[index]] = _tensor_scale(rng, "int8")
        elif index == op.bias:
            del qparams[names[index]]
    return Quantized(graph, make_plan(graph, qparams))


@pytest.mark.parametrize(("name", "index"), CASES)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_micro_computes_our_integers(name: str, index: int, dtype: str) -> None:
    example = OPERATORS[name].examples()[index]
    quantized = build(example.op, example, dtype)
    if dtype == "int16" and name not in INT16:
        with pytest.raises(OctavoError, match="has no int16 form.*int8"):
            write_tflite(quantized)
        return
    integer, data = lower(quantized).graph, write_tflite(quantized)
    assert data == write_tflite(quantized)
    interpreter, rng = runtime.Interpreter.from_bytes(data), np.random.default_rng(2)
    for _ in range(3):
        limits = integer_limits(dtype)
        inputs = {n: rng.integers(*limits, integer.types[n].shape, endpoint=True).astype(dtype) for n in integer.inputs}
        for position, value in enumerate(integer.inputs):
            interpreter.set_input(inputs[value], position)
        interpreter.invoke()
        ours = integer_run(integer, inputs)[integer.outputs[0]].numpy()
        np.testing.assert_array_equal(ours, interpreter.get_output(0))


def test_reading_back_gives_the_same_integers(tmp_path: pytest.TempPathFactory) -> None:
    example = OPERATORS["Conv2D"].examples()[0]
    quantized = build(example.op, example)
    path = tmp_path / "net.tflite"  # type: ignore[operator]
    path.write_bytes(write_tflite(quantized))
    again = load_tflite(path)
    assert isinstance(again, Quantized)
    a, b = lower(quantized).graph, lower(again).graph
    x = np.random.default_rng(0).integers(-128, 128, a.types[a.inputs[0]].shape).astype(np.int8)
    first = integer_run(a, {a.inputs[0]: x})[a.outputs[0]].numpy()
    np.testing.assert_array_equal(first, integer_run(b, {b.inputs[0]: x})[b.outputs[0]].numpy())


def test_division_is_refused() -> None:
    example = OPERATORS["Div"].examples()[0]
    with pytest.raises(OctavoError, match="Div has no int8 form"):
        write_tflite(build(example.op, example))


def test_uncounted_padding_that_is_not_same_is_refused() -> None:
    example = OPERATORS["AveragePool2D"].examples()[1]
    with pytest.raises(OctavoError, match="no padding mode"):
        write_tflite(build(example.op, example))


@pytest.mark.parametrize("scale", [0.001, 0.07, 1.0, 10.0])
def test_hard_swish_at_any_scales_equals_micro(scale: float) -> None:
    """TFLM refuses HARD_SWISH that rescales upwards; the export must then be the table."""
    builder = GraphBuilder("hard_swish")
    graph = builder.finish([builder.add(ops.HardSwish(), [builder.input("x", TensorType((1, 256)))], "h")])
    encodings = {"x": QParams("int8", np.float32([scale]), [3]), "h": QParams("int8", np.float32([0.01]), [-100])}
    quantized = Quantized(graph, make_plan(graph, encodings))
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    expected = integer_run(lower(quantized).graph, {"x": x})["h"].numpy()
    np.testing.assert_array_equal(run_tflm(write_tflite(quantized), [x])[0], expected)
