"""The C library that ``octavo compile`` wrote, read again: every file is the one that was written, or it is refused."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from octavo import __version__
from octavo.c.glue import Entry, Port
from octavo.c.text import check_prefix
from octavo.errors import OctavoError
from octavo.files import GENERATOR, MARKER, MAX_MARKER_BYTES
from octavo.targets import Target, load_target

__all__ = ["Compiled", "read_compiled"]

MAX_FILE_BYTES = 256 * 2**20
MAX_FILES = 1000
MAX_PORTS = 1000
_BYTES = {"int8": 1, "int16": 2, "float16": 2}
_PATH = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+){0,8}\.[ch]")
_AGAIN = "Compile the model again."


@dataclass(frozen=True)
class Compiled:
    """A model's library: its C by path relative to the library's folder, and what its manifest says of it.

    ``arena_bytes`` is the size of its arena, which begins at a multiple of ``alignment``; ``model_bytes`` that of its
    constants, of which ``flash_bytes`` are not streamed from slow memory. ``ram_limit`` and ``flash_limit`` are the
    bytes that it was compiled for: the target's, or what ``--ram`` and ``--flash`` said.
    """

    folder: Path
    target: Target
    entry: Entry
    arena_bytes: int
    alignment: int
    model_bytes: int
    flash_bytes: int
    ram_limit: int
    flash_limit: int
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The prefix of its C functions."""
        return self.entry.prefix


def read_compiled(folder: Path) -> Compiled:
    """The library in a folder of ``octavo compile``.

    OctavoError when the folder is none, was written by another Octavo, or has a file that is not as it was written.
    """
    manifest = _manifest(folder)
    try:
        name = check_prefix(manifest["name"])
        inputs, outputs = (tuple(map(_port, manifest[side][:MAX_PORTS])) for side in ("inputs", "outputs"))
        entry = Entry(name, inputs, outputs, _count(len(manifest["layers"]), 10**6))
        arena, alignment = _count(manifest["arena_bytes"], 2**31), _count(manifest["arena_alignment"], 4096)
        if alignment < 1 or alignment & (alignment - 1):
            raise ValueError(f"arena_alignment {alignment} is not a power of two")
        constants = _count(manifest["model_bytes"], 2**32)
        flash = _count(manifest.get("streaming", {}).get("flash_bytes", constants), constants)
        limits = _count(manifest["ram_bytes"], 2**40), _count(manifest["flash_bytes"], 2**40)
        sums = dict(manifest["sha256"])
    except (KeyError, TypeError, ValueError, AttributeError, OctavoError) as error:
        raise OctavoError(str(folder / MARKER), f"is damaged ({error!r})"[:200], _AGAIN) from error
    own = {path.removeprefix(f"{name}/"): digest for path, digest in sums.items() if path.startswith(f"{name}/")}
    wanted = {path: digest for path, digest in own.items() if path.endswith((".c", ".h"))}
    if not {f"src/{name}.c", f"src/{name}.h", f"src/{name}_arena.h"} <= set(wanted) or len(wanted) > MAX_FILES:
        raise OctavoError(str(folder / MARKER), "does not list the library's files", _AGAIN)
    files = {path: _read(folder / name, path, digest) for path, digest in sorted(wanted.items())}
    _read(folder, "target.toml", sums.get("target.toml"))
    target = load_target(folder / "target.toml")
    return Compiled(folder, target, entry, arena, alignment, constants, flash, *limits, files)


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a compiled model, of this Octavo."""
    path = folder / MARKER
    try:
        if path.stat().st_size > MAX_MARKER_BYTES:
            raise ValueError("too large")
        manifest = json.loads(path.read_bytes())
        if not isinstance(manifest, dict) or manifest.get("generator") != GENERATOR:
            raise ValueError(f"no {MARKER} of Octavo's")
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OctavoError(
            str(folder), f"is not a folder that octavo compile wrote ({reason})", "Run octavo compile first."
        ) from error
    if "models" in manifest:
        raise OctavoError(str(folder), "is a bundle already", "Name the folders of octavo compile that it was made of.")
    if "name" not in manifest:
        raise OctavoError(str(folder), "holds a quantized network without C", "Run octavo compile instead of quantize.")
    written = manifest.get("octavo", "an older version")
    if written != __version__:
        raise OctavoError(str(folder), f"was written by Octavo {written!s:.40}, this is {__version__}", _AGAIN)
    return manifest


def _count(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r:.40} is no number from 0 to {most}")
    return value


def _port(port: Mapping[str, Any]) -> Port:
    size = prod(_count(axis, 2**31) for axis in port["shape"][:8])
    return Port(port["dtype"], _count(size * _BYTES[port["dtype"]], 2**31))


def _read(folder: Path, path: str, digest: object) -> bytes:
    """A plain file of bounded size with the contents that were written."""
    where = folder / path
    if path != "target.toml" and not _PATH.fullmatch(path):
        raise OctavoError(str(folder), f"lists the file {path!r:.80}, which Octavo never writes", _AGAIN)
    try:
        found = where.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            raise OctavoError(str(where), "is not a file of Octavo's (no plain file, or too large)", _AGAIN)
        data = where.read_bytes()
    except OSError as error:
        raise OctavoError(str(where), f"cannot be read ({error.strerror})", _AGAIN) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise OctavoError(str(where), "is not the file that was written: its checksum differs", _AGAIN)
    return data
