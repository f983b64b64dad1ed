"""The kernel variants against the integer executor: on the host in plain C, and on emulated cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
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
    average_pool,
    convolution,
    depthwise,
    fully_connected,
    random_inputs,
    side_by_side,
)
from tests.oracles.c_struct import struct_fields
from tests.oracles.device import require_device

BOARDS = {"dsp": ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m3", "rv32imc"), "mve": ("cortex-m55", "cortex-m3")}
"""By variant the emulated boards, some of which lack its instructions."""

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
            average_pool(rng),
        ]
    return made


def written(folder: Path, variant: str, made: Sequence[Layer], seed: int) -> Case:
    """The specialized model's C, packed inputs, and what the integer executor makes of them."""
    model = side_by_side(made)
    program = specialize(model, replace(load_target(BOARDS[variant][0]), features=(variant,)))
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
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {name: written(tmp_path_factory.mktemp(name), name, layers(0, 8), 1) for name in BOARDS}


def check(case: Case, got: np.ndarray) -> None:
    """Every layer's bytes, so that a failure names the layer."""
    program, _, _, expected = case
    start, ops = 0, {node.outputs[0]: node.op for node in program.graph.nodes}
    for name in program.graph.outputs:
        stop = start + program.graph.types[name].size
        np.testing.assert_array_equal(got[:, start:stop], expected[:, start:stop], err_msg=str(ops[name]))
        start = stop


def test_every_variant_is_tested() -> None:
    assert set(BOARDS) == set(VARIANTS)


@pytest.mark.parametrize("variant", BOARDS)
def test_almost_every_layer_gets_its_kernel(cases: dict[str, Case], variant: str) -> None:
    """Of the layers that the variant knows; those that it refuses are portable."""
    kernels = [node.op.kernel for node in cases[variant][0].graph.nodes]
    fast = [name.removesuffix(f"_{variant}") for name in kernels if name.endswith(f"_{variant}")]
    slow = [name for name in kernels if name in VARIANTS[variant]]
    assert len(fast) > 9 * len(slow)
    assert set(fast) == {*VARIANTS[variant], "pointwise_s8"}


@pytest.mark.parametrize("variant", BOARDS)
def test_structs_equal_dataclasses_and_every_kernel_is_reached(cases: dict[str, Case], variant: str) -> None:
    nodes = cases[variant][0].graph.nodes
    ops = {node.op.kernel: node.op for node in nodes if node.op.kernel.endswith(f"_{variant}")}
    assert set(ops) == {name for name, kernel in KERNELS.items() if kernel.variant == variant}
    for kernel, op in ops.items():
        assert struct_fields(kernel) == [(field.name, 0) for field in fields(op)]


@pytest.mark.parametrize("variant", BOARDS)
def test_host(cases: dict[str, Case], variant: str) -> None:
    with HostModel(cases[variant][1]) as host:
        check(cases[variant], host.run(cases[variant][2]))


@pytest.mark.parametrize("variant", BOARDS)
@pytest.mark.parametrize("seed", range(2))
def test_sanitizers(tmp_path: Path, variant: str, seed: int) -> None:
    case = written(tmp_path, variant, layers(10 + seed, 3), seed)
    check(case, sanitized_run(case[1], case[2], case[3].shape[1]))


@pytest.mark.parametrize(("variant", "name"), [(variant, name) for variant, names in BOARDS.items() for name in names])
def test_boards(cases: dict[str, Case], variant: str, name: str) -> None:
    require_device(name)
    check(cases[variant], run_on_board(cases[variant][1], load_target(name), cases[variant][2]).outputs)
