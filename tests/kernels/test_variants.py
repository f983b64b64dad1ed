"""The kernel variants against the integer executor: on the host, under sanitizers, and on emulated cores."""

from __future__ import annotations

import platform
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from octavo.c.kernels import KERNELS
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.kernels.specialize import VARIANTS
from octavo.ops.integer.mean import QMean
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D
from octavo.targets import load_target
from tests.networks.integer_layers import Layer
from tests.networks.kernel_cases import Case, layers, models_for, written
from tests.oracles.c_struct import struct_fields
from tests.oracles.device import require_device

BOARDS = {
    "dsp": ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m3", "rv32imc"),
    "mve": ("cortex-m55", "cortex-m3"),
    "scalar": ("cortex-m0", "cortex-m3", "rv32imc"),
    "shifts": ("cortex-m0", "rv32imc"),
    "x86": (),
}
"""By variant the emulated boards, some of which lack its instructions."""

X86_ONLY = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs an x86-64 machine")
MACHINES = {
    "native": ("-march=native",),
    "avx-vnni": ("-mavx2", "-mavxvnni"),
    "avx2": ("-mavx2",),
    "plain": (),
}
"""Compiler options that choose another path through csrc/x86."""
OPTIONS = {**MACHINES, "short products": ("-DOCTAVO_SHORT_PRODUCTS=1",)}
"""And through csrc/scalar."""
SANITIZED = [(name, "plain", seed) for name in ("dsp", "mve", "scalar", "shifts") for seed in (0,)] + [
    ("scalar", "short products", 2),
    *(pytest.param("x86", machine, seed, marks=X86_ONLY) for seed, machine in enumerate(MACHINES)),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Case]]:
    return {
        name: [written(tmp_path_factory.mktemp(name), made, name, 1) for made in models_for(name, 0, 8)]
        for name in BOARDS
    }


def runs_here(machine: str) -> bool:
    """Whether this machine has the instructions; Linux tells."""
    wanted = {"avx-vnni": {"avx2", "avx_vnni"}, "avx2": {"avx2"}}.get(machine, set())
    info = Path("/proc/cpuinfo")
    return not wanted or (info.is_file() and wanted <= set(info.read_text().split()))


def test_every_variant_is_tested() -> None:
    assert {*BOARDS, "winograd"} == set(VARIANTS), "winograd: test_winograd.py"


@pytest.mark.parametrize("variant", BOARDS)
def test_almost_every_layer_gets_its_kernel(cases: dict[str, list[Case]], variant: str) -> None:
    """Of the layers that the variant knows; those that it refuses are portable."""
    seen = set()
    for case in cases[variant]:
        after = {node.name: node.op.kernel for node in case.program.graph.nodes}
        known = [node for node in case.model.graph.nodes if node.op.kernel in VARIANTS[variant]]
        fast = [node for node in known if KERNELS[after[node.name]].variant == variant]
        assert len(fast) > 0.9 * len(known)
        seen |= {node.op.kernel for node in fast}
    assert seen == set(VARIANTS[variant])


@pytest.mark.parametrize("variant", BOARDS)
def test_structs_equal_dataclasses_and_every_kernel_is_reached(cases: dict[str, list[Case]], variant: str) -> None:
    nodes = [node for case in cases[variant] for node in case.program.graph.nodes]
    ops = {node.op.kernel: node.op for node in nodes if KERNELS[node.op.kernel].variant != "portable"}
    assert set(ops) == {name for name, kernel in KERNELS.items() if kernel.variant == variant}
    for kernel, op in ops.items():
        assert struct_fields(kernel) == [(field.name, 0) for field in fields(op)]


@pytest.mark.parametrize("variant", BOARDS)
def test_host(cases: dict[str, list[Case]], variant: str) -> None:
    for case in cases[variant]:
        with HostModel(case.folder) as host:
            case.check(host.run(case.inputs))


@X86_ONLY
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("machine", MACHINES)
def test_x86_machines(
    cases: dict[str, list[Case]], machine: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(compiler) is None or not runs_here(machine):
        pytest.skip(f"{compiler} is not installed, or this machine lacks {machine}")
    monkeypatch.setenv("CC", compiler)
    (case,) = cases["x86"]
    with HostModel(case.folder, MACHINES[machine]) as host:
        case.check(host.run(case.inputs))


@pytest.mark.parametrize(("variant", "machine", "seed"), SANITIZED)
def test_sanitizers(tmp_path: Path, variant: str, machine: str, seed: int) -> None:
    if not runs_here(machine):
        pytest.skip(f"this machine lacks {machine}")
    for index, made in enumerate(models_for(variant, 10 + seed, 3)):
        case = written(tmp_path / str(index), made, variant, seed)
        case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1], OPTIONS[machine]))


@pytest.mark.parametrize(("variant", "name"), [(variant, name) for variant, names in BOARDS.items() for name in names])
def test_boards(cases: dict[str, list[Case]], variant: str, name: str) -> None:
    require_device(name)
    for case in cases[variant]:
        case.check(run_on_board(case.folder, load_target(name), case.inputs).outputs)


def by_shifts(layer: Layer) -> Layer:
    """The layer with the multipliers of power-of-two scales."""
    op, moving, constants, shape = layer
    if not constants:
        return replace(op, output_multiplier=2**30), moving, constants, shape
    weights, bias, multiplier, *shift = constants
    return op, moving, [weights, bias, np.full_like(multiplier, 2**30), *shift], shape


@pytest.mark.parametrize("board", [None, "cortex-m0", "rv32imc"])
def test_power_of_two_scales_are_shifts(tmp_path: Path, board: str | None) -> None:
    """The scalar kernels leave the multiplication out; the bytes are those of the contract all the same."""
    others = (QAveragePool2D, QMaxPool2D, QMean)
    made = [by_shifts(layer) for layer in layers(50, 6) if not isinstance(layer[0], others)]
    case = written(tmp_path, made, "scalar", 3)
    fast = [node.op for node in case.program.graph.nodes if KERNELS[node.op.kernel].variant == "scalar"]
    assert all(op.shift_only for op in fast)
    assert {op.kernel for op in fast} == {name for name, kernel in KERNELS.items() if kernel.variant == "scalar"}
    if board is None:
        case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))
    else:
        require_device(board)
        case.check(run_on_board(case.folder, load_target(board), case.inputs).outputs)
