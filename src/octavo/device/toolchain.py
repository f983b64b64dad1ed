"""Finds and runs compilers and the emulator; a missing tool is one clear error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from octavo.errors import OctavoError

__all__ = ["WARNINGS", "arm_compiler", "arm_size", "emulator", "host_compiler", "invoke"]

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_ARM_PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi"


def _find(name: str, what: str, packages: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise OctavoError(what, f"{name} is not installed", f"On Debian: apt-get install {packages}")
    return found


def host_compiler() -> str:
    """The C compiler of this machine: $CC, or cc."""
    return _find(os.environ.get("CC", "cc"), "host C compiler", "gcc libc6-dev")


def arm_compiler() -> str:
    """arm-none-eabi-gcc."""
    return _find("arm-none-eabi-gcc", "Arm compiler", _ARM_PACKAGES)


def arm_size() -> str:
    """arm-none-eabi-size."""
    return _find("arm-none-eabi-size", "Arm binutils", _ARM_PACKAGES)


def emulator() -> str:
    """qemu-system-arm."""
    return _find("qemu-system-arm", "emulator", "qemu-system-arm")


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
