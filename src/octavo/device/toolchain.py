"""Finds and runs compilers and the emulator; a missing tool is one clear error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from octavo.errors import OctavoError
from octavo.targets import Architecture

__all__ = ["WARNINGS", "binutil", "cross_compiler", "emulator", "host_compiler", "invoke", "section_sizes"]

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")


def _find(name: str, what: str, packages: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise OctavoError(what, f"{name} is not installed", f"On Debian: apt-get install {packages}")
    return found


def host_compiler() -> str:
    """The C compiler of this machine: $CC, or cc."""
    return _find(os.environ.get("CC", "cc"), "host C compiler", "gcc libc6-dev")


def cross_compiler(architecture: Architecture) -> str:
    """The C compiler of a family of cores."""
    return _find(architecture.compiler, "cross compiler", architecture.compiler_packages)


def binutil(architecture: Architecture, name: str) -> str:
    """One of the GNU binary utilities of a family of cores, as ``size``."""
    return _find(f"{architecture.prefix}{name}", "binutils", architecture.compiler_packages)


def section_sizes(architecture: Architecture, elf: Path) -> dict[str, int]:
    """Bytes of the sections of an ELF file, by name."""
    listing = invoke("section sizes", [binutil(architecture, "size"), "-A", "-d", str(elf)], elf.parent).stdout
    rows = (line.split() for line in listing.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}


def emulator(architecture: Architecture) -> str:
    """QEMU for a family of cores."""
    return _find(architecture.emulator, "emulator", architecture.emulator_packages)


def invoke(what: str, command: Sequence[str], folder: Path, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` and return its result whatever its exit status; OctavoError when it takes too long.

    The child is ended when this process is interrupted.
    """
    try:
        return subprocess.run(
            list(command),
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise OctavoError(
            what, f"{Path(command[0]).name} did not end within {seconds:.0f} s", "Try fewer samples."
        ) from error
