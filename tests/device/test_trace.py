"""What emulated cores really execute: counted twice, block by block and by the instruction counter."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build, profile
from octavo.device.cost import costs, total
from octavo.device.emulator import run_on_board
from octavo.package import export
from octavo.targets import Board, load_target
from tests.oracles.device import require_device

TIMES = 1000
LOOPS = {
    # Two loads 2 + 1, a product 1, a subtraction 1, a taken branch 3; at the end one that is not taken, 1.
    "cortex-m4": (
        '"1: ldr r2, [%0]\\n ldr r3, [%0, #4]\\n smlad r2, r2, r3, r2\\n subs %1, %1, #1\\n bne 1b"',
        5,
        8,
        2,
    ),
    # No product, and loads that do not overlap: 2 + 2, a subtraction 1, a taken branch 3.
    "cortex-m0": ('"1: ldr r2, [%0]\\n ldr r3, [%0, #4]\\n subs %1, %1, #1\\n bne 1b"', 4, 8, 2),
    # A load 1, its use a cycle later 1 + 1, a subtraction 1, a taken branch 3.
    "rv32imc": ('"1: lw a4, 0(%0)\\n add a5, a4, a4\\n addi %1, %1, -1\\n bnez %1, 1b"', 4, 7, 2),
}
CLOBBERED = {"cortex-m4": '"r2", "r3", "cc"', "cortex-m0": '"r2", "r3", "cc"', "rv32imc": '"a4", "a5"'}
GLUE = """#include <stdint.h>
#define GLUE_INPUT_BYTES 4
#define GLUE_OUTPUT_BYTES 4
#define GLUE_LAYER_COUNT 2
void loop(void);
static inline void glue_run(const int8_t *in, int8_t *out)
{
    out[0] = in[0];
    loop();
}
"""
LOOP = """#include <stdint.h>
#include "glue.h"
void octavo_mark(uint32_t layer);
static int32_t words[2];
void loop(void)
{
    const int32_t *from = words;
    uint32_t times = TIMES;
    octavo_mark(0);
    octavo_mark(1);
    __asm volatile(SYNTAX CODE : "+r"(from), "+l"(times) : : CLOBBERED, "memory");
    octavo_mark(2);
}
"""


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_known_loop_has_known_cycles(tmp_path: Path, name: str) -> None:
    require_device(name)
    code, instructions, cycles, exit_saves = LOOPS[name]
    arm = name != "rv32imc"
    source = LOOP.replace("SYNTAX CODE", ('".syntax unified\\n"' if arm else "") + code).replace("TIMES", str(TIMES))
    source = source.replace("CLOBBERED", CLOBBERED[name]).replace('"+l"', '"+l"' if arm else '"+r"')
    for path, text in (("src/loop.c", source), ("selftest/glue.h", GLUE)):
        file = tmp_path / path
        file.parent.mkdir()
        file.write_text(text)
    target = load_target(name)
    run = run_on_board(tmp_path, target, np.zeros((2, 4), np.int8), trace_layers=2)
    assert run.trace is not None, run.untraced
    _, empty, loop, _ = costs(run.trace, target.cycles)
    assert empty.cycles is not None and loop.cycles is not None
    # Beside the loop there are its constants and the call of the next mark.
    around = loop.instructions - TIMES * instructions
    assert 0 <= around <= 8 and around <= loop.cycles - (TIMES * cycles - exit_saves) <= 20
    assert empty.instructions <= 8
    words = 1 if name == "rv32imc" else 2
    assert TIMES * 4 * words <= loop.moved.ram_read + loop.moved.flash_read <= TIMES * 4 * words + 40
    assert loop.moved.ram_written <= 16


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_blocks_and_the_counter_agree(build: Build, name: str) -> None:
    require_device(name)
    target = load_target(name)
    assert isinstance(target.board, Board)
    result = profile(build, name)
    assert result.instructions is not None and result.estimated_cycles is not None
    # The counter resolves a tick, and a mark's own instructions can only be subtracted up to one.
    tick = 1e9 / target.board.counter_hz
    traced = [sum(row["mix"].values()) for row in result.layers]
    for row, count in zip(result.layers, traced, strict=True):
        assert abs(count - row["instructions"]) <= 2 * tick + 8, row["name"]
    assert sum(traced) == pytest.approx(result.instructions, rel=0.02)
    assert result.estimated_cycles >= result.instructions * 0.97
    assert result.flash_bytes_read is not None and result.ram_bytes_written is not None
    written = sum(row["output_bytes"] for row in result.layers)
    assert result.ram_bytes_written >= written
    for row in result.layers:
        assert row["flash_bytes_read"] + row["ram_bytes_read"] >= row["input_bytes"]


def test_whole_of_all_segments_is_what_the_counter_saw(build: Build) -> None:
    """On RISC-V the counter resolves an instruction: layers agree within a call, all within the marks' own work."""
    require_device("rv32imc")
    x = np.zeros((1, 9 * 8 * 3), np.int8)
    layers = len(build.manifest["layers"])
    run = run_on_board(build.c_dir, load_target("rv32imc"), x, trace_layers=layers)
    assert run.trace is not None and run.untraced == ""
    parts = costs(run.trace, None)
    apart = [count - part.instructions for count, part in zip(run.layer_instructions, parts[1:-1], strict=True)]
    assert all(0 <= difference <= 8 for difference in apart), apart
    counted = total(parts).instructions
    assert counted == pytest.approx(run.total_instructions, rel=0.002)


