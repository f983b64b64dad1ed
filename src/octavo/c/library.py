"""Where the C sources of the kernels are."""

from __future__ import annotations

from pathlib import Path

from octavo.errors import OctavoError

__all__ = ["csrc_dir"]


def csrc_dir() -> Path:
    """The folder with octavo.h: inside the installed package, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_csrc", package.parents[1] / "csrc"):
        if (folder / "octavo.h").is_file():
            return folder
    raise OctavoError(str(package), "the C kernels are missing", "Install Octavo again, or run it from a checkout.")
