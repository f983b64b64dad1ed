"""The families of cores that Octavo builds firmware for and emulates, and the tools of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ARCHITECTURES", "Architecture"]


@dataclass(frozen=True)
class Architecture:
    """GNU tools by their ``prefix``, a QEMU program, and the Debian packages they come in.

    ``folder`` in csrc/boards starts such a core up; the flags join those of each board.
    """

    prefix: str
    compiler_packages: str
    emulator: str
    emulator_packages: str
    folder: str
    compiler_flags: tuple[str, ...] = ()
    emulator_flags: tuple[str, ...] = ()
    disassembler_flags: tuple[str, ...] = ()

    @property
    def compiler(self) -> str:
        """The C compiler's program."""
        return f"{self.prefix}gcc"

    @property
    def tools(self) -> Mapping[str, str]:
        """The programs that must be installed, and the packages that bring each."""
        return {self.compiler: self.compiler_packages, self.emulator: self.emulator_packages}


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "cortex-m": Architecture(
            "arm-none-eabi-",
            "gcc-arm-none-eabi libnewlib-arm-none-eabi",
            "qemu-system-arm",
            "qemu-system-arm",
            "cortex_m",
            compiler_flags=("--specs=nano.specs", "--specs=nosys.specs"),
            # The newest form, of which the others are subsets: the linked program does not say which it is.
            disassembler_flags=("-m", "armv8.1-m.main"),
        ),
        # Without a C library (Debian's is a gigabyte): the folder brings the three functions that are called, which
        # -fbuiltin lets the compiler know.
        "riscv32": Architecture(
            "riscv64-unknown-elf-",
            "gcc-riscv64-unknown-elf",
            "qemu-system-riscv32",
            "qemu-system-misc",
            "riscv32",
            compiler_flags=("-ffreestanding", "-fbuiltin", "-nolibc"),
            emulator_flags=("-bios", "none"),
        ),
    }
)
"""By the name that a board gives as ``architecture``."""
