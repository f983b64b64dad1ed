"""Writes a folder or a file whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from octavo.errors import OctavoError

__all__ = ["GENERATOR", "MARKER", "check_replaceable", "replace_file", "replace_folder"]

MARKER = "manifest.json"
# The value of the marker's key "generator"; many tools write a manifest.json.
GENERATOR = "octavo"
MAX_MARKER_BYTES = 64 * 2**20


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (relative path -> contents) into a temporary folder, then move it to ``folder``.

    An existing folder is replaced only when it is empty or holds an earlier result (a ``manifest.json`` that Octavo
    wrote); files in it that the manifest does not list are others' and stay. On any error, a full disk and Ctrl-C
    included, ``folder`` is as it was.
    """
    folder = folder.absolute()
    check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        for relative, contents in files.items():
            path = stage / "new" / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        _keep(folder, _others(folder, files), stage / "new")
        if folder.exists():
            os.rename(folder, stage / "old")
        os.rename(stage / "new", folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        # Ctrl-C may come between any two of these lines; what is in place decides, not how far the code came.
        if (stage / "old").exists() and not folder.exists():
            os.rename(stage / "old", folder)
        shutil.rmtree(stage, ignore_errors=True)


def replace_file(path: Path, write: Callable[[Path], object], option: str = "--output") -> None:
    """Let ``write(aside)`` write a file in a temporary folder, then move it over a plain file or to a new one."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise OctavoError(str(path), "is not a plain file", f"Choose another {option}.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as aside:
            written = Path(aside) / path.name
            write(written)
            os.replace(written, path)
    except OSError as error:
        raise OctavoError(
            str(path), f"cannot be written ({error.strerror or error})", f"Free space or choose another {option}."
        ) from error


def check_replaceable(folder: Path) -> None:
    """OctavoError unless ``folder`` is new, empty, or holds an earlier result of Octavo's, and can be written."""
    above = next(path for path in folder.absolute().parents if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise OctavoError(str(folder), f"cannot be written: {above} takes no folder", "Choose another output folder.")
    if folder.exists() and not folder.is_dir():
        raise OctavoError(str(folder), "exists and is not a folder", "Choose another output folder.")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder / MARKER):
        raise OctavoError(str(folder), "holds files that Octavo did not write", "Choose an empty or new output folder.")


def _is_ours(marker: Path) -> bool:
    return _manifest(marker).get("generator") == GENERATOR


def _manifest(marker: Path) -> dict[str, Any]:
    """What the file says; nothing where there is no such file or it is no JSON object."""
    try:
        if marker.stat().st_size > MAX_MARKER_BYTES:
            return {}
        manifest = json.loads(marker.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _others(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Relative paths in an earlier result's folder that neither it nor the new one wrote."""
    written = _manifest(folder / MARKER).get("sha256")
    ours = {MARKER, *files, *(written if isinstance(written, dict) else ())}
    found = []
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(set(found) - ours)


def _keep(folder: Path, others: Sequence[str], new: Path) -> None:
    """The same files in the new folder, too: by name, not by copy, where the file system can."""
    for relative in others:
        source, path = folder / relative, new / relative
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                raise FileExistsError
        except (FileExistsError, NotADirectoryError) as error:
            raise OctavoError(str(source), "is in the way of what would be written", "Move it elsewhere.") from error
        try:
            os.link(source, path, follow_symlinks=False)
        except OSError:
            shutil.copy2(source, path, follow_symlinks=False)


def _cannot_write(folder: Path, error: OSError) -> OctavoError:
    return OctavoError(
        str(folder), f"cannot be written ({error.strerror or error})", "Free space or choose another output folder."
    )
