"""Functions of one int16 against TFLite Micro's kernels: all 65536 inputs, many encodings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from octavo import ops
from octavo.errors import OctavoError
from octavo.formats.tflite import write_tflite
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.lower.lower import lower
from octavo.num.qparams import QParams
from octavo.num.tables16 import lookup_table
from octavo.ops.integer import QLookup16
from octavo.run.integer_run import integer_run
from tests.oracles.single_op import encoding
from tests.oracles.tflm import run_tflm

ALL = {"int16": np.arange(-32768, 32768, dtype=np.int16), "int8": np.arange(-128, 128, dtype=np.int8)}
UNIT = encoding(1 / 32768, 0, "int16")
Pair = tuple[QParams, QParams]


def _quantized(op: ops.Op, x: QParams, y: QParams) -> Quantized:
    builder = GraphBuilder("one")
    given = builder.input("x", TensorType((1, ALL[x.dtype].size)))
    graph = builder.finish([builder.add(op, [given], "y")])
    return Quantized(graph, make_plan(graph, {"x": x, "y": y}))


def _random(rng: np.random.Generator, dtype: str, low: float = -16.0, high: float = -5.0) -> QParams:
    zero_point = int(rng.integers(-128, 128)) if dtype == "int8" else 0
    return encoding(float(np.exp(rng.uniform(low, high))), zero_point, dtype)


def _near(rng: np.random.Generator, x: QParams, dtype: str) -> QParams:
    steps = {"int8": 256.0, "int16": 1.0}
    scale = float(x.scale[0]) * steps[dtype] / steps[x.dtype] * float(np.exp(rng.uniform(-1.5, 1.5)))
    return encoding(scale, int(rng.integers(-128, 128)) if dtype == "int8" else 0, dtype)


def _pairs(source: str = "int16", target: str = "int16") -> Callable[[np.random.Generator], Pair]:
    def draw(rng: np.random.Generator) -> Pair:
        x = _random(rng, source)
        return x, _near(rng, x, target)

    return draw


def _to_unit(rng: np.random.Generator) -> Pair:
    """Any input scale, powers of two and their neighbours often."""
    power = float(np.float32(2.0) ** int(rng.integers(-16, -7))) * float(rng.choice([1.0, 1.0003, 1.01]))
    return (_random(rng, "int16") if rng.random() < 0.5 else encoding(power, 0, "int16")), UNIT


CASES: dict[str, tuple[Callable[[np.random.Generator], ops.Op], Callable[[np.random.Generator], Pair]]] = {
    "clip": (lambda rng: ops.Clip(-0.01, 0.02), _pairs()),
    "leaky_relu": (lambda rng: ops.LeakyRelu(float(rng.uniform(-1.5, 1.5))), _pairs()),
    "logistic": (lambda rng: ops.Sigmoid(), _to_unit),
    "relu": (lambda rng: ops.Clip(0.0), _pairs()),
    "requantize": (lambda rng: ops.Requantize(), _pairs()),
    "requantize_to_int8": (lambda rng: ops.Requantize(), _pairs("int16", "int8")),
    "requantize_to_int16": (lambda rng: ops.Requantize(), _pairs("int8", "int16")),
    "tanh": (lambda rng: ops.Tanh(), _to_unit),
}


@pytest.mark.parametrize("name", CASES)
def test_all_inputs_equal_micro(name: str) -> None:
    rng, (op, pair) = np.random.default_rng(4), CASES[name]
    for _ in range(40):
        quantized = _quantized(op(rng), *pair(rng))
        x = quantized.plan.qparams["x"]
        values = ALL[x.dtype].reshape(1, -1)
        got = integer_run(lower(quantized).graph, {"x": values})["y"].numpy()
        want = run_tflm(write_tflite(quantized), [values])[0]
        np.testing.assert_array_equal(got, want, err_msg=str(quantized.plan.qparams))


@pytest.mark.parametrize("op", [ops.Silu(), ops.HardSwish(), ops.Gelu(), ops.Mish(), ops.Softplus(), ops.HardSigmoid()])
def test_interpolated_tables_are_far_closer_than_int8(op: ops.Unary) -> None:
    x, y = encoding(8 / 32768, 0, "int16"), UNIT if isinstance(op, ops.HardSigmoid) else encoding(8 / 32768, 0, "int16")
    quantized, values = _quantized(op, x, y), ALL["int16"].reshape(1, -1)
    got = y.dequantize(integer_run(lower(quantized).graph, {"x": values})["y"].numpy())
    want = op.eval_float(torch.from_numpy(x.dequantize(values))).numpy()
    want = np.minimum(want, 32767 * float(y.scale[0]))
    assert np.abs(got - want).max() < 1e-3
    with pytest.raises(OctavoError, match="int16 form"):
        write_tflite(quantized)


def test_knots_hit_linear_functions_exactly() -> None:
    x = encoding(1e-3, 0, "int16")
    table = lookup_table(lambda v: np.abs(v), x, x)
    got = QLookup16(65536).eval_int(torch.from_numpy(ALL["int16"]), torch.from_numpy(table)).numpy()
    # The last knot, 32768, is outside int16: the segment before it is one step lower.
    np.testing.assert_allclose(got, np.abs(ALL["int16"].astype(np.int64)), atol=1)


@pytest.mark.parametrize("op", [ops.Sigmoid(), ops.Tanh()])
def test_scales_that_the_table_cannot_take_are_refused(op: ops.Op) -> None:
    with pytest.raises(OctavoError, match="too large"):
        lower(_quantized(op, encoding(3.0, 0, "int16"), UNIT))
    with pytest.raises(OctavoError, match="output scale"):
        lower(_quantized(op, encoding(1e-3, 0, "int16"), encoding(1e-3, 0, "int16")))
