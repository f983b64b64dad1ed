"""float16: how close its operators are to the float ones, why no subnormal float occurs, and what lowering refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo import ops
from octavo.analysis.compare import dequantize_outputs, quantize_inputs
from octavo.errors import OctavoError
from octavo.ir.check import verify
from octavo.lower.lower import lower
from octavo.num.exponential import ONE, decay, decay_table
from octavo.num.formats import FORMATS
from octavo.num.qparams import QParams
from octavo.ops.base import Example
from octavo.ops.half import HalfConv2D, HalfSigmoid, HalfSilu, HalfTanh
from octavo.ops.half.rounding import half_bits, half_limit, random_halves, rounded
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run
from tests.ops.test_standing import CASES, FLOAT_ONLY, graph_of, random_inputs

REFUSED = (
    ops.Abs, ops.Elu, ops.Erf, ops.Exp, ops.Gelu, ops.HardSigmoid, ops.Log, ops.Mish, ops.Neg, ops.ResizeBilinear,
    ops.Rsqrt, ops.Softplus, ops.Sqrt, ops.Square, ops.TransposeConv2D,
)  # fmt: skip
WITH_FORM = [case for case in CASES if not isinstance(case.values[0].op, (*FLOAT_ONLY, *REFUSED))]
ALL = np.arange(2**16, dtype=np.uint16).view(np.float16)
FINITE = ALL[np.isfinite(ALL)]


@pytest.mark.parametrize("example", WITH_FORM)
def test_float16_form_is_close_to_the_float_form(example: Example) -> None:
    graph = graph_of(example)
    inputs = random_inputs(graph, type(example.op).__name__, 16)
    model = lower(quantize_graph(graph, [inputs], Scheme(FORMATS["float16"])))
    verify(model.graph)
    assert {model.graph.types[name].dtype for name in model.graph.activations()} == {"float16"}
    expected = float_run(graph, inputs)[graph.outputs[0]].numpy().astype(np.float64)
    got = integer_run(model.graph, quantize_inputs(model, inputs))
    got = dequantize_outputs(model, {k: v.numpy() for k, v in got.items()})[model.graph.outputs[0]]
    sqnr = 10 * np.log10(np.sum(expected**2) / np.sum((expected - got) ** 2))
    assert sqnr > 65, f"{sqnr:.1f} dB"


@pytest.mark.parametrize("kind", REFUSED)
def test_operators_without_a_float16_form_are_refused_by_name(kind: type[ops.Op]) -> None:
    graph = graph_of(kind.examples()[0])
    inputs = random_inputs(graph, kind.__name__, 2)
    with pytest.raises(OctavoError, match=r"model\.node: .*no float16 form"):
        lower(quantize_graph(graph, [inputs], Scheme(FORMATS["float16"])))


def test_sums_err_by_their_order_and_one_rounding() -> None:
    """Against float64: a sum of n products is off by n roundings of what it has reached, then half a step."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s).astype(np.float16) for s in ((4, 6, 5, 40), (3, 3, 40, 9), (9,)))
    op = HalfConv2D(6, 5, 40, 4, 3, 9, 3, 3, 1, 1, 1, 1, 0, 0, 1, -65504.0, 65504.0)
    got = op.eval_int(*(torch.from_numpy(a) for a in (x, w, b))).double()

    def exact(*arrays: np.ndarray) -> torch.Tensor:
        image, filters, bias = (torch.from_numpy(a.astype(np.float64)) for a in arrays)
        y = torch.nn.functional.conv2d(image.permute(0, 3, 1, 2), filters.permute(3, 2, 0, 1), bias)
        return y.permute(0, 2, 3, 1)

    want, reach = exact(x, w, b), exact(*(np.abs(a) for a in (x, w, b)))
    step = torch.from_numpy(np.spacing(np.abs(want.numpy()).astype(np.float16)).astype(np.float64))
    assert bool(((got - want).abs() <= 0.5 * step + 361 * 2.0**-24 * reach).all())
    assert bool((got != want).any())


