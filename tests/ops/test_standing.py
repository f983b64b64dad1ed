"""Laws that every operator must keep, over the examples that each operator brings along."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from octavo.analysis.compare import dequantize_outputs, quantize_inputs
from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.check import verify
from octavo.ir.graph import Graph, TensorType
from octavo.lower.lower import lower
from octavo.ops import OPERATORS, BatchNorm, Conv2D, DepthwiseConv2D, Div, LogSoftmax, Sum
from octavo.ops.base import Example
from octavo.ops.integer import QConv2D, QDepthwiseConv2D
from octavo.quant.quantize import quantize_graph
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run

FLOAT_ONLY = (BatchNorm, Div, LogSoftmax, Sum)
CASES = [
    pytest.param(example, id=f"{name}-{index}")
    for name, op in sorted(OPERATORS.items())
    for index, example in enumerate(op.examples())
]
POSITIVE = ("Log", "Rsqrt", "Sqrt")


def graph_of(example: Example) -> Graph:
    """A graph of this one operator."""
    builder = GraphBuilder("one")
    values = [
        builder.const(example.consts[i], f"const{i}") if i in example.consts else builder.input(f"x{i}", type_)
        for i, type_ in enumerate(example.inputs)
    ]
    return builder.finish([builder.add(example.op, values, "node", "model.node")])


def random_inputs(graph: Graph, kind: str, samples: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    draw = {name: rng.normal(size=(samples, *graph.types[name].shape[1:])) for name in graph.inputs}
    return {n: (np.abs(x) + 0.5 if kind in POSITIVE else x).astype(np.float32) for n, x in draw.items()}


@pytest.mark.parametrize("example", CASES)
def test_shape_rule_equals_what_is_computed(example: Example) -> None:
    graph = verify(graph_of(example))
    inputs = random_inputs(graph, type(example.op).__name__, 3)
    (output,) = float_run(graph, inputs).values()
    assert tuple(output.shape) == (3, *graph.types[graph.outputs[0]].shape[1:])
    alone = float_run(graph, {name: value[1:2] for name, value in inputs.items()})[graph.outputs[0]]
    torch.testing.assert_close(alone, output[1:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("example", [c for c in CASES if not isinstance(c.values[0].op, FLOAT_ONLY)])
def test_integer_form_is_close_to_the_float_form(example: Example) -> None:
    graph = graph_of(example)
    inputs = random_inputs(graph, type(example.op).__name__, 16)
    quantized = quantize_graph(graph, [inputs])
    model = lower(quantized)
    verify(model.graph)
    expected = float_run(graph, inputs)[graph.outputs[0]].numpy().astype(np.float64)
    integers = integer_run(model.graph, quantize_inputs(model, inputs))
    got = dequantize_outputs(model, {k: v.numpy() for k, v in integers.items()})[graph.outputs[0]]
    sqnr = 10 * np.log10(np.sum(expected**2) / np.sum((expected - got) ** 2))
    assert sqnr > 24, f"{sqnr:.1f} dB"


@pytest.mark.parametrize("kind", FLOAT_ONLY)
def test_operators_without_integer_form_are_refused_by_name(kind: type) -> None:
    builder = GraphBuilder("one")
    x = builder.input("x", TensorType((1, 4, 4, 3)))
    ones = [builder.const(np.ones(3, np.float32), "p") for _ in range(4 * (kind is BatchNorm))]
    inputs = {BatchNorm: [x, *ones], Div: [x, x], LogSoftmax: [x], Sum: [x]}[kind]
    graph = builder.finish([builder.add(kind(), inputs, "node", "layer7.op")])
    data = np.random.default_rng(0).uniform(1, 2, (4, 4, 4, 3)).astype(np.float32)
    with pytest.raises(OctavoError, match="layer7.op"):
        lower(quantize_graph(graph, [data]))


@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_one_channel_and_uneven_strides(kind: type[Conv2D | DepthwiseConv2D]) -> None:
    """Where oneDNN errs when it takes one channel for channels last: float and integers against float64."""
    x, w = torch.randint(-128, 128, (8, 5, 4, 1)), torch.randint(-10, 11, (1, 2, 3, 1))
    op, b = kind(stride=(1, 2)), torch.zeros(1)
    want = op.eval_float(x.double(), w.double(), b.double())
    torch.testing.assert_close(op.eval_float(x.float(), w.float(), b).double(), want, rtol=0, atol=0)
    form = QConv2D if kind is Conv2D else QDepthwiseConv2D
    integer = form(5, 4, 1, 4, 1, 1, 2, 3, 1, 2, 1, 1, 0, 0, 1, 0, 0, 0, -128, 127)
    one = torch.tensor([1 << 30], dtype=torch.int32), torch.tensor([-8], dtype=torch.int8)
    got = integer.eval_int(x.to(torch.int8), w.to(torch.int8), torch.zeros(1, dtype=torch.int32), *one)
    assert int((got.double() - want / 512).abs().max() * 2) <= 1


def test_resize_follows_torch() -> None:
    from octavo.ops import ResizeBilinear, ResizeNearest

    x = torch.randn(2, 5, 7, 3)
    nchw = x.permute(0, 3, 1, 2)
    for size in ((10, 14), (9, 11), (3, 4)):
        for align in (False, True):
            want = torch.nn.functional.interpolate(nchw, size, mode="bilinear", align_corners=align)
            got = ResizeBilinear(size, align, not align).eval_float(x).permute(0, 3, 1, 2)
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
        want = torch.nn.functional.interpolate(nchw, size, mode="nearest")
        torch.testing.assert_close(ResizeNearest(size).eval_float(x).permute(0, 3, 1, 2), want)
