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
        assert (target.board is None) == (name == "host")


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


@pytest.mark.parametrize(
    "change, word",
    [
        (("name =", "nam ="), "nam"),
        (("flash_bytes = 65536", "flash_bytes = 0"), "positive"),
        (("ram_bytes", "alignment = 3\nram_bytes"), "alignment"),
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
        (("ram_bytes", "formats = []\nram_bytes"), "formats is .*, not a list of texts"),
        (('"a board"', "5"), "description is 5, not a text"),
        (("[0, 65536]", "[0.5, 65536]"), "flash is .*, not a list of whole numbers"),
        (("25000000", "25e6"), "counter_hz is .*, not a whole number"),
        (('["-mcpu=cortex-m4", "-mthumb"]', "[]"), "flags is .*, not a list of texts"),
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
