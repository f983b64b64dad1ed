"""The emulated cores: a missing tool skips a test, or fails it where OCTAVO_REQUIRE_DEVICE=1 promises the tools."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["DEVICE_TOOLS", "missing_device_tools", "require_device"]

DEVICE_TOOLS = {"arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi", "qemu-system-arm": "qemu-system-arm"}


def missing_device_tools() -> list[str]:
    """The programs of DEVICE_TOOLS that are not on PATH."""
    return [tool for tool in DEVICE_TOOLS if shutil.which(tool) is None]


def require_device() -> None:
    """Return when cross compiler and emulator are there; otherwise skip, or fail under OCTAVO_REQUIRE_DEVICE=1."""
    missing = missing_device_tools()
    if not missing:
        return
    packages = " ".join(DEVICE_TOOLS[tool] for tool in missing)
    message = f"{', '.join(missing)} not found; apt-get install {packages}"
    if os.environ.get("OCTAVO_REQUIRE_DEVICE") == "1":
        pytest.fail(f"{message} (OCTAVO_REQUIRE_DEVICE=1)", pytrace=False)
    pytest.skip(message)
