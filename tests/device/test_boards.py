"""The generated C on every emulated board."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build, profile, run
from octavo.device import toolchain
from octavo.device.emulator import run_on_board
from octavo.errors import OctavoError
from octavo.targets import ARCHITECTURES, available_targets, load_target
from tests.oracles.device import require_device

Samples = tuple[np.ndarray, np.ndarray]
BOARDS = [name for name in available_targets() if load_target(name).board is not None]


@pytest.mark.parametrize("name", BOARDS)
def test_board_equals_the_integer_executor_and_counts(build: Build, samples: Samples, name: str) -> None:
    require_device(name)
    x, expected = samples
    target = load_target(name)
    assert target.board is not None
    result = run_on_board(build.c_dir, target, x)
    np.testing.assert_array_equal(result.outputs, expected)
    # Under -icount shift=0 an instruction is a nanosecond.
    tick = 1e9 / target.board.counter_hz
    assert result.instructions_per_tick == pytest.approx(tick, rel=1e-3)
    layers = sum(result.layer_instructions)
    assert abs(layers - result.total_instructions) < 0.02 * layers + 2 * tick * len(result.layer_instructions)
    macs = sum(row["macs"] for row in build.manifest["layers"])
    assert result.total_instructions > macs
    assert result.model_bytes == pytest.approx(build.manifest["model_bytes"], abs=128)
    assert 1000 < result.code_bytes < 30_000 and 64 < result.stack_bytes < 4096


@pytest.mark.parametrize("name", ["cortex-m4", "rv32imc"])
def test_counts_are_the_same_in_every_run(build: Build, samples: Samples, name: str) -> None:
    require_device(name)
    target = load_target(name)
    first, second = (run_on_board(build.c_dir, target, samples[0][:3]) for _ in range(2))
    assert first.layer_instructions == second.layer_instructions
    assert first.total_instructions == second.total_instructions


def test_run_and_profile_name_the_layers(build: Build, device: None) -> None:
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype(np.float32)
    host, board = run(build, x), run(build, x, on="cortex-m4")
    (name,) = host.outputs
    np.testing.assert_array_equal(host.outputs[name], board.outputs[name])
    assert board.layers is not None and [layer.kernel for layer in board.layers][0] == "conv2d_s8_dsp"
    result = profile(build, "cortex-m4")
    assert [row["instructions"] > 0 for row in result.layers] == [True] * len(build.manifest["layers"])
    assert result.arena_lower_bound_bytes <= result.arena_bytes


@pytest.mark.parametrize("name", ["cortex-m4", "rv32imc"])
@pytest.mark.parametrize("flash, ram, word", [(2048, 1 << 20, "FLASH"), (1 << 20, 0x10200, "RAM")])
def test_a_program_that_does_not_fit_is_one_error(
    build: Build, samples: Samples, name: str, flash: int, ram: int, word: str
) -> None:
    require_device(name)
    target = load_target(name)
    assert target.board is not None
    small = replace(target.board, flash=(target.board.flash[0], flash), ram=(target.board.ram[0], ram))
    with pytest.raises(OctavoError, match=f"does not fit.*{word}"):
        run_on_board(build.c_dir, replace(target, board=small), samples[0])


def broken(build: Build, folder: Path, statement: str) -> Path:
    """The generated C with a statement before the model runs."""
    c_dir = folder / "c"
    shutil.copytree(build.c_dir, c_dir)
    glue = c_dir / "selftest/glue.h"
    text = glue.read_text()
    assert "    model_run(" in text
    glue.write_text(text.replace("    model_run(", f"    {statement}\n    model_run("))
    return c_dir


FAULTS = {
    "no memory": "out[0] = *(volatile const int8_t *)0xE0200000u;",
    "no stack": '__asm volatile("li sp, 4\\n sw zero, -8(sp)");',
    "no floating point": '__asm volatile(".word 0x00007053"); /* fadd.s */',
}


@pytest.mark.parametrize(
    "name, fault", [("cortex-m3", "no memory"), ("cortex-m55", "no memory"), *(("rv32imc", fault) for fault in FAULTS)]
)
def test_a_fault_is_reported(build: Build, samples: Samples, tmp_path: Path, name: str, fault: str) -> None:
    require_device(name)
    with pytest.raises(OctavoError, match="ended with 70: fault"):
        run_on_board(broken(build, tmp_path, FAULTS[fault]), load_target(name), samples[0], seconds=60)


def test_a_program_that_hangs_is_ended(build: Build, samples: Samples, tmp_path: Path, device: None) -> None:
    c_dir = broken(build, tmp_path, "for (volatile int i = 0; i == 0;) {\n    }")
    with pytest.raises(OctavoError, match="did not end"):
        run_on_board(c_dir, load_target("cortex-m4"), samples[0], seconds=2)


@pytest.mark.parametrize(
    "name, compiler, qemu",
    [
        ("cortex-m", "gcc-arm-none-eabi", "qemu-system-arm"),
        ("riscv32", "gcc-riscv64-unknown-elf", "qemu-system-misc"),
    ],
)
def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, name: str, compiler: str, qemu: str) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for find, package in ((toolchain.cross_compiler, compiler), (toolchain.emulator, qemu)):
        with pytest.raises(OctavoError, match=package):
            find(ARCHITECTURES[name])


def test_the_host_has_no_board(build: Build, samples: Samples) -> None:
    with pytest.raises(OctavoError, match="no emulated board"):
        run_on_board(build.c_dir, load_target("host"), samples[0])
