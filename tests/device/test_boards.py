"""The generated C on every emulated board."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build, profile, run
from octavo.device import toolchain
from octavo.device.emulator import run_on_board
from octavo.errors import OctavoError
from octavo.targets import load_target

Samples = tuple[np.ndarray, np.ndarray]
TICKS = {"cortex-m0": 40, "cortex-m3": 40, "cortex-m4": 40, "cortex-m7": 40, "cortex-m33": 50, "cortex-m55": 31.25}


@pytest.mark.parametrize("name", sorted(TICKS))
def test_board_equals_the_integer_executor_and_counts(build: Build, samples: Samples, name: str, device: None) -> None:
    x, expected = samples
    result = run_on_board(build.c_dir, load_target(name), x)
    np.testing.assert_array_equal(result.outputs, expected)
    assert result.instructions_per_tick == pytest.approx(TICKS[name], rel=1e-3)
    layers = sum(result.layer_instructions)
    assert abs(layers - result.total_instructions) < 0.02 * layers + 2 * TICKS[name] * len(result.layer_instructions)
    macs = sum(row["macs"] for row in build.manifest["layers"])
    assert result.total_instructions > macs
    assert result.model_bytes == pytest.approx(build.manifest["model_bytes"], abs=128)
    assert 1000 < result.code_bytes < 30_000 and 64 < result.stack_bytes < 4096


def test_counts_are_the_same_in_every_run(build: Build, samples: Samples, device: None) -> None:
    target = load_target("cortex-m4")
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


def board_file(tmp_path: Path, flash: int, ram: int) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(
        f"""name = "tiny"
description = "little memory"
flash_bytes = 1000000
ram_bytes = 1000000
[board]
machine = "mps2-an386"
flags = ["-mcpu=cortex-m4", "-mthumb"]
flash = [0, {flash}]
ram = [0x20000000, {ram}]
systick_hz = 25000000
"""
    )
    return path


@pytest.mark.parametrize("flash, ram, word", [(2048, 1 << 20, "FLASH"), (1 << 20, 0x10200, "RAM")])
def test_a_program_that_does_not_fit_is_one_error(
    build: Build, samples: Samples, tmp_path: Path, device: None, flash: int, ram: int, word: str
) -> None:
    with pytest.raises(OctavoError, match=f"does not fit.*{word}"):
        run_on_board(build.c_dir, load_target(board_file(tmp_path, flash, ram)), samples[0])


@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m55"])
def test_a_fault_is_reported(build: Build, samples: Samples, tmp_path: Path, device: None, name: str) -> None:
    c_dir = tmp_path / "c"
    shutil.copytree(build.c_dir, c_dir)
    glue = c_dir / "selftest/glue.h"
    text = glue.read_text()
    broken = text.replace("    model_run(", "    out[0] = *(volatile const int8_t *)0xE0200000u;\n    model_run(")
    assert broken != text
    glue.write_text(broken)
    with pytest.raises(OctavoError, match="fault"):
        run_on_board(c_dir, load_target(name), samples[0], seconds=60)


def test_a_program_that_hangs_is_ended(build: Build, samples: Samples, tmp_path: Path, device: None) -> None:
    c_dir = tmp_path / "c"
    shutil.copytree(build.c_dir, c_dir)
    glue = c_dir / "selftest/glue.h"
    glue.write_text(
        glue.read_text().replace("    model_run(", "    for (volatile int i = 0; i == 0;) {\n    }\n    model_run(")
    )
    with pytest.raises(OctavoError, match="did not end"):
        run_on_board(c_dir, load_target("cortex-m4"), samples[0], seconds=2)


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for find, package in ((toolchain.arm_compiler, "gcc-arm-none-eabi"), (toolchain.emulator, "qemu-system-arm")):
        with pytest.raises(OctavoError, match=package):
            find()


def test_the_host_has_no_board(build: Build, samples: Samples) -> None:
    with pytest.raises(OctavoError, match="no emulated board"):
        run_on_board(build.c_dir, load_target("host"), samples[0])
