"""What an emulated core executed: QEMU's translator counts each block of code, layer by layer, through a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from octavo.c.library import csrc_dir
from octavo.device.listing import Instruction, Program
from octavo.device.toolchain import host_compiler, invoke
from octavo.errors import OctavoError

__all__ = ["Block", "Counter", "Moved", "Trace", "parse_trace"]

_LIBRARY, _FILE = "count.so", "trace.txt"


@dataclass(frozen=True)
class Block:
    """Code that ran ``times`` times without a branch inside; ``taken`` times its last instruction went elsewhere."""

    instructions: tuple[Instruction, ...]
    times: int
    taken: int


@dataclass(frozen=True)
class Moved:
    """Bytes that loads and stores moved: from flash (weights, constants), from RAM and to RAM, the stack included."""

    flash_read: int
    ram_read: int
    ram_written: int


@dataclass(frozen=True)
class Trace:
    """One inference by segments: what ran before the first layer, each layer, what ran after the last."""

    blocks: tuple[tuple[Block, ...], ...]
    moved: tuple[Moved, ...]


@dataclass(frozen=True)
class Counter:
    """The plugin, built in the folder of the run, and what it is told: the program's marks, where RAM is, layers."""

    program: Program
    ram: int
    layers: int

    @staticmethod
    def build(folder: Path, program: Program, ram: int, layers: int) -> Counter:
        """Compile the plugin into ``folder``; OctavoError when this machine has no C compiler or it fails."""
        source = csrc_dir() / "boards/emulator/count.c"
        flags = ["-std=gnu11", "-O2", "-shared", "-fPIC", str(source), "-o", str(folder / _LIBRARY)]
        result = invoke("count plugin", [host_compiler(), *flags], folder)
        if result.returncode != 0:
            said = (result.stderr.splitlines() or ["no message"])[0]
            raise OctavoError("count plugin", f"the C compiler failed: {said}", "Install gcc and libc6-dev.")
        return Counter(program, ram, layers)

    @property
    def options(self) -> tuple[str, ...]:
        """QEMU's, which must run in the plugin's folder: a comma in a path would end the option."""
        begin, mark = (self.program.function(name) for name in ("octavo_inference", "octavo_mark"))
        numbers = f"begin={begin:#x},mark={mark:#x},ram={self.ram:#x},segments={self.layers + 2}"
        return "-plugin", f"./{_LIBRARY},{numbers},out={_FILE}"

    def read(self, folder: Path) -> Trace:
        """What the plugin wrote in ``folder``; OctavoError when it did not."""
        path = folder / _FILE
        if not path.is_file():
            raise OctavoError("count plugin", "wrote nothing", "Use QEMU with plugins, as Debian's.")
        return parse_trace(path.read_text(), self.program, self.layers + 2)


def parse_trace(text: str, program: Program, segments: int) -> Trace:
    """The plugin's lines, which count.c describes; OctavoError when a line is not as it should be."""
    blocks: list[list[Block]] = [[] for _ in range(segments)]
    found: dict[int, Moved] = {}
    try:
        for line in text.splitlines():
            word, *rest = line.split()
            numbers = [int(part) for part in rest]
            if word == "block":
                address, _, count, segment, times, taken = numbers
                blocks[segment].append(Block(program.block(address, count), times, taken))
            elif word == "moved":
                segment, *counts = numbers
                found[segment] = Moved(*counts)
        moved = tuple(found[segment] for segment in range(segments))
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise OctavoError("count plugin", f"wrote what it should not: {error}", "Run it again.") from error
    return Trace(tuple(tuple(rows) for rows in blocks), moved)
