"""A network with int16 and int8 layers, exported: files, host, emulated core, conversions of its edges."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.build import Build, evaluate, profile, run
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.device.toolchain import WARNINGS
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, Node, TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.package import export
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack, unpack
from octavo.targets import load_target
from tests.oracles.device import require_device
from tests.oracles.tflm import run_tflm

SAMPLES = 7


def network() -> Graph:
    """Two inputs, the first of an odd number of bytes; two outputs, one int8 and one int16."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("mixed")
    narrow, wide = b.input("narrow", TensorType((1, 5, 5, 3))), b.input("wide", TensorType((1, 5, 5, 3)))

    def parameters(*shape: int, outputs: int) -> list[str]:
        return [b.const(rng.normal(size=shape) * 0.3, "w"), b.const(rng.normal(size=outputs), "b")]

    padding = (1, 1, 1, 1)
    x = b.add(ops.Conv2D((1, 1), padding), [narrow, *parameters(3, 3, 3, 3, outputs=3)], "conv8")
    y = b.add(ops.Conv2D((1, 1), padding), [wide, *parameters(3, 3, 3, 3, outputs=3)], "conv16")
    y = b.add(ops.Mul(), [y, b.add(ops.Sigmoid(), [y], "gate16")], "product16")
    z = b.add(ops.Concat(3), [x, y], "join16")
    d = b.add(ops.DepthwiseConv2D((1, 1), padding), [z, *parameters(1, 3, 3, 6, outputs=6)], "depthwise8")
    m = b.add(ops.Mean((1, 2)), [d], "mean16")
    f = b.add(ops.FullyConnected(), [m, *parameters(5, 6, outputs=5)], "fc16")
    return b.finish([d, b.add(ops.Softmax(), [f], "softmax16")])


def int16_edges(quantized: Quantized) -> Quantized:
    """Without the Requantizes that keep inputs and outputs int8: the values behind them take the names before."""
    graph, qparams = quantized.graph, dict(quantized.plan.qparams)
    names: dict[str, str] = {}
    for node in graph.nodes:
        x, y = node.inputs[0], node.outputs[0]
        if node.kind == "Requantize" and (x in graph.inputs or y in graph.outputs):
            outer, inner = (x, y) if x in graph.inputs else (y, x)
            names[inner] = outer
            qparams[outer] = qparams.pop(inner)

    def renamed(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(value, value) for value in values)

    nodes = [Node(n.name, n.op, renamed(n.inputs), renamed(n.outputs), n.source) for n in graph.nodes]
    cut = graph.with_(nodes=tuple(node for node in nodes if node.inputs != node.outputs))
    return Quantized(cut, make_plan(cut, qparams))


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(SAMPLES, 5, 5, 3)).astype(np.float32) for name in ("narrow", "wide")}


