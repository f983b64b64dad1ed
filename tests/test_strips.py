"""--strips: the arena gets smaller or nothing changes, limits are kept where they can be, all bytes stay the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo import ops
from octavo.api import load
from octavo.build import Build, profile, run
from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import lower
from octavo.package import export
from octavo.quant.quantize import quantize_graph
from octavo.strips import find_strips, model_macs
from octavo.targets import load_target
from octavo.timeline import arena_picture
from tests.oracles.data import data_path
from tests.oracles.device import require_device

IMAGE = 40


@pytest.fixture(scope="module")
def network() -> Quantized:
    """A large image in, many channels at full size, then a residual block at half of it, a pool and a head."""
    rng, b = np.random.default_rng(7), GraphBuilder("wide")

    def parameters(shape: tuple[int, ...], axis: int = 0) -> list[str]:
        w = rng.normal(size=shape) * np.sqrt(2 * shape[axis] / np.prod(shape))
        return [b.const(w.astype(np.float32), "w"), b.const(rng.normal(size=shape[axis]).astype(np.float32) / 9, "b")]

    same, relu = (1, 1, 1, 1), ops.Clip(0.0, 6.0)
    x = b.input("x", TensorType((1, IMAGE, IMAGE, 3)))
    x = b.add(ops.Conv2D((1, 1), same, activation=relu), [x, *parameters((16, 3, 3, 3))], "first")
    x = b.add(ops.DepthwiseConv2D((1, 1), same, activation=relu), [x, *parameters((1, 3, 3, 16), 3)], "depthwise")
    x = b.add(ops.Conv2D((2, 2), (0, 1, 0, 1), activation=relu), [x, *parameters((8, 3, 3, 16))], "half")
    y = b.add(ops.Conv2D((1, 1), same, activation=relu), [x, *parameters((8, 3, 3, 8))], "inside")
    y = b.add(ops.Add(activation=relu), [x, y], "sum")
    y = b.add(ops.Conv2D((2, 2), same, activation=relu), [y, *parameters((12, 3, 3, 8))], "quarter")
    y = b.add(ops.Reshape((1, 12)), [b.add(ops.Mean((1, 2)), [y], "mean")], "flat")
    graph = b.finish([b.add(ops.FullyConnected(), [y, *parameters((5, 12))], "head")])
    return quantize_graph(graph, [rng.normal(size=(8, IMAGE, IMAGE, 3)).astype(np.float32)])


def samples(build: Build, count: int = 4) -> np.ndarray:
    shape = build.model.graph.types[build.model.graph.inputs[0]].shape
    return np.random.default_rng(1).integers(-128, 128, (count, *shape[1:]), dtype=np.int8)


def same_bytes(plain: Build, other: Build, on: str = "host") -> None:
    given = samples(plain)
    expected, got = (run(build, given, on, raw=True).outputs for build in (plain, other))
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value)


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_the_arena_gets_far_smaller_for_little(network: Quantized, target: str) -> None:
    chosen, model = load_target(target), lower(network)
    whole = plan_arena(specialize(model, chosen).graph, chosen.alignment)
    found = find_strips(model, chosen)
    assert found is not None
    assert found.arena.size < 0.5 * whole.size
    assert found.arena.size >= IMAGE * IMAGE * 3
    assert found.whole_macs == model_macs(model) <= found.macs <= 1.06 * found.whole_macs


def test_a_limit_takes_what_computes_least(network: Quantized) -> None:
    chosen, model = load_target("cortex-m4"), lower(network)
    least = find_strips(model, chosen)
    assert least is not None
    for limit in range(least.arena.size, 29_000, 2000):
        enough = find_strips(model, chosen, limit)
        assert enough is not None
        assert enough.arena.size <= limit
        assert enough.macs <= least.macs
    assert find_strips(model, chosen, 10**6) is None, "what fits stays as it is"


@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize("stream", [None, 512])
def test_all_bytes_are_the_same(network: Quantized, tmp_path: Path, optimize: str, stream: int | None) -> None:
    plain = export(network, tmp_path / "plain", "wide", "cortex-m4")
    strips = export(network, tmp_path / "strips", "wide", "cortex-m4", optimize, stream=stream, strips=True)
    assert strips.manifest["arena_bytes"] < 0.5 * plain.manifest["arena_bytes"]
    (loop,) = strips.manifest["strips"]["loops"]
    assert loop["layers"][0] == "first"
    assert loop["rows"] * (loop["strips"] - 3) <= IMAGE
    same_bytes(plain, strips)
    require_device("cortex-m4")
    same_bytes(plain, strips, "cortex-m4")


def test_profile_counts_strips_as_one_layer(network: Quantized, tmp_path: Path) -> None:
    require_device("cortex-m4")
    builds = [export(network, tmp_path / str(strips), "wide", "cortex-m4", strips=strips) for strips in (False, True)]
    plain, strips = (profile(build, "cortex-m4") for build in builds)
    assert plain.instructions is not None
    assert strips.instructions is not None
    assert strips.instructions < 1.25 * plain.instructions
    assert sum(layer["instructions"] for layer in strips.layers) == pytest.approx(strips.instructions, rel=0.02)
    assert "strips" in {layer["kernel"] for layer in strips.layers}


def test_what_does_not_fit_names_strips_and_fits_with_them(network: Quantized, tmp_path: Path) -> None:
    with pytest.raises(OctavoError, match=r"With --strips, \d layers would run strip by strip") as told:
        export(network, tmp_path / "b", "wide", "cortex-m4", ram=14_000)
    assert "still too much" not in str(told.value)
    build = export(network, tmp_path / "b", "wide", "cortex-m4", ram=14_000, strips=True)
    assert build.manifest["arena_bytes"] <= 14_000
    with pytest.raises(OctavoError, match="which is still too much"):
        export(network, tmp_path / "c", "wide", "cortex-m4", ram=2_000)
    with pytest.raises(OctavoError) as told:
        export(network, tmp_path / "c", "wide", "cortex-m4", ram=2_000, strips=True)
    assert "With --strips" not in str(told.value)
    assert not (tmp_path / "c").exists()


def test_nothing_to_gain_is_said(tmp_path: Path) -> None:
    b = GraphBuilder("flat")
    x = b.input("x", TensorType((1, 6)))
    w, bias = b.const(np.eye(4, 6, dtype=np.float32), "w"), b.const(np.zeros(4, np.float32), "b")
    quantized = quantize_graph(b.finish([b.add(ops.FullyConnected(), [x, w, bias], "head")]), [np.ones((2, 6), "f4")])
    build = export(quantized, tmp_path / "b", "flat", "cortex-m4", strips=True)
    assert build.manifest["strips"] == {"loops": [], "extra_macs": 0, "limit_bytes": None}
    assert find_strips(lower(quantized), replace(load_target("host"), features=())) is None


def test_strips_leave_room_for_streamed_constants(tmp_path: Path) -> None:
    """Memory that strips without extra work just keep: with buffers, more layers must run strip by strip."""
    network = load(data_path("mlperf_tiny/resnet8_cifar10_int8.tflite"))
    assert isinstance(network, Quantized)
    found = find_strips(lower(network), load_target("cortex-m4"), 30_000)
    assert found is not None
    build = export(network, tmp_path / "b", target="cortex-m4", ram=found.arena.size, stream=512, strips=True)
    assert build.manifest["streaming"]["streamed_bytes"] > 0
    assert build.manifest["strips"]["extra_macs"] > found.macs - found.whole_macs
    assert build.manifest["arena_bytes"] <= found.arena.size
    kinds = {row["kind"] for row in build.manifest["arena_values"]}
    assert {"stream", "scratch", "input", "output"} <= kinds and "data-name" in arena_picture(build)
