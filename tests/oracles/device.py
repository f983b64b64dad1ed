"""The emulated cores: a missing tool skips a test, or fails it where OCTAVO_REQUIRE_DEVICE=1 promises the tools."""

from __future__ import annotations

import os
import shutil

import pytest

from octavo.targets import ARCHITECTURES, load_target

__all__ = ["require_device"]


def require_device(name: str = "cortex-m4") -> None:
    """Return when the target's compiler and emulator are there; else skip, or fail under OCTAVO_REQUIRE_DEVICE=1."""
    board = load_target(name).board
    assert board is not None
    tools = ARCHITECTURES[board.architecture].tools
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not missing:
        return
    packages = " ".join(tools[tool] for tool in missing)
    message = f"{', '.join(missing)} not found; apt-get install {packages}"
    if os.environ.get("OCTAVO_REQUIRE_DEVICE") == "1":
        pytest.fail(f"{message} (OCTAVO_REQUIRE_DEVICE=1)", pytrace=False)
    pytest.skip(message)
