"""Every number format that the C backend runs: Python's integers = the host's C = the interpreter's, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build, run
from octavo.device.host import sanitized_run
from octavo.errors import OctavoError
from octavo.formats.onnx import write_onnx_qdq
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, find_format
from octavo.ops import (
    Add,
    AveragePool2D,
    Clip,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Mul,
    Reshape,
    Sigmoid,
    Softmax,
)
from octavo.ops.half.rounding import random_halves
from octavo.package import export
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.rounding import compensated, least_squares_rounding
from octavo.quant.simulate import simulate
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack
from tests.oracles.device import require_device

INTEGER = [(name, g) for name in FORMATS if name != "float16" for g in ("per-channel", "per-tensor")]
INTEGER.append(("int4", "per-group"))


def network(softmax: bool = False) -> Graph:
    """A residual block with a sigmoid gate, as in squeeze-and-excite networks."""
    rng, b = np.random.default_rng(0), GraphBuilder("gated")

    def layer(op: object, x: str, shape: tuple[int, ...], axis: int, name: str) -> str:
        w = (rng.normal(size=shape) / np.sqrt(np.prod(shape) / shape[axis] / 2)).astype(np.float32)
        bias = rng.normal(size=shape[axis]).astype(np.float32) / 4
        return b.add(op, [x, b.const(w, f"{name}.w"), b.const(bias, f"{name}.b")], name, name)  # type: ignore[arg-type]

    x = b.input("x", TensorType((1, 6, 6, 5)))
    a = layer(Conv2D(padding=(1, 1, 1, 1), activation=Clip(0.0, 6.0)), x, (8, 3, 3, 5), 0, "conv")
    d = layer(DepthwiseConv2D(padding=(1, 1, 1, 1), activation=Clip(0.0)), a, (1, 3, 3, 8), 3, "depthwise")
    gate = b.add(Sigmoid(), [layer(Conv2D(), b.add(Mean((1, 2), True), [d], "mean"), (8, 1, 1, 8), 0, "se")], "gate")
    y = b.add(Add(), [b.add(Mul(), [d, gate], "gated"), a], "sum")
    y = b.add(Reshape((1, 8)), [b.add(Mean((1, 2), False), [y], "pool")], "flat")
    y = layer(FullyConnected(), y, (7, 8), 0, "head")
    return b.finish([b.add(Softmax(), [y], "probabilities") if softmax else y])


def pyramid() -> Graph:
    """Images that become smaller, which is what strips are for."""
    rng, b = np.random.default_rng(0), GraphBuilder("pyramid")
    x, channels = b.input("x", TensorType((1, 24, 24, 3))), 3
    for name in ("first", "second", "third"):
        w = b.const(rng.normal(size=(8, 3, 3, channels)).astype(np.float32) / 4, f"{name}.w")
        bias = b.const(rng.normal(size=8).astype(np.float32), f"{name}.b")
        x, channels = b.add(Conv2D(padding=(1, 1, 1, 1), activation=Clip(0.0)), [x, w, bias], name, name), 8
        x = b.add(AveragePool2D() if name == "first" else MaxPool2D(), [x], f"{name}.pool")
    return b.finish([x])


def data(count: int = 32) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, 6, 6, 5)).astype(np.float32)


def quantized(name: str, granularity: str = "per-channel", softmax: bool = False) -> Quantized:
    scheme = Scheme(find_format(name).with_weights(granularity), "mse", "mse")
    return quantize_graph(network(softmax), [data()], scheme)


def integers(q: Quantized, count: int = 6) -> np.ndarray:
    dtype = q.plan.qparams["x"].dtype
    top = 32767 if dtype == "int16" else 127
    return np.random.default_rng(3).integers(-top - 1, top + 1, (count, 6, 6, 5)).astype(dtype)


@pytest.mark.parametrize("name,granularity", INTEGER)
def test_python_c_and_interpreter_agree(name: str, granularity: str, tmp_path: Path) -> None:
    q = quantized(name, granularity)
    if name != "16x8":
        q = least_squares_rounding(q, data(), compensated(4))
    model, x = lower(q), integers(q)
    expected = integer_run(model.graph, {"x": x})[model.graph.outputs[0]].numpy().reshape(len(x), -1)
    build: Build = export(q, tmp_path / "build", target="host")
    assert "model.tflite" not in build.manifest["not_written"]
    got = run(build, x, raw=True).outputs[model.graph.outputs[0]]
    np.testing.assert_array_equal(got.reshape(len(x), -1), expected)
    pytest.importorskip("tflite_micro")
    from tests.oracles.tflm import run_tflm

    (theirs,) = run_tflm((tmp_path / "build" / "model.tflite").read_bytes(), [x])
    np.testing.assert_array_equal(theirs.reshape(len(x), -1), expected)


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "float16"])
def test_the_simulation_is_the_integers_but_for_a_step(name: str) -> None:
    """TensorFlow Lite's sigmoid is off by a step for some inputs, and sums round twice: outputs may move by one."""
    q = quantized(name)
    model, output = lower(q), q.graph.outputs[0]
    x = data(64)
    simulated = q.plan.qparams[output].quantize(simulate(q, {"x": x})[output].numpy()).astype(int)
    inputs = {"x": q.plan.qparams["x"].quantize_input(x)}
    exact = integer_run(model.graph, inputs)[output].numpy().astype(int)
    far = np.abs(simulated - exact)
    # int16 adds and products round in steps of their own; a few of 32,767 are nothing. Steps of 4 bits are wide.
    assert far.max() <= {"16x8": 24, "4x4": 8}.get(name, 2)
    assert name in ("16x8", "4x4") or (far > 0).mean() < 0.4


