"""Activations of fewer bits than their dtype: which they are, what integers they have, and that all executors agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from octavo.build import run
from octavo.errors import OctavoError
from octavo.formats.native.store import read_quantized, write_quantized
from octavo.formats.onnx import write_onnx_qdq
from octavo.formats.tflite import write_tflite
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, ActivationFormat, Format
from octavo.num.levels import Between
from octavo.ops import Add, Clip, Concat, Conv2D, FullyConnected, HardSwish, LeakyRelu, MaxPool2D, Mean, Mul, Sigmoid
from octavo.package import export
from octavo.quant.quantize import Scheme, activation_qparams, quantize_graph
from octavo.quant.simulate import simulate
from octavo.run.integer_run import integer_run

FOUR = FORMATS["4x4"]
FORMS = {
    "4x4": FOUR,
    "3 bits": replace(FOUR, activations=ActivationFormat(bits=3)),
    "symmetric": replace(FOUR, activations=ActivationFormat(symmetric=True, bits=4)),
    "powers of two": replace(FOUR, activations=ActivationFormat(symmetric=True, power_of_two=True, bits=5)),
}


def network() -> Graph:
    """Clamps of every kind: none, ReLU, ReLU6, hard-swish, leaky ReLU, a gate, a sum, a concatenation, a max pool."""
    rng, b = np.random.default_rng(0), GraphBuilder("narrow")

    def layer(op: Conv2D | FullyConnected, x: str, shape: tuple[int, ...], name: str) -> str:
        w = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) / 2)).astype(np.float32)
        bias = rng.normal(size=shape[0]).astype(np.float32) / 4
        return b.add(op, [x, b.const(w, f"{name}.w"), b.const(bias, f"{name}.b")], name, name)

    x = b.input("x", TensorType((1, 8, 8, 3)))
    first = layer(Conv2D(padding=(1, 1, 1, 1), activation=Clip(0.0, 6.0)), x, (6, 3, 3, 3), "relu6")
    plain = layer(Conv2D(), first, (6, 1, 1, 6), "plain")
    gate = b.add(Sigmoid(), [layer(Conv2D(), b.add(Mean((1, 2), True), [first], "mean"), (6, 1, 1, 6), "se")], "gate")
    total = b.add(Add(activation=Clip(0.0)), [b.add(Mul(), [plain, gate], "gated"), first], "sum")
    both = [b.add(op, [layer(Conv2D(), total, (4, 1, 1, 6), name)], f"{name}.y")
            for op, name in ((HardSwish(), "swish"), (LeakyRelu(0.2), "leaky"))]  # fmt: skip
    y = b.add(Mean((1, 2), False), [b.add(MaxPool2D(), [b.add(Concat(3), both, "concat")], "max")], "pool")
    return b.finish([layer(FullyConnected(), y, (5, 8), "head")])


def data(count: int = 16) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 8, 8, 3)).astype(np.float32)


def quantized(format: Format = FOUR) -> Quantized:
    return quantize_graph(network(), [data()], Scheme(format, "mse", "mse"))


def named(q: Quantized) -> dict[str, tuple[int, int]]:
    """The integers of every activation by its name without what the builder adds."""
    return {name: q.plan.qparams[name].limits for name in q.graph.activations()}


def test_only_what_is_clamped_between_the_ends_is_narrow() -> None:
    q = quantized()
    whole = {name for name, ends in named(q).items() if ends == (-128, 127)}
    assert whole == {q.graph.inputs[0], q.graph.outputs[0], "mean", "gate", "pool"}
    assert set(named(q).values()) == {(-128, 127), (112, 127)}


@pytest.mark.parametrize("bits", range(2, 8))
def test_integers_of_a_range(bits: int) -> None:
    steps = 2**bits - 1
    q = activation_qparams(0.0, 3.0, ActivationFormat(bits=bits))
    assert q.limits == (127 - steps, 127) and int(q.zero_point[0]) == 127 - steps
    assert q.scale[0] == pytest.approx(3 / steps)
    q = activation_qparams(-1.0, 3.0, ActivationFormat(bits=bits))
    assert np.unique(q.quantize(np.linspace(-2, 4, 999))).tolist() == list(range(127 - steps, 128))
    q = activation_qparams(0.0, 3.0, ActivationFormat(symmetric=True, bits=bits))
    assert q.limits == (0, steps) and q.scale[0] == pytest.approx(3 / steps)
    q = activation_qparams(-1.0, 3.0, ActivationFormat(symmetric=True, bits=bits))
    assert q.limits == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) and q.levels == Between(*q.limits)


@pytest.mark.parametrize("bits,dtype", [(1, "int8"), (9, "int8"), (4, "int16"), (4, "float16")])
def test_bits_that_there_are_not(bits: int, dtype: str) -> None:
    with pytest.raises(OctavoError, match="not possible"):
        ActivationFormat(dtype, symmetric=True, bits=bits)


@pytest.mark.parametrize("form", FORMS)
def test_all_executors_agree_and_stay_inside(form: str, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    from tests.oracles.tflm import run_tflm

    q = quantized(FORMS[form])
    model, inner = lower(q), tuple(node.outputs[0] for node in q.graph.nodes)
    x = np.random.default_rng(2).integers(-128, 128, (12, 8, 8, 3)).astype(np.int8)
    integers = integer_run(model.graph.with_(outputs=inner), {"x": x})
    for name in inner:
        low, high = q.plan.qparams[name].limits
        assert int(integers[name].min()) >= low and int(integers[name].max()) <= high, name
    expected = integers[q.graph.outputs[0]].numpy()
    build = export(q, tmp_path / "build", target="host")
    got = run(build, x, raw=True).outputs[q.graph.outputs[0]]
    np.testing.assert_array_equal(got, expected)
    (theirs,) = run_tflm(write_tflite(q), [x])
    np.testing.assert_array_equal(theirs, expected)


def test_a_relu_needs_no_clamp_of_its_own_in_tflite() -> None:
    """Its integers are the uppermost: saturation is one end, the fused activation the other."""
    b = GraphBuilder("relu")
    x, rng = b.input("x", TensorType((1, 4, 4, 3))), np.random.default_rng(0)
    for name in ("first", "second"):
        w = b.const(rng.normal(size=(3, 1, 1, 3)).astype(np.float32), f"{name}.w")
        x = b.add(Conv2D(activation=Clip(0.0)), [x, w, b.const(np.zeros(3, np.float32), f"{name}.b")], name)
    q = quantize_graph(b.finish([x]), [rng.normal(size=(8, 4, 4, 3)).astype(np.float32)], Scheme(FOUR, "mse"))
    # The tensor between an operator and its clamp has this name.
    assert b"unclamped" not in write_tflite(q) and named(q)["first"] == (112, 127)
    assert b"plain/unclamped" in write_tflite(quantized())


@pytest.mark.parametrize("form", FORMS)
def test_onnx_computes_it(form: str) -> None:
    q = quantized(FORMS[form])
    session = onnxruntime.InferenceSession(write_onnx_qdq(q))
    (theirs,) = session.run(None, {session.get_inputs()[0].name: data(64)})
    ours = simulate(q, {"x": data(64)})[q.graph.outputs[0]].numpy()
    step = float(q.plan.qparams[q.graph.outputs[0]].scale[0])
    assert np.mean(np.abs(theirs - ours) < 1.5 * step) > 0.97
    assert torch.equal(torch.from_numpy(ours).argmax(1)[:8], torch.from_numpy(theirs).argmax(1)[:8])


def test_stored_and_read_again(tmp_path: Path) -> None:
    q = quantized()
    for name, content in write_quantized(q).items():
        (tmp_path / name).write_bytes(content)
    assert read_quantized(tmp_path).plan.qparams == q.plan.qparams
    text = (tmp_path / "graph.json").read_text()
    (tmp_path / "graph.json").write_text(text.replace('"high": 127', '"high": 300'))
    with pytest.raises(OctavoError, match="none of int8"):
        read_quantized(tmp_path)


def test_a_symmetric_format_of_all_bits_is_as_before() -> None:
    for format in (ActivationFormat(), ActivationFormat(bits=8)):
        assert activation_qparams(-1.0, 3.0, format).limits == (-128, 127)
        assert activation_qparams(-1.0, 3.0, format).levels == activation_qparams(-1.0, 3.0).levels
