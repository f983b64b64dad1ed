"""Convolutions by minimal filtering: exact against the integer executor, as near to their input as they say, and fewer
instructions than the plain kernel where they are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octavo import ops
from octavo.build import run
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.kernels.specialize import specialize
from octavo.kernels.winograd.conv2d import pack_conv2d
from octavo.lower.lower import IntegerModel
from octavo.ops.integer.conv2d import QConv2D
from octavo.package import export
from octavo.quant.quantize import quantize_graph
from octavo.targets import load_target
from tests.kernels.test_access_order import safe_shifts, span
from tests.kernels.test_overlap import SHIFTS, by_hand, wrong
from tests.kernels.test_overlap import written as placed
from tests.networks.integer_layers import Layer, convolution, side_by_side
from tests.networks.kernel_cases import Case, emitted
from tests.oracles.c_struct import struct_fields
from tests.oracles.device import require_device

TARGET = replace(load_target("cortex-m4"), features=("winograd", "dsp"))


def layers(seed: int, count: int, most: int = 48) -> list[Layer]:
    """3 x 3, stride 1, any padding, sizes that fill no tile, input channels in fours, output channels in pairs."""
    rng, made = np.random.default_rng(seed), []
    while len(made) < count:
        layer = convolution(rng, (3, 3))
        op, _, consts, _ = layer
        fits = isinstance(op, QConv2D) and (op.stride_h, op.stride_w, op.in_c % 4, op.out_c % 2) == (1, 1, 0, 0)
        if fits and max(op.in_c, op.out_c) <= most and pack_conv2d(op, tuple(consts)) is not None:
            made.append(layer)
    return made


def pair(seed: int, count: int, most: int = 48) -> tuple[IntegerModel, IntegerModel]:
    model = side_by_side(layers(seed, count, most))
    program = specialize(model, TARGET)
    assert {node.op.kernel for node in program.graph.nodes} == {"conv2d_s8_winograd"}
    return model, program


def case(folder: Path, seed: int, count: int) -> Case:
    return emitted(folder, *pair(seed, count), seed)


def test_the_struct_equals_the_dataclass() -> None:
    (node, *_) = pair(0, 1)[1].graph.nodes
    assert struct_fields("conv2d_s8_winograd") == [(field.name, 0) for field in fields(node.op)]


def test_host(tmp_path: Path) -> None:
    made = case(tmp_path, 0, 16)
    with HostModel(made.folder) as host:
        made.check(host.run(made.inputs))


@pytest.mark.parametrize("seed", [1, 2])
def test_sanitizers(tmp_path: Path, seed: int) -> None:
    made = case(tmp_path, seed, 4)
    made.check(sanitized_run(made.folder, made.inputs, made.expected.shape[1]))


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m33", "cortex-m7", "cortex-m3"])
def test_boards(tmp_path: Path, name: str) -> None:
    require_device(name)
    made = case(tmp_path, 3, 8)
    made.check(run_on_board(made.folder, load_target(name), made.inputs).outputs)


@pytest.mark.parametrize("place", SHIFTS)
def test_as_near_as_allowed(tmp_path: Path, place: str) -> None:
    programs = pair(4, 6)
    samples, expected = placed(tmp_path, programs, by_hand(programs[1], SHIFTS[place], 0))
    with HostModel(tmp_path) as host:
        assert not wrong(programs[1], host.run(samples), expected)


def loop(p: Any) -> Iterator[tuple[set[int], set[int]]]:
    following = -p.pad_top
    for oy in range(0, p.out_h, 2):
        read: set[int] = set()
        while following < oy - p.pad_top + 4:
            if 0 <= following < p.in_h:
                read |= span(following * p.in_w * p.in_c, p.in_w * p.in_c)
            following += 1
        rows = min(2, p.out_h - oy)
        yield read, span(oy * p.out_w * p.out_c, rows * p.out_w * p.out_c)


def test_the_distances_are_those_of_the_loop() -> None:
    for node in pair(5, 12, 16)[1].graph.nodes:
        op: Any = node.op
        reach = 2 + max(op.in_h * op.in_w * op.in_c, op.out_h * op.out_w * op.out_c)
        safe = safe_shifts(loop(op), reach)
        found = op.overlaps()[0]
        assert {shift for shift in range(-reach, reach + 1) if found.allows(shift)} <= safe
        assert not safe & {1 - found.below, found.above - 1} or len(safe) == 2 * reach + 1


def test_where_it_is_chosen_it_takes_fewer_instructions(tmp_path: Path) -> None:
    require_device("cortex-m4")
    model = side_by_side([layer for layer in layers(6, 200) if layer[0].out_h * layer[0].out_w >= 16][:8])
    counts = []
    for features in (("dsp",), ("winograd", "dsp")):
        folder = tmp_path / features[0]
        made = emitted(folder, model, specialize(model, replace(TARGET, features=features)), 6)
        counts.append(run_on_board(folder, load_target("cortex-m4"), made.inputs).layer_instructions)
    assert all(few < many for many, few in zip(*counts, strict=True)), counts


def test_fastest_is_for_those_who_have_the_flash(tmp_path: Path) -> None:
    rng, b = np.random.default_rng(8), GraphBuilder("net")
    x = b.input("x", TensorType((1, 12, 12, 16)))
    zeros = np.zeros(16, np.float32)
    for _ in range(2):
        w = rng.normal(size=(16, 3, 3, 16)).astype(np.float32) / 12
        x = b.add(ops.Conv2D(padding=(1, 1, 1, 1)), [x, b.const(w, "w"), b.const(zeros, "b")], "conv")
    quantized = quantize_graph(b.finish([x]), [rng.normal(size=(4, 12, 12, 16)).astype(np.float32)])
    speed, fastest = (export(quantized, tmp_path / o, "net", "cortex-m4", o) for o in ("speed", "fastest"))
    assert fastest.manifest["model_bytes"] > 3 * speed.manifest["model_bytes"]
    given = rng.integers(-128, 128, (3, 12, 12, 16)).astype(np.int8)
    for on in ("host", "cortex-m4"):
        require_device("cortex-m4")
        one, other = (run(build, given, on, raw=True) for build in (speed, fastest))
        for name, value in one.outputs.items():
            np.testing.assert_array_equal(other.outputs[name], value)
    assert other.instructions is not None
    assert one.instructions is not None
    assert other.instructions < 0.8 * one.instructions
    with pytest.raises(OctavoError, match="With --optimize speed instead of fastest the weights would take"):
        export(quantized, tmp_path / "no", "net", "cortex-m4", "fastest", flash=speed.manifest["model_bytes"])
    assert export(quantized, tmp_path / "m0", "net", "cortex-m0", "fastest").manifest["model_bytes"] < 6000


def test_what_it_cannot_do_is_left_to_the_plain_kernel() -> None:
    (op, _, consts, _), *_ = layers(7, 1)
    assert isinstance(op, QConv2D)
    consts = list(consts)
    assert pack_conv2d(replace(op, stride_w=2), tuple(consts)) is None
    assert pack_conv2d(replace(op, dilation_h=2), tuple(consts)) is None
    assert pack_conv2d(replace(op, groups=2), tuple(consts)) is None
    assert pack_conv2d(replace(op, out_h=1), tuple(consts)) is None, "half of the work would be for nothing"
