"""Calls that share one copy of their kernel: the same integers, less code."""

from __future__ import annotations

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
from octavo.targets import load_target
from tests.networks.integer_layers import (
    Layer,
    add,
    convolution,
    depthwise,
    fully_connected,
    random_inputs,
    side_by_side,
)
from tests.networks.integer_layers16 import in_int16, pointwise

TARGET = load_target("cortex-m4")


def layers(seed: int, count: int, wide: bool = False) -> list[Layer]:
    """All kinds in turn; with ``wide`` 16x8 ones."""
    rng = np.random.default_rng(seed)
    kinds = (lambda: convolution(rng), lambda: convolution(rng, (1, 1)), lambda: depthwise(rng), lambda: add(rng))
    narrow = [kind() for _ in range(count) for kind in (*kinds, lambda: fully_connected(rng))]
    return [*(in_int16(rng, layer) for layer in narrow), *(pointwise(rng) for _ in range(count))] if wide else narrow


def written(
    folder: Path, seed: int, count: int, optimize: str, wide: bool = False
) -> tuple[IntegerModel, np.ndarray, np.ndarray]:
    """The C of some layers side by side, inputs as bytes, and what the integer executor makes of them."""
    model = side_by_side(layers(seed, count, wide))
    program = specialize(model, TARGET)
    macs = {node.name: index for index, node in enumerate(program.graph.nodes)}
    inputs = random_inputs(model, 3, np.random.default_rng(seed))
    outputs = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    shared = shared_calls(program.graph, macs, optimize)
    for path, data in emit(program, plan_arena(program.graph), "model", (inputs, outputs), shared).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    ends = model.graph.inputs, model.graph.outputs
    return program, pack(model.graph, ends[0], inputs), pack(model.graph, ends[1], outputs)


@pytest.mark.parametrize("wide", [False, True], ids=["int8", "16x8"])
@pytest.mark.parametrize("optimize", ["balanced", "size"])
def test_the_same_integers(tmp_path: Path, optimize: str, wide: bool, device: None) -> None:
    _, inputs, expected = written(tmp_path, 0, 10 if wide else 6, optimize, wide)
    source = (tmp_path / "src" / "model.c").read_text()
    shared = [name for name, kernel in KERNELS.items() if f"OCTAVO_SHARED void model_{name}(" in source]
    if optimize == "size":
        forms = [name for name, kernel in KERNELS.items() if kernel.shared and ("_s16" in name) == wide]
        assert shared == forms, "every shared form is tested"
    with HostModel(tmp_path) as host:
        np.testing.assert_array_equal(host.run(inputs), expected)
    np.testing.assert_array_equal(run_on_board(tmp_path, TARGET, inputs).outputs, expected)


@pytest.mark.parametrize("wide", [False, True], ids=["int8", "16x8"])
def test_sanitizers(tmp_path: Path, wide: bool) -> None:
    _, inputs, expected = written(tmp_path, 1, 8 if wide else 6, "size", wide)
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