def test_products_of_halves_are_exact_and_never_subnormal_in_float32() -> None:
    """So fused and separate sums are equal, and a core that flushes subnormal floats to zero has none to flush."""
    rng = np.random.default_rng(1)
    a, b = (rng.choice(FINITE, 10**6).astype(np.float32) for _ in range(2))
    products = a.astype(np.float64) * b.astype(np.float64)
    np.testing.assert_array_equal(a * b, products)
    assert np.array_equal(np.rint(products * 2.0**48), products * 2.0**48)
    sums = np.cumsum((a * b).reshape(1000, 1000), axis=1, dtype=np.float32)
    assert np.abs(sums[sums != 0]).min() >= 2.0**-48 > np.finfo(np.float32).tiny


def test_subnormal_halves_count() -> None:
    smallest = torch.full((1, 1, 1, 2), 2.0**-24, dtype=torch.float16)
    weights, bias = torch.ones(1, 1, 2, 1, dtype=torch.float16), torch.full((1,), 2.0**-24, dtype=torch.float16)
    op = HalfConv2D(1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, -65504.0, 65504.0)
    assert float(op.eval_int(smallest, weights, bias)) == 3 * 2.0**-24


def test_rounding_is_numpys_and_saturates() -> None:
    values = np.array([0.0, -0.0, 2.0**-25, -(2.0**-25), 3 * 2.0**-26, 65503.0, 65519.9, 1e9, -1e9], np.float32)
    want = np.clip(values, -65504, 65504).astype(np.float16)
    got = rounded(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(got.view(np.int16), want.view(np.int16))
    one = QParams("float16", np.ones(1, np.float32), np.zeros(1, np.int32))
    given = np.array([np.nan, np.inf, -np.inf, 1.0 + 2.0**-11, 1.0 + 3 * 2.0**-11], np.float32)
    np.testing.assert_array_equal(
        one.quantize_input(given), np.array([-65504, 65504, -65504, 1, 1 + 2.0**-9], np.float16)
    )


def test_a_zero_at_a_limit_has_the_sign_of_the_limit() -> None:
    zeros = torch.tensor([0.0, -0.0])
    assert np.signbit(rounded(zeros, 0.0, 6.0).numpy()).tolist() == [False, False]
    assert np.signbit(rounded(zeros, -1.0, 6.0).numpy()).tolist() == [False, True]
    assert not np.signbit(half_limit(-0.0)) and half_limit(float("inf")) == 65504.0
    assert half_bits(-7.0) == np.float16(-7).view(np.int16)


@pytest.mark.parametrize(
    ("kind", "function"),
    [(HalfSigmoid, torch.sigmoid), (HalfTanh, torch.tanh), (HalfSilu, torch.nn.functional.silu)],
)
def test_functions_are_within_a_step_for_every_half(kind: type[HalfSigmoid], function: object) -> None:
    x, table = torch.from_numpy(FINITE.copy()), torch.from_numpy(decay_table())
    got = kind(x.numel()).eval_int(x, table).double().numpy()
    assert callable(function)
    want = function(x.double()).numpy()
    step = np.maximum(np.spacing(np.minimum(np.abs(want), 65000).astype(np.float16)).astype(np.float64), 2.0**-24)
    assert (np.abs(got - want) / step).max() < 0.8


def test_decay_is_the_exponential() -> None:
    d = torch.from_numpy(np.abs(random_halves(np.random.default_rng(2), (10**5,))).astype(np.float32))
    got = decay(d, torch.from_numpy(decay_table())).double() / ONE
    assert float((got - torch.exp(-d.double())).abs().max()) < 2.0**-21
    assert bool((decay(torch.tensor([32.0, 65504.0]), torch.from_numpy(decay_table())) == 0).all())