def test_power_of_two_scales_are_powers_of_two_everywhere() -> None:
    q = quantized("power-of-two", softmax=True)
    for name, encoding in q.plan.qparams.items():
        assert np.all(np.frexp(encoding.scale)[0] == 0.5), name
        if name != q.graph.outputs[0]:
            assert (encoding.zero_point == 0).all(), name


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, np.ndarray, np.ndarray]:
    """The network in float16 for Helium, samples, and what Python makes of them."""
    q = quantized("float16", softmax=True)
    model, x = lower(q), random_halves(np.random.default_rng(4), (6, 6, 6, 5))
    expected = integer_run(model.graph, {"x": x})[model.graph.outputs[0]].numpy()
    return export(q, tmp_path_factory.mktemp("half") / "build", target="cortex-m55"), x, expected


@pytest.mark.parametrize("on", ["host", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_float16_on_every_core_is_pythons(half: tuple[Build, np.ndarray, np.ndarray], on: str) -> None:
    build, x, expected = half
    if on != "host":
        require_device(on)
    (got,) = run(build, x, on=on, raw=True).outputs.values()
    np.testing.assert_array_equal(got.view(np.int16), expected.view(np.int16))
    packed = pack(build.model.graph, ["x"], {"x": x})
    sanitized = sanitized_run(build.c_dir, packed, expected[0].nbytes) if on == "host" else None
    assert sanitized is None or np.array_equal(sanitized, expected.reshape(len(x), -1).view(np.int8))


def test_float16_strip_by_strip_and_with_streamed_weights(tmp_path: Path) -> None:
    batch = np.random.default_rng(5).normal(size=(4, 24, 24, 3)).astype(np.float32)
    q = quantize_graph(pyramid(), [batch], Scheme(FORMATS["float16"]))
    x = random_halves(np.random.default_rng(5), (3, 24, 24, 3))
    expected = integer_run(lower(q).graph, {"x": x})[q.graph.outputs[0]].numpy()
    for name, options in (("strips", {"strips": True}), ("streamed", {"stream": 1024})):
        for target in ("host", "cortex-m55"):
            build = export(q, tmp_path / f"{name}-{target}", target=target, **options)  # type: ignore[arg-type]
            assert build.manifest["strips"]["loops"] if name == "strips" else build.manifest["streaming"]["layers"]
            (got,) = run(build, x, raw=True).outputs.values()
            np.testing.assert_array_equal(got.view(np.int16), expected.view(np.int16))


def test_float16_raw_data_are_finite_halves(half: tuple[Build, np.ndarray, np.ndarray]) -> None:
    build, x, _ = half
    for wrong in (x.astype(np.float32), np.where(x > 0, np.float16(np.inf), x), np.where(x > 0, np.float16(np.nan), x)):
        with pytest.raises(OctavoError, match="float16"):
            run(build, wrong, raw=True)


def test_float16_is_simulated_and_exported_as_it_runs() -> None:
    """But for the order of the sums, and so for a rounding here and there."""
    import onnxruntime

    q = quantized("float16")
    x, output = data(8), q.graph.outputs[0]
    model = lower(q)
    exact = integer_run(model.graph, {"x": q.plan.qparams["x"].quantize_input(x)})[output].float().numpy()
    session = onnxruntime.InferenceSession(write_onnx_qdq(q))
    (theirs,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(simulate(q, {"x": x})[output].numpy(), exact, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(theirs, exact, rtol=2e-3, atol=2e-3)
