"""Kernel variants against the integer executor: on the host, under sanitizers, and on emulated cores."""

from __future__ import annotations

import platform
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from octavo.c.kernels import KERNELS
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.kernels.specialize import VARIANTS
from octavo.targets import load_target
from tests.networks.kernel_cases import Case, layers, written
from tests.oracles.c_struct import struct_fields

X86_ONLY = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs an x86-64 machine")
MACHINES = {
    "native": ("-march=native",),
    "avx-vnni": ("-mavx2", "-mavxvnni"),
    "avx2": ("-mavx2",),
    "plain": (),
}
"""Compiler options that choose another path through csrc/x86."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {name: written(tmp_path_factory.mktemp(name), layers(0, 8, name), name, 1) for name in VARIANTS}


def runs_here(machine: str) -> bool:
    """Whether this machine has the instructions; Linux tells."""
    wanted = {"avx-vnni": {"avx2", "avx_vnni"}, "avx2": {"avx2"}}.get(machine, set())
    info = Path("/proc/cpuinfo")
    return not wanted or (info.is_file() and wanted <= set(info.read_text().split()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_almost_every_layer_gets_its_kernel(cases: dict[str, Case], variant: str) -> None:
    kernels = [node.op.kernel for node in cases[variant].program.graph.nodes]
    fast = [name for name in kernels if KERNELS[name].variant == variant]
    assert len(fast) > 0.9 * len(kernels)


@pytest.mark.parametrize("variant", VARIANTS)
def test_structs_equal_dataclasses_and_every_kernel_is_reached(cases: dict[str, Case], variant: str) -> None:
    ops = {node.op.kernel: node.op for node in cases[variant].program.graph.nodes}
    variants = {name for name, kernel in KERNELS.items() if kernel.variant == variant}
    assert variants <= set(ops)
    for kernel in variants:
        assert struct_fields(kernel) == [(field.name, 0) for field in fields(ops[kernel])]


@pytest.mark.parametrize("variant", VARIANTS)
def test_host(cases: dict[str, Case], variant: str) -> None:
    with HostModel(cases[variant].folder) as host:
        cases[variant].check(host.run(cases[variant].inputs))


@X86_ONLY
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("machine", MACHINES)
def test_x86_machines(cases: dict[str, Case], machine: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(compiler) is None or not runs_here(machine):
        pytest.skip(f"{compiler} is not installed, or this machine lacks {machine}")
    monkeypatch.setenv("CC", compiler)
    with HostModel(cases["x86"].folder, MACHINES[machine]) as host:
        cases["x86"].check(host.run(cases["x86"].inputs))


@pytest.mark.parametrize("seed", range(2))
def test_dsp_sanitizers(tmp_path: Path, seed: int) -> None:
    case = written(tmp_path, layers(10 + seed, 3, "dsp"), "dsp", seed)
    case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))


@X86_ONLY
@pytest.mark.parametrize("machine", MACHINES)
def test_x86_sanitizers(tmp_path: Path, machine: str) -> None:
    if not runs_here(machine):
        pytest.skip(f"this machine lacks {machine}")
    seed = list(MACHINES).index(machine)
    case = written(tmp_path, layers(10 + seed, 2, "x86"), "x86", seed)
    case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1], MACHINES[machine]))


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m3"])
def test_boards(cases: dict[str, Case], name: str, device: None) -> None:
    case = cases["dsp"]
    case.check(run_on_board(case.folder, load_target(name), case.inputs).outputs)