@pytest.fixture(scope="module")
def build(inputs: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Build:
    graph = network()
    wide = frozenset(node.name for node in graph.nodes if node.name.endswith("16"))
    quantized = quantize_graph(graph, [inputs], Scheme(ranges="minmax", wide=wide))
    return export(int16_edges(quantized), tmp_path_factory.mktemp("int16") / "build")


@pytest.fixture(scope="module")
def samples(build: Build) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Random integer inputs and the executor's outputs."""
    rng, graph = np.random.default_rng(2), build.model.graph
    given = {
        name: rng.integers(*build.model.encodings[name].limits, (SAMPLES, 5, 5, 3), endpoint=True).astype(
            graph.types[name].dtype
        )
        for name in graph.inputs
    }
    return given, {name: value.numpy() for name, value in integer_run(graph, given).items()}


def test_dtypes(build: Build) -> None:
    graph = build.model.graph
    assert [graph.types[name].dtype for name in (*graph.inputs, *graph.outputs)] == ["int8", "int16", "int8", "int16"]
    assert [row["dtype"] for row in build.manifest["inputs"]] == ["int8", "int16"]
    assert "opset 18 does not have" in build.manifest["not_written"]["model_qdq.onnx"]


def test_host_sanitizers_and_micro_equal_the_executor(build: Build, samples) -> None:  # type: ignore[no-untyped-def]
    (given, expected), graph = samples, build.model.graph
    x, y = pack(graph, graph.inputs, given), pack(graph, graph.outputs, expected)
    with HostModel(build.c_dir) as host:
        np.testing.assert_array_equal(host.run(x), y)
    np.testing.assert_array_equal(sanitized_run(build.c_dir, x, y.shape[1]), y)
    flat = run_tflm((build.folder / "model.tflite").read_bytes(), [given[name] for name in graph.inputs], 2)
    for got, want in zip(flat, expected.values(), strict=True):
        np.testing.assert_array_equal(got, want.reshape(SAMPLES, -1))
    for name, value in unpack(graph, graph.outputs, y).items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_boards_equal_the_executor(build: Build, samples, name: str) -> None:  # type: ignore[no-untyped-def]
    require_device(name)
    (given, expected), graph = samples, build.model.graph
    result = run_on_board(build.c_dir, load_target(name), pack(graph, graph.inputs, given))
    np.testing.assert_array_equal(result.outputs, pack(graph, graph.outputs, expected))


def test_run_evaluate_and_profile(build: Build, samples, inputs: dict[str, np.ndarray]) -> None:  # type: ignore[no-untyped-def]
    given, expected = samples
    for name, value in run(build, given, raw=True).outputs.items():
        np.testing.assert_array_equal(value, expected[name])
    assert evaluate(build, inputs).sqnr_db > 25
    assert profile(build, "host").model_bytes == build.manifest["model_bytes"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_selftest_passes(build: Build, tmp_path: Path, compiler: str) -> None:
    sources = sorted(str(path) for path in build.c_dir.rglob("*.c"))
    flags = [*WARNINGS, "-DOCTAVO_SELFTEST_MAIN", f"-I{build.c_dir}/src"]
    command = [compiler, *flags, *sources, "-o", str(tmp_path / "t")]
    subprocess.run(command, check=True)
    assert subprocess.run([str(tmp_path / "t")], check=False).returncode == 0


def test_conversions_in_c_equal_python(build: Build, tmp_path: Path) -> None:
    encoding, rng = build.model.encodings["wide"], np.random.default_rng(5)
    scale = float(encoding.scale[0])
    edges = (np.concatenate([np.arange(-32790, -32700), np.arange(-200, 200), np.arange(32700, 32790)]) + 0.5) * scale
    x = np.concatenate([rng.normal(size=500) * 4, edges, [np.nan, np.inf, -np.inf, 1e30]]).astype(np.float32)
    words = ", ".join(f"0x{word:08x}u" for word in x.view(np.uint32).tolist())
    (tmp_path / "main.c").write_text(
        f"""#include <stdio.h>
#include <string.h>
#include "model.h"
static const uint32_t bits[] = {{{words}}};
int main(void)
{{
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; ++i) {{
        float x;
        memcpy(&x, &bits[i], sizeof x);
        printf("%d %.9g\\n", model_quantize_input1(x), (double)model_dequantize_output1((int16_t)(i * 50)));
    }}
    return 0;
}}
"""
    )
    command = ["gcc", *WARNINGS, "-fsanitize=undefined", f"-I{build.c_dir}/src", str(tmp_path / "main.c")]
    subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
    said = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True)
    assert said.stderr == ""
    rows = [line.split() for line in said.stdout.splitlines()]
    np.testing.assert_array_equal([int(row[0]) for row in rows], encoding.quantize_input(x))
    output = build.model.encodings[build.model.graph.outputs[1]]
    integers = (np.arange(len(x)) * 50).astype(np.int16)
    np.testing.assert_array_equal(np.float32([row[1] for row in rows]), np.float32(output.dequantize(integers)))
