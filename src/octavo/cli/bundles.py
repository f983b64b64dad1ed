"""What joins compiled models; apart from the other commands, so that it need not wait for torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from octavo.bundles import bundle
from octavo.cli import tables
from octavo.cli.document import emit

__all__ = ["bundle_folders"]


def bundle_folders(folders: Sequence[Path], output: Path, name: str, together: Sequence[str], json: bool) -> None:
    """Write the bundle; ``together`` are names of models with commas between them."""
    groups = [[word.strip() for word in text.split(",")] for text in together]
    made = bundle(folders, output, name, groups)
    if json:
        keys = ("name", "target", "arena_bytes", "arena_bytes_apart", "model_bytes", "together", "models")
        emit({**{key: made.manifest[key] for key in keys}, "folder": str(made.folder)})
    else:
        tables.bundled(made)
