"""Builds the generated C into a firmware for an emulated board, and measures its sections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from octavo.c.library import csrc_dir
from octavo.device.sources import compile_sources, model_sources
from octavo.device.toolchain import WARNINGS, arm_compiler, arm_size, invoke
from octavo.errors import OctavoError
from octavo.targets import Board, Target

__all__ = ["Firmware", "build_firmware", "require_board"]

_MODEL_SECTION = ".model_data"
_CODE_SECTIONS = (".vectors", ".text", ".rodata", ".data")


@dataclass(frozen=True)
class Firmware:
    """An ELF file. ``code_bytes`` counts code, constants and initialised data without the model's weights;
    ``model_bytes`` the weights; ``bss_bytes`` zero-initialised RAM (arena, buffers)."""

    path: Path
    code_bytes: int
    model_bytes: int
    bss_bytes: int


def require_board(target: Target) -> Board:
    """The target's board; OctavoError when it has none."""
    if target.board is None:
        raise OctavoError(f"target {target.name}", "has no emulated board", "Use one of the cortex-m targets.")
    return target.board


def build_firmware(c_dir: Path, target: Target, folder: Path) -> Firmware:
    """Compile at -O2 with unused sections dropped, into ``folder``."""
    board = require_board(target)
    sources_dir = csrc_dir() / "boards/cortex_m"
    script = folder / "link.ld"
    text = (sources_dir / "link.ld.in").read_text()
    for region, (origin, length) in (("FLASH", board.flash), ("RAM", board.ram)):
        text = text.replace(f"@{region}_ORIGIN@", hex(origin)).replace(f"@{region}_LENGTH@", hex(length))
    script.write_text(text)
    flags = [
        *board.flags, *WARNINGS, "-O2", "-ffunction-sections", "-fdata-sections", "-DOCTAVO_PROFILE",
        "-DOCTAVO_DATA_SECTION", "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs",
        "-Wl,--gc-sections", f"-Wl,-T,{script}",
    ]  # fmt: skip
    sources = [*model_sources(c_dir), *sorted(sources_dir.glob("*.c"))]
    elf = folder / "model.elf"
    compile_sources(f"firmware for {target.name}", arm_compiler(), flags, sources, c_dir, elf)
    sizes = _sections(elf)
    code = sum(sizes.get(name, 0) for name in _CODE_SECTIONS)
    return Firmware(elf, code, sizes.get(_MODEL_SECTION, 0), sizes.get(".bss", 0))


def _sections(elf: Path) -> dict[str, int]:
    listing = invoke("section sizes", [arm_size(), "-A", "-d", str(elf)], elf.parent).stdout
    rows = (line.split() for line in listing.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}
