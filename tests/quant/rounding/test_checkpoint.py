"""A checkpoint is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from octavo.errors import OctavoError
from octavo.quant.rounding.checkpoint import Checkpoint


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "work.safetensors", "digest")
    checkpoint.store(lambda aside: aside.write_bytes(b"before"))

    def full(aside: Path) -> None:
        aside.write_bytes(b"half")
        raise OSError("No space left on device")

    with pytest.raises(OctavoError, match=r"work\.safetensors.*cannot be written \(No space left"):
        checkpoint.store(full)
    assert [path.name for path in tmp_path.iterdir()] == ["work.safetensors"]
    assert checkpoint.path.read_bytes() == b"before"
