"""The reference models and data, found through OCTAVO_DATA (by default ``../shared/data`` beside the checkout)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["data_folder", "data_path"]

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def data_folder() -> Path:
    """The folder that OCTAVO_DATA names; it need not exist."""
    return Path(os.environ.get("OCTAVO_DATA") or _BESIDE)


def data_path(relative: str) -> Path:
    """A file of the reference data, or a skip that says what is missing."""
    path = data_folder() / relative
    if not path.exists():
        pytest.skip(f"no reference data at {path}; set OCTAVO_DATA to the folder that holds {relative}")
    return path
