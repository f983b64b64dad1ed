"""The parameter struct of a kernel, read from its header."""

from __future__ import annotations

import re

from octavo.c.kernels import KERNELS
from octavo.c.library import csrc_dir

__all__ = ["struct_fields"]


def struct_fields(kernel: str) -> list[tuple[str, int]]:
    """(name, length) of each field of a kernel's parameters; length 0 is a scalar."""
    text = (csrc_dir() / KERNELS[kernel].header).read_text()
    same = re.search(r"typedef octavo_(\w+)_params octavo_" + kernel + "_params;", text)
    if same:
        return struct_fields(same.group(1))
    match = re.search(r"typedef struct \{([^}]*)\} octavo_" + kernel + "_params;", text)
    assert match, f"{kernel} has no parameter struct"
    return [(name, int(n or 0)) for name, n in re.findall(r"(?:int32_t|float) (\w+)(?:\[(\d+)\])?;", match.group(1))]
