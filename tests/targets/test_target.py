"""Targets are validated and say what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from octavo.errors import OctavoError
from octavo.targets import available_targets, load_target

GOOD = """
name = "mine"
description = "a board"
flash_bytes = 65536
ram_bytes = 16384
[board]
machine = "mps2-an386"
flags = ["-mcpu=cortex-m4", "-mthumb"]
flash = [0, 65536]
ram = [0x20000000, 65536]
counter_hz = 25000000
"""


def test_every_target_loads() -> None:
    names = available_targets()
    arm = {"cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"}
    assert {*arm, "rv32imc", "host"} <= set(names)
    for name in names:
        target = load_target(name)
        assert target.name == name and target.description
        assert (target.board is None) == (name == "host" or target.accelerator is not None)


def test_a_users_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    target = load_target(path)
    assert target.board is not None and target.board.ram == (0x20000000, 65536) and target.alignment == 4


def test_costs_complete_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[board]", '[costs]\nint4 = 1.5\n"16x8" = 2\n[board]'))
    costs = load_target(path).costs
    assert (costs["int4"], costs["16x8"], costs["int8"]) == (1.5, 2, 1.0) and costs["requantize"] > 0


CYCLES = """[cycles]
source = "a manual"
clock_hz = 1000000
load = 2
store = 1.5
multiply = 1
branch_taken = 3
jump = 3
[energy]
source = "a datasheet"
microamperes_per_megahertz = 100
volts = 3.3
"""


def test_cycles_and_energy(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + CYCLES)
    target = load_target(path)
    assert target.cycles is not None and target.energy is not None
    assert (target.cycles.load, target.cycles.store, target.cycles.alu) == (2, 1.5, 1)
    assert target.energy.picojoules_per_cycle == pytest.approx(330)
    path.write_text(GOOD)
    assert load_target(path).cycles is load_target(path).energy is None


@pytest.mark.parametrize(
    "change, word",
    [
        (("load = 2", "loads = 2"), "cycles has the unknown keys loads; allowed: source, clock_hz, load"),
        (("load = 2\n", ""), "cycles lacks the keys load"),
        (("load = 2", "load = -1"), "cycles of load are -1, not between 0 and 1000"),
        (("load = 2", "load = nan"), "cycles of load are nan"),
        (("load = 2", "load = 1e9"), "cycles of load are 1000000000.0"),
        (("load = 2", "load = true"), "load is True, not a number"),
        (("load = 2", 'load = 2\nload_after_load = "1"'), "load_after_load is '1', not a number"),
        (("load = 2", "load = 2\ndual_issue = 1"), "dual_issue is 1, not true or false"),
        (("1000000", "1"), "clock_hz 1 is out of range"),
        (("1000000", "1e6"), "clock_hz is 1000000.0, not a whole number"),
        (('"a manual"', '" "'), "source must say"),
        (('"a datasheet"', '"' + "x" * 401 + '"'), "source must say"),
        (("volts = 3.3", "volts = 0"), "volts 0 is not between"),
        (("volts = 3.3", "volts = inf"), "volts inf is not between"),
        (("= 100\n", "= -100\n"), "microamperes_per_megahertz -100 is not between"),
        (("volts = 3.3", "watts = 3"), "energy has the unknown keys watts"),
        (("[energy]", "[power]"), "unknown keys power"),
    ],
)
def test_wrong_assumptions_are_refused(tmp_path: Path, change: tuple[str, str], word: str) -> None:
    path = tmp_path / "mine.toml"
    assert change[0] in CYCLES
    path.write_text(GOOD + CYCLES.replace(*change, 1))
    with pytest.raises(OctavoError, match=word):
        load_target(path)


def test_energy_needs_cycles(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + CYCLES[CYCLES.index("[energy]") :])
    with pytest.raises(OctavoError, match="needs the table cycles"):
        load_target(path)


@pytest.mark.parametrize(
    "change, word",
    [
        (("name =", "nam ="), "nam"),
        (("flash_bytes = 65536", "flash_bytes = 0"), "positive"),
        (("ram_bytes", "alignment = 3\nram_bytes"), "alignment"),
        (("ram_bytes", "alignment = 2\nram_bytes"), "alignment 2 must be 4, 8, 16 or 32"),
        (("name =", "nested = " + 5000 * "[" + 5000 * "]" + "\nname ="), "recursion"),
        (("ram_bytes", 'formats = ["int3"]\nram_bytes'), "allowed: affine"),
        (('"-mthumb"', '"-o/etc/passwd"'), "flags"),
        (("mps2-an386", "mps2;rm"), "machine"),
        (("[0, 65536]", "[0]"), "flash"),
        (("machine =", 'cpu = "rv32;rm"\nmachine ='), "cpu 'rv32;rm' is not a name"),
        (("machine =", 'architecture = "riscv64"\nmachine ='), "architecture 'riscv64' is unknown, allowed: cortex-m"),
        (("25000000", "1"), "counter_hz"),
        (("[board]", '[arithmetic]\nrounding = "up"\n[board]'), "tflm"),
        (("[board]", "[bored]"), "bored"),
        (("= 65536", "= ["), "Invalid"),
        (("flash_bytes = 65536", "flash_bytes = 1.5"), "flash_bytes is 1.5, not a whole number"),
        (("flash_bytes = 65536", "flash_bytes = true"), "flash_bytes is True, not a whole number"),
        (("ram_bytes = 16384", "ram_bytes = nan"), "ram_bytes is nan, not a whole number"),
        (("ram_bytes", "alignment = 4.0\nram_bytes"), "alignment is 4.0, not a whole number"),
        (("ram_bytes", "formats = []\nram_bytes"), "formats must name"),
        (('"a board"', "5"), "description is 5, not a text"),
        (("[0, 65536]", "[0.5, 65536]"), "flash is .*, not a list of whole numbers"),
        (("25000000", "25e6"), "counter_hz is .*, not a whole number"),
        (('["-mcpu=cortex-m4", "-mthumb"]', "[]"), "flags .* must be machine options"),
        (("name =", "arithmetic = 3\nname ="), "arithmetic must be a table"),
        (('name = "mine"\n', ""), "lacks the keys name"),
        (("name =", "costs = 3\nname ="), "costs must be a table"),
        (("[board]", "[costs]\nint9 = 1.0\n[board]"), "costs 'int9' is unknown, allowed: int8"),
        (("[board]", "[costs]\nint4 = -1.0\n[board]"), "costs of int4 are -1.0, not a positive number"),
        (("[board]", "[costs]\nint4 = true\n[board]"), "costs of int4 are True, not a positive number"),
        (("counter_hz = 25000000\n", ""), "lacks the keys counter_hz"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, change: tuple[str, str], word: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change, 1))
    with pytest.raises(OctavoError, match=word):
        load_target(path)


def test_unknown_and_oversized(tmp_path: Path) -> None:
    with pytest.raises(OctavoError, match="cortex-m4"):
        load_target("cortex-m99")
    with pytest.raises(OctavoError, match="not a target file"):
        load_target(tmp_path / "absent.toml")
    big = tmp_path / "big.toml"
    big.write_text("#" * 100_000)
    with pytest.raises(OctavoError, match="not a target file"):
        load_target(big)
