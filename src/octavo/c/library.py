"""Where the C sources of the kernels are, and which files a set of kernels needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from octavo.errors import OctavoError

__all__ = ["csrc_dir", "library_files"]

_INCLUDE = re.compile(rb'^#include "([^"]+)"$', re.MULTILINE)


def csrc_dir() -> Path:
    """The folder with octavo.h: inside the installed package, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_csrc", package.parents[1] / "csrc"):
        if (folder / "octavo.h").is_file():
            return folder
    raise OctavoError(str(package), "the C kernels are missing", "Install Octavo again, or run it from a checkout.")


def library_files(headers: Iterable[str]) -> dict[str, bytes]:
    """The headers, octavo.h and all that they include, by path relative to csrc."""
    root = csrc_dir().resolve()
    files: dict[str, bytes] = {}
    waiting = ["octavo.h", *headers]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files[path] = (root / path).read_bytes()
            included = ((root / path).parent / name.decode() for name in _INCLUDE.findall(files[path]))
            waiting += [file.resolve().relative_to(root).as_posix() for file in included]
    return dict(sorted(files.items()))
