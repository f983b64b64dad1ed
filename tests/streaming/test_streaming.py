"""Constants copied from slow memory: waited for before they are read, into bytes that nothing else uses meanwhile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from octavo import api
from octavo.build import Build
from octavo.bundles import Bundle, bundle
from octavo.c.library import csrc_dir
from octavo.compiled import read_compiled
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel
from octavo.device.toolchain import WARNINGS
from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.lower.streaming import LEAST, choose_streams, stream_buffers
from octavo.package import export
from octavo.targets import load_target
from tests.bundles.harness import samples
from tests.oracles.data import data_path
from tests.oracles.device import require_device
from tests.streaming.networks import compiled, quantized

# A copy that happens when it is waited for. Until then the target is poisoned, and must stay so: nobody writes there.
MOCK = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void octavo_copy_start(void *to, const void *from, uint32_t bytes);
void octavo_copy_wait(void);

static uint8_t *target;
static const void *source;
static uint32_t left;

void octavo_copy_start(void *to, const void *from, uint32_t bytes)
{
    if (left != 0 || bytes == 0 || (uintptr_t)to % 4 != 0) {
        abort(); /* one copy at a time, and a DMA moves words */
    }
    target = to;
    source = from;
    left = bytes;
    memset(target, 0xa5, bytes);
}

void octavo_copy_wait(void)
{
    if (left == 0) {
        abort();
    }
    for (uint32_t i = 0; i < left; ++i) {
        if (target[i] != 0xa5) {
            abort();
        }
    }
    memcpy(target, source, left);
    left = 0;
}
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return compiled(tmp_path_factory.mktemp("plain"), None)


def run_mocked(build: Build | Bundle, x: NDArray[np.int8], folder: Path, *flags: str) -> NDArray[np.int8]:
    (folder / "mock.c").write_text(MOCK)
    (folder / "inputs.bin").write_bytes(x.tobytes())
    sources = [*sorted((build.c_dir / "src").rglob("*.c")), csrc_dir() / "boards/host/files.c", folder / "mock.c"]
    includes = [f"-I{build.c_dir / part}" for part in ("src", "selftest")]
    sanitizers = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DOCTAVO_COPY"]
    command = ["gcc", *WARNINGS, *sanitizers, *flags, *includes, *map(str, sources), "-o", str(folder / "program")]
    subprocess.run(command, check=True)
    done = subprocess.run([str(folder / "program")], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return np.fromfile(folder / "outputs.bin", np.int8).reshape(len(x), -1)


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "host"])
@pytest.mark.parametrize("limit", [10**6, 300, 100])
def test_a_copy_that_takes_until_the_wait(tmp_path: Path, target: str, limit: int) -> None:
    """All layers, some, few; the kernels that the host can run."""
    build = compiled(tmp_path, limit, target)
    x, y = samples(build, 4, 5)
    np.testing.assert_array_equal(run_mocked(build, x, tmp_path), y)


@pytest.mark.parametrize(
    ("target", "limit", "optimize"),
    [("cortex-m0", 300, "speed"), ("cortex-m4", 500, "speed"), ("cortex-m4", 500, "size"), ("host", 800, "speed")],
)
def test_layers_in_pieces(tmp_path: Path, target: str, limit: int, optimize: str) -> None:
    """Alone and with shared kernels; no buffer is larger than allowed, and no layer that can be cut is left."""
    build = compiled(tmp_path, limit, target, "pieces", optimize)
    x, y = samples(build, 4, 5)
    np.testing.assert_array_equal(run_mocked(build, x, tmp_path), y)
    said = build.manifest["streaming"]
    assert max(said["layers"].values()) <= limit and (target == "host" or not said["resident"])
    assert len(said["layers"]) > 8


@pytest.mark.parametrize("limit", [10**6, 80])
def test_in_a_bundle(tmp_path: Path, limit: int) -> None:
    """Both models' buffers are in the shared arena, of layers whole and in pieces; the flash holds what stays."""
    builds = [export(quantized(net), tmp_path / net, net, "cortex-m0", stream=limit) for net in ("eye", "ear")]
    made = bundle([build.folder for build in builds], tmp_path / "out")
    pairs = [samples(build, 3, 8) for build in builds]
    x, y = (np.concatenate([pair[side] for pair in pairs], axis=1) for side in (0, 1))
    np.testing.assert_array_equal(run_mocked(made, x, tmp_path), y)
    stays = [build.manifest["streaming"]["flash_bytes"] for build in builds]
    assert [read_compiled(build.folder).flash_bytes for build in builds] == stays
    assert all(build.manifest["model_bytes"] > more for build, more in zip(builds, stays, strict=True))


@pytest.mark.parametrize(("net", "limit"), [("ear", 10**6), ("ear", 70), ("pieces of int16", 200)])
def test_int16_and_several_inputs(tmp_path: Path, net: str, limit: int) -> None:
    build = compiled(tmp_path, limit, net=net)
    x, y = samples(build, 4, 5)
    np.testing.assert_array_equal(run_mocked(build, x, tmp_path), y)


