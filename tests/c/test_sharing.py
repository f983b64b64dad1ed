"""Calls that share one copy of their kernel: the same integers, less code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo.c.emit import emit
from octavo.c.kernels import KERNELS
from octavo.c.sharing import shared_calls
from octavo.device.emulator import run_on_board
from octavo.device.firmware import build_firmware
from octavo.device.host import HostModel, sanitized_run
from octavo.errors import OctavoError
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack
from octavo.targets import Target, load_target
from tests.networks.integer_layers import (
    Layer,
    add,
    apart,
    convolution,
    depthwise,
    fully_connected,
    in_int4,
    in_log2,
    random_inputs,
    side_by_side,
)
from tests.networks.integer_layers16 import in_int16, pointwise
from tests.oracles.device import require_device

TARGET = load_target("cortex-m4")
KINDS = {
    "int8": "cortex-m4",
    "16x8": "cortex-m4",
    "int4": "cortex-m4",
    "log2": "cortex-m4",
    "apart": "cortex-m4",
    "int8 Helium": "cortex-m55",
    "int8 M0": "cortex-m0",
    "int8 RISC-V": "rv32imc",
    "int4 shifts": "cortex-m0",
}
"""Of layers, and the board whose kernels they get."""


def target_of(kind: str) -> Target:
    """The board's target, with other kernels where the kind says so."""
    target = load_target(KINDS[kind])
    return replace(target, features=("shifts",)) if kind.endswith("shifts") else target


def layers(seed: int, count: int, kind: str = "int8") -> list[Layer]:
    """All that there are of a kind, in turn."""
    rng = np.random.default_rng(seed)
    dense = [lambda: convolution(rng), lambda: convolution(rng, (1, 1)), lambda: fully_connected(rng)]
    if kind == "apart":
        return [apart(rng) for _ in range(count)]
    if kind.startswith(("int4", "log2")):
        narrow, kinds = (in_log2, [*dense, lambda: depthwise(rng)]) if kind == "log2" else (in_int4, dense)
        return [narrow(rng, make()) for _ in range(count) for make in kinds]
    # Helium's fully connected layers share late.
    again = 2 if kind == "int8 Helium" else 1
    kinds = [*dense[:2], lambda: depthwise(rng), lambda: add(rng), *[dense[2]] * again]
    made = [make() for _ in range(count) for make in kinds]
    if kind != "16x8":
        return made
    return [*(in_int16(rng, layer) for layer in made), *(pointwise(rng) for _ in range(count))]


def written(
    folder: Path, seed: int, count: int, optimize: str, kind: str = "int8"
) -> tuple[IntegerModel, np.ndarray, np.ndarray]:
    """The C of some layers side by side, inputs as bytes, and what the integer executor makes of them."""
    model = side_by_side(layers(seed, count, kind))
    program = specialize(model, target_of(kind))
    macs = {node.name: index for index, node in enumerate(program.graph.nodes)}
    inputs = random_inputs(model, 3, np.random.default_rng(seed))
    outputs = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    shared = shared_calls(program.graph, macs, optimize)
    for path, data in emit(program, plan_arena(program.graph), "model", (inputs, outputs), shared).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    ends = model.graph.inputs, model.graph.outputs
    return program, pack(model.graph, ends[0], inputs), pack(model.graph, ends[1], outputs)


def forms(program: IntegerModel) -> set[str]:
    """Kernels of a program that have a shared form."""
    return {node.op.kernel for node in program.graph.nodes if KERNELS[node.op.kernel].shared}  # type: ignore[attr-defined]


def test_every_shared_form_is_tested() -> None:
    programs = (specialize(side_by_side(layers(0, 8, kind)), target_of(kind)) for kind in KINDS)
    assert set().union(*map(forms, programs)) == {name for name, kernel in KERNELS.items() if kernel.shared}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimize", ["balanced", "size"])
def test_the_same_integers(tmp_path: Path, optimize: str, kind: str) -> None:
    require_device(KINDS[kind])
    program, inputs, expected = written(tmp_path, 0, 10 if kind == "16x8" else 8, optimize, kind)
    source = (tmp_path / "src" / "model.c").read_text()
    shared = {name for name in KERNELS if f"OCTAVO_SHARED void model_{name}(" in source}
    assert shared == forms(program) or optimize == "balanced"
    with HostModel(tmp_path) as host:
        np.testing.assert_array_equal(host.run(inputs), expected)
    np.testing.assert_array_equal(run_on_board(tmp_path, target_of(kind), inputs).outputs, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_sanitizers(tmp_path: Path, kind: str) -> None:
    _, inputs, expected = written(tmp_path, 1, 8 if kind == "16x8" else 6, "size", kind)
    np.testing.assert_array_equal(sanitized_run(tmp_path, inputs, expected.shape[1]), expected)


def test_size_is_smaller_than_balanced_and_balanced_than_speed(tmp_path: Path, device: None) -> None:
    sizes = []
    for optimize in ("size", "balanced", "speed"):
        (tmp_path / optimize / "firmware").mkdir(parents=True)
        written(tmp_path / optimize, 2, 8, optimize)
        sizes.append(build_firmware(tmp_path / optimize, TARGET, tmp_path / optimize / "firmware").code_bytes)
    assert sizes[0] < 0.8 * sizes[1] and sizes[1] < 0.9 * sizes[2]


def test_who_shares() -> None:
    program = specialize(side_by_side(layers(3, 6)), TARGET)
    calls = [node.name for node in program.graph.nodes if KERNELS[node.op.kernel].shared]  # type: ignore[attr-defined]
    macs = dict.fromkeys(calls, 1) | {calls[0]: 1000}
    assert shared_calls(program.graph, macs, "speed") == frozenset()
    assert shared_calls(program.graph, macs, "size") == set(calls)
    assert shared_calls(program.graph, macs, "balanced") == set(calls) - {calls[0]}
    few = specialize(side_by_side(layers(3, 1)[:1]), TARGET)
    assert shared_calls(few.graph, {}, "size") == frozenset(), "a lone call has its own code"
    with pytest.raises(OctavoError, match="speed, balanced, size"):
        shared_calls(program.graph, macs, "fast")