def test_a_trace_is_not_made_unless_asked_for(build: Build) -> None:
    require_device("cortex-m4")
    run = run_on_board(build.c_dir, load_target("cortex-m4"), np.zeros((1, 9 * 8 * 3), np.int8))
    assert run.trace is None and run.untraced


def test_without_a_compiler_for_the_plugin_the_counts_stay(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    require_device("cortex-m4")
    monkeypatch.setenv("CC", "false")
    result = profile(build, "cortex-m4")
    assert result.instructions is not None and result.instructions > 1000
    assert result.estimated_cycles is None and result.layers[0]["estimated_cycles"] is None
    assert len(result.notes) == 1 and "count plugin" in result.notes[0]


def test_an_emulator_without_plugins_still_counts(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require_device("cortex-m4")
    real = shutil.which("qemu-system-arm")
    (tmp_path / "bin").mkdir()
    poor = tmp_path / "bin/qemu-system-arm"
    poor.write_text(
        f'#!/bin/sh\ncase "$*" in *-plugin*) echo "$0: -plugin: invalid option" >&2; exit 1;; esac\nexec {real} "$@"\n'
    )
    poor.chmod(0o755)
    monkeypatch.setenv("PATH", str(poor.parent), prepend=":")
    result = profile(build, "cortex-m4")
    assert result.instructions is not None and result.estimated_cycles is None
    assert result.notes == ("no cycles, energy or moved bytes: qemu-system-arm takes no plugins",)


def test_a_target_without_tables_has_no_estimates(build: Build, tmp_path: Path) -> None:
    require_device("cortex-m4")
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ndescription = "a board"\nflash_bytes = 4194304\nram_bytes = 4194304\nfeatures = ["dsp"]\n'
        '[board]\nmachine = "mps2-an386"\nflags = ["-mcpu=cortex-m4", "-mthumb"]\nflash = [0, 4194304]\n'
        "ram = [0x20000000, 4194304]\ncounter_hz = 25000000\n"
    )
    result = profile(build, str(own))
    assert result.estimated_cycles is result.estimated_microjoules is None and result.assumptions == {}
    assert result.layers[0]["mix"]["multiply_simd"] > 0 and result.ram_bytes_read is not None
    # Compiled for that file, the folder describes its target itself: no name of ours is asked for.
    again = profile(export(build.quantized, tmp_path / "build", target=str(own)))
    assert again.layers[0]["mix"] == result.layers[0]["mix"]
    assert [word in note for word, note in zip(("[cycles]", "[energy]"), result.notes, strict=True)] == [True, True]
