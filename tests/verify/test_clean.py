"""Folders that nobody has spoiled: every value agrees, whatever the memory plan made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from octavo import api
from octavo.build import Build
from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.num.formats import find_format
from octavo.package import export
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.verify import Verification, random_inputs, verify_build, write_firmware
from octavo.verify.taps import calls_of, taps_of
from tests.exactness.random_networks import networks
from tests.lower.test_interleave import joined
from tests.oracles.data import data_path
from tests.oracles.device import require_device
from tests.streaming.networks import compiled
from tests.test_strips import network as strips_network
from tests.verify.conftest import Spoil


def agrees(build: Build, on: str = "host", samples: int = 2) -> Verification:
    if on != "host":
        require_device(on)
    result = verify_build(build, random_inputs(build, samples), on)
    assert result.ok and result.divergence is None and not result.stale and not result.notes, result
    assert result.samples == samples and {layer.state for layer in result.layers} == {"agrees"}
    assert result.compared >= samples * (len(result.layers) + 1)
    return result


@pytest.mark.parametrize("on", ["host", "cortex-m4", "rv32imc"])
def test_a_small_network(build: Build, inputs: dict[str, Array], on: str) -> None:
    result = agrees(build, on)
    assert [layer.name for layer in result.layers] == ["c", "d", "sum", "act", "mean", "fc", "softmax"]
    assert (result.stack_size == 65536 and 100 < result.stack_bytes < 4096) if on != "host" else not result.stack_size
    assert all(layer.ticks > 0 for layer in result.layers) == (on != "host")


@pytest.mark.parametrize("net", ["small", "pieces of int16", "ear"])
def test_streamed_weights_several_ends_and_int16(tmp_path: Path, net: str) -> None:
    build = compiled(tmp_path, 400, net=net)
    assert build.manifest["streaming"]["streamed_bytes"] > 0
    agrees(build)


@pytest.mark.parametrize("ram", [None, 14_000])
def test_values_inside_of_strips_are_said_not_to_exist(tmp_path: Path, ram: int | None) -> None:
    quantized = strips_network.__wrapped__()
    result = agrees(export(quantized, tmp_path / "b", "wide", "cortex-m4", ram=ram, strips=True))
    assert {"first", "depthwise"} <= set(result.hidden) and "strip by strip in first to" in result.hidden["first"]
    assert "strips" in {layer.kernel for layer in result.layers}


def test_channels_written_into_a_larger_image(tmp_path: Path) -> None:
    """Their pixels lie apart, with others' in between."""
    result = agrees(export(joined(0), tmp_path / "b"))
    assert "place_s8" in {layer.kernel for layer in result.layers}


@pytest.mark.parametrize("on", ["host", "cortex-m4"])
def test_a_random_network(tmp_path_factory: pytest.TempPathFactory, on: str) -> None:
    @settings(max_examples=1, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(networks())
    def check(sample: tuple[object, dict[str, Array]]) -> None:
        graph, data = sample
        agrees(export(quantize_graph(graph, [data]), tmp_path_factory.mktemp("random") / "b"), on)  # type: ignore[arg-type]

    check()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["affine", "16x8", "int4", "float16"])
def test_random_networks(tmp_path_factory: pytest.TempPathFactory, format: str) -> None:
    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(networks(half=format == "float16"))
    def check(sample: tuple[object, dict[str, Array]]) -> None:
        graph, data = sample
        try:
            quantized = quantize_graph(graph, [data], Scheme(find_format(format)))  # type: ignore[arg-type]
            build = export(quantized, tmp_path_factory.mktemp("random") / "b", target="cortex-m55")
        except OctavoError:
            return
        agrees(build)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("on", ["host", "cortex-m4"])
def test_the_official_keyword_network(tmp_path: Path, on: str) -> None:
    quantized = api.load(data_path("mlperf_tiny/dscnn_kws_int8.tflite"))
    assert isinstance(quantized, Quantized)
    agrees(export(quantized, tmp_path / "b", target="cortex-m4"), on, samples=1)


def test_every_value_of_the_program_is_compared(build: Build) -> None:
    from octavo.program import program_of
    from octavo.verify.taps import places_of

    program = program_of(build)
    graph = program.code.graph
    taps = taps_of(graph, places_of(build.manifest, "here"))
    assert sorted(tap.value for tap in taps) == sorted(graph.activations())
    marks = len(calls_of(graph))
    assert all(0 <= tap.made <= tap.until <= marks for tap in taps)
    assert [(t.made, t.until) for t in taps if t.value in ("image", "c", "softmax")] == [(0, 0), (1, 2), (7, 7)]


def test_a_plan_of_another_version_is_refused(spoil: Spoil, inputs: dict[str, Array]) -> None:
    build = spoil()
    for key, value in (("arena_values", build.manifest["arena_values"][1:]), ("arena_bytes", 8), ("arena_values", 1)):
        changed = Build(build.folder, {**build.manifest, key: value}, build.quantized, build.model, build.target)
        with pytest.raises(OctavoError, match="plan"):
            verify_build(changed, inputs, "host")


def test_firmware_is_written_again_over_itself(build: Build, tmp_path: Path) -> None:
    for _ in range(2):
        write_firmware(build, tmp_path / "firmware")
    names = {path.name for path in (tmp_path / "firmware").iterdir()}
    assert names == {"octavo_serial.c", "octavo_serial.h", "model_serial.c", "model_serial.h", "manifest.json"}
