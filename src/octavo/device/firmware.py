"""Builds the generated C into a firmware for an emulated board, and measures its sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from octavo.c.library import csrc_dir
from octavo.device.sources import compile_sources, model_sources
from octavo.device.toolchain import WARNINGS, cross_compiler, section_sizes
from octavo.errors import OctavoError
from octavo.targets import ARCHITECTURES, Board, Target

__all__ = ["Firmware", "build_firmware", "require_board"]

_MODEL_SECTIONS = (".model_data", ".octavo_slow")
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
        raise OctavoError(f"target {target.name}", "has no emulated board", "Use cortex-m4 or rv32imc, say.")
    return target.board


def build_firmware(
    c_dir: Path,
    target: Target,
    folder: Path,
    own_sources: Sequence[Path] = (),
    own_flags: Sequence[str] = (),
    harness: bool = True,
) -> Firmware:
    """Compile at -O2 with unused sections dropped, into ``folder``.

    ``own_sources`` are C files beside the model's and the harness's, as a driver; ``own_flags`` compile all of them.
    Without ``harness`` one of them has the program's main.
    """
    board = require_board(target)
    architecture = ARCHITECTURES[board.architecture]
    shared, own = (csrc_dir() / "boards" / name for name in ("bare_metal", architecture.folder))
    script = folder / "link.ld"
    text = (shared / "link.ld.in").read_text()
    for region, (origin, length) in (("FLASH", board.flash), ("RAM", board.ram)):
        text = text.replace(f"@{region}_ORIGIN@", hex(origin)).replace(f"@{region}_LENGTH@", hex(length))
    script.write_text(text)
    flags = [
        *board.flags, *architecture.compiler_flags, *WARNINGS, "-O2", "-ffunction-sections", "-fdata-sections",
        "-DOCTAVO_PROFILE", "-DOCTAVO_DATA_SECTION", "-nostartfiles", "-Wl,--gc-sections", f"-Wl,-T,{script}",
        f"-I{own}", *own_flags,
    ]  # fmt: skip
    board_sources = [*sorted(shared.glob("*.c")), *sorted(own.glob("*.c"))]
    kept = [path for path in board_sources if harness or path.name != "main.c"]
    sources = [*model_sources(c_dir), *kept, *own_sources]
    elf = folder / "model.elf"
    compile_sources(f"firmware for {target.name}", cross_compiler(architecture), flags, sources, c_dir, elf)
    sizes = section_sizes(architecture, elf)
    code = sum(sizes.get(name, 0) for name in _CODE_SECTIONS)
    return Firmware(elf, code, sum(sizes.get(name, 0) for name in _MODEL_SECTIONS), sizes.get(".bss", 0))
