"""The kernels for the DSP extension against the integer executor: on the host in plain C, and on emulated cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from octavo.c.emit import emit
from octavo.c.kernels import KERNELS
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.kernels.specialize import VARIANTS, specialize
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
from tests.oracles.c_struct import struct_fields
from tests.oracles.device import require_device

TARGET = load_target("cortex-m4")
SAMPLES = 4
Case = tuple[IntegerModel, Path, np.ndarray, np.ndarray]


def layers(seed: int, count: int) -> list[Layer]:
    """All kinds in turn; every third convolution is pointwise, every second depthwise one 3 x 3."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        made += [
            convolution(rng, (1, 1) if i % 3 == 0 else ((3, 3) if i % 3 == 1 else None)),
            depthwise(rng, (3, 3) if i % 2 else None),
            fully_connected(rng),
            add(rng),
        ]
    return made


def written(folder: Path, made: Sequence[Layer], seed: int) -> Case:
    """The specialized model's C, packed inputs, and what the integer executor makes of them."""
    model = side_by_side(made)
    program = specialize(model, TARGET)
    inputs = random_inputs(model, SAMPLES, np.random.default_rng(seed))
    outputs = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    files = emit(program, plan_arena(program.graph), "model", (inputs, outputs))
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return (
        program,
        folder,
        pack(model.graph, model.graph.inputs, inputs),
        pack(model.graph, model.graph.outputs, outputs),
    )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return written(tmp_path_factory.mktemp("dsp"), layers(0, 8), 1)


def check(case: Case, got: np.ndarray) -> None:
    """Every layer's bytes, so that a failure names the layer."""
    program, _, _, expected = case
    start = 0
    for node in program.graph.nodes:
        stop = start + program.graph.types[node.outputs[0]].size
        np.testing.assert_array_equal(got[:, start:stop], expected[:, start:stop], err_msg=str(node.op))
        start = stop


def test_almost_every_layer_gets_its_kernel(case: Case) -> None:
    kernels = [node.op.kernel for node in case[0].graph.nodes]
    fast = [name for name in kernels if name.endswith("_dsp")]
    assert len(fast) > 0.9 * len(kernels)
    assert {name.removesuffix("_dsp") for name in fast} == {*VARIANTS["dsp"], "pointwise_s8"}


def test_structs_equal_dataclasses_and_every_kernel_is_reached(case: Case) -> None:
    ops = {node.op.kernel: node.op for node in case[0].graph.nodes if node.op.kernel.endswith("_dsp")}
    assert set(ops) == {name for name, kernel in KERNELS.items() if kernel.variant == "dsp"}
    for kernel, op in ops.items():
        assert struct_fields(kernel) == [(field.name, 0) for field in fields(op)]


def test_host(case: Case) -> None:
    with HostModel(case[1]) as host:
        check(case, host.run(case[2]))


@pytest.mark.parametrize("seed", range(2))
def test_sanitizers(tmp_path: Path, seed: int) -> None:
    case = written(tmp_path, layers(10 + seed, 3), seed)
    check(case, sanitized_run(case[1], case[2], case[3].shape[1]))


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m3", "rv32imc"])
def test_boards(case: Case, name: str) -> None:
    require_device(name)
    check(case, run_on_board(case[1], load_target(name), case[2]).outputs)
