"""The C of layers that run strip by strip, with every kernel variant: under sanitizers and on emulated cores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from octavo.c.sharing import shared_calls
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.kernels.specialize import specialize
from octavo.lower.strips import in_strips
from octavo.ops.integer.strips import Strips
from octavo.targets import load_target
from tests.networks.columns import column
from tests.networks.kernel_cases import ALIGNMENT, Case, emitted
from tests.oracles.device import require_device

VARIANTS = {"portable": (), **{name: (name,) for name in ("dsp", "mve", "scalar", "x86")}}
SEEDS = (2, 10, 20, 37)


def longest(folder: Path, seed: int, variant: str, format: str = "affine", optimize: str = "speed") -> Case:
    """A random network with as many layers in strips as it can have."""
    model = column(seed, layers=7, format=format)
    nodes = model.graph.nodes
    spans = sorted(((i, j) for i in range(len(nodes)) for j in range(i + 3, len(nodes))), key=lambda s: s[0] - s[1])
    forms = (in_strips(model, *span, rows, ALIGNMENT) for span in spans for rows in (2, 1))
    form = next(form for form in forms if form is not None)
    program = specialize(form, replace(load_target("host"), features=VARIANTS[variant]))
    return emitted(folder, model, program, seed, shared_calls(program.graph, {}, optimize))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("variant", ["portable", "dsp", "mve", "scalar"])
def test_sanitizers(tmp_path: Path, seed: int, variant: str) -> None:
    case = longest(tmp_path, seed, variant)
    assert any(isinstance(node.op, Strips) for node in case.program.graph.nodes)
    case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))


@pytest.mark.parametrize("seed", [5, 37])
def test_host(tmp_path: Path, seed: int) -> None:
    case = longest(tmp_path, seed, "x86")
    with HostModel(case.folder) as host:
        case.check(host.run(case.inputs))


@pytest.mark.parametrize("seed", [2, 20])
def test_int16(tmp_path: Path, seed: int) -> None:
    case = longest(tmp_path, seed, "portable", "16x8")
    case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))


@pytest.mark.parametrize(
    ("variant", "board"),
    [
        ("portable", "cortex-m0"),
        ("dsp", "cortex-m4"),
        ("mve", "cortex-m55"),
        ("dsp", "rv32imc"),
        ("scalar", "cortex-m0"),
        ("scalar", "rv32imc"),
    ],  # fmt: skip
)
@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize("seed", [1, 20])
def test_boards(tmp_path: Path, variant: str, board: str, optimize: str, seed: int) -> None:
    require_device(board)
    case = longest(tmp_path, seed, variant, optimize=optimize)
    case.check(run_on_board(case.folder, load_target(board), case.inputs).outputs)
