"""One small network, built once, and copies of its folder to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build
from octavo.ir.graph import Array
from octavo.package import export
from octavo.quant.quantize import quantize_graph
from tests.device.conftest import network

Change = Callable[[Path], None]
Spoil = Callable[..., Build]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    data = np.random.default_rng(1).normal(size=(16, 9, 8, 3)).astype(np.float32)
    return export(quantize_graph(network(), [data]), tmp_path_factory.mktemp("verify") / "build")


@pytest.fixture(scope="session")
def inputs() -> dict[str, Array]:
    return {"image": np.random.default_rng(2).integers(-128, 128, (2, 9, 8, 3)).astype(np.int8)}


@pytest.fixture
def spoil(build: Build, tmp_path: Path) -> Spoil:
    """Give changes of files (path, text, new text): a copy of the folder with each text replaced everywhere."""

    def spoiled(*changes: tuple[str, str, str]) -> Build:
        folder = tmp_path / "spoiled"
        shutil.copytree(build.folder, folder)
        for path, old, new in changes:
            file = folder / "model/src" / path
            text = file.read_text()
            assert old in text, old
            file.write_text(text.replace(old, new))
        return Build.open(folder)

    return spoiled