@pytest.mark.parametrize("fault", ["no wait", "late wait", "early start"])
def test_the_mock_notices(tmp_path: Path, fault: str) -> None:
    """Or the tests above would prove nothing."""
    build = compiled(tmp_path, 10**6)
    source = build.c_dir / "src/model.c"
    text = source.read_text()
    wait = "    octavo_copy_wait();\n"
    assert text.count(wait) == text.count("octavo_copy_start(") >= 3
    if fault == "no wait":
        text = text.replace(wait, "", 1)
    elif fault == "late wait":
        head, tail = text.split(wait, 1)
        text = head + tail.replace("    }\n", "    }\n" + wait, 1)
    else:
        text = text.replace(wait, wait + wait.replace("wait()", "start(model_arena.bytes, model_arena.bytes, 4)"), 1)
    source.write_text(text)
    x, y = samples(build, 4, 5)
    try:
        wrong = (run_mocked(build, x, tmp_path) != y).any()
    except AssertionError:
        wrong = True
    assert wrong


def test_the_copy_at_once(tmp_path: Path) -> None:
    """Without hooks: the bytes are in place early, so that a layer that wrote over them would be found."""
    build = compiled(tmp_path, 10**6)
    x, y = samples(build, 8, 6)
    with HostModel(build.c_dir) as host:
        np.testing.assert_array_equal(host.run(x), y)


@pytest.mark.parametrize(
    ("name", "net", "limit"),
    [
        ("cortex-m0", "small", 10**6), ("cortex-m4", "small", 10**6), ("cortex-m55", "small", 10**6),
        ("rv32imc", "small", 10**6), ("cortex-m4", "pieces", 500), ("cortex-m55", "pieces", 500),
    ],
)  # fmt: skip
def test_on_boards(tmp_path: Path, name: str, net: str, limit: int) -> None:
    """Constants in a section of their own, which a linker script places."""
    require_device(name)
    build = compiled(tmp_path, limit, name, net)
    x, y = samples(build, 3, 7)
    result = run_on_board(build.c_dir, load_target(name), x)
    np.testing.assert_array_equal(result.outputs, y)
    assert result.model_bytes == pytest.approx(build.manifest["model_bytes"], abs=128)


def test_an_official_model_on_a_board(tmp_path: Path) -> None:
    """The autoencoder's 281 KB through buffers of 4 KiB: 80 copies and more, and no weight in flash."""
    require_device()
    model = api.load(data_path("mlperf_tiny/autoencoder_ad_int8.tflite"))
    assert isinstance(model, Quantized)
    build = export(model, tmp_path / "out", target="cortex-m4", stream=4096)
    x, y = samples(build, 2, 7)
    np.testing.assert_array_equal(run_on_board(build.c_dir, load_target("cortex-m4"), x).outputs, y)
    said = build.manifest["streaming"]
    assert said["flash_bytes"] == 0 and not said["resident"] and len(said["layers"]) > 80
    assert build.manifest["arena_bytes"] < 3 * 4096


def test_the_plan_counts_the_buffers(plain: Build, tmp_path: Path) -> None:
    build = compiled(tmp_path, 300)
    streaming = build.manifest["streaming"]
    assert build.manifest["arena_bytes"] == plain.manifest["arena_bytes"] + streaming["arena_bytes_added"]
    assert streaming["limit_bytes"] == 300 and "streaming" not in plain.manifest
    assert {f"{name}:stream" for name in streaming["layers"]} <= {row["name"] for row in build.manifest["arena_values"]}
    assert streaming["streamed_bytes"] == sum(streaming["layers"].values()) > 0
    assert streaming["resident"] and all("more than 300" in why for why in streaming["resident"].values())
    assert build.manifest["model_bytes"] == plain.manifest["model_bytes"]


def test_lives_reach_from_the_layer_before_to_the_layer(plain: Build) -> None:
    """A step without constants worth a copy, as a sum, is over too soon to copy behind."""
    graph = lower(plain.quantized).graph
    buffers = stream_buffers(graph, choose_streams(graph, 10**6))
    steps = {f"{node.name}:stream": step for step, node in enumerate(graph.nodes)}
    large = [step for step, node in enumerate(graph.nodes) if const_bytes(graph, node) >= LEAST]
    assert buffers and len(large) < len(graph.nodes)
    assert [buffer.last for buffer in buffers] == [steps[buffer.name] for buffer in buffers] == large
    assert [buffer.first for buffer in buffers] == [0, *large[:-1]]
    assert choose_streams(graph, None).streams == {}


def const_bytes(graph: Graph, node: Node) -> int:
    return sum(graph.types[value].nbytes for value in node.inputs if value in graph.consts)


def test_flash_counts_what_stays(plain: Build, tmp_path: Path) -> None:
    """What is streamed need not fit the flash; what stays must."""
    total = plain.manifest["model_bytes"]
    with pytest.raises(OctavoError, match="of flash"):
        export(plain.quantized, tmp_path / "a", target="cortex-m0", flash=total - 1)
    made = export(plain.quantized, tmp_path / "b", target="cortex-m0", flash=total - 1, stream=10**6)
    assert made.manifest["streaming"]["resident"] == {}
    with pytest.raises(OctavoError, match="of flash"):
        export(plain.quantized, tmp_path / "c", target="cortex-m0", flash=100, stream=100)
