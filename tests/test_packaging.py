"""The wheel alone: it carries the C library, targets and demo assets, and works far from the checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"),
]


def _run(arguments: list[str | Path], folder: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], folder)
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_carries_everything(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package, library = ROOT / "src", ROOT / "csrc"
    expected = {f"octavo/_csrc/{path.relative_to(library)}" for path in library.rglob("*") if path.is_file()}
    expected |= {
        str(path.relative_to(package))
        for path in (package / "octavo").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_wheel_alone_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    _run(["-m", "pip", "install", "-q", "--no-deps", "--target", installed, wheel], tmp_path)
    where = _run(["-c", "import octavo; print(octavo.__file__)"], tmp_path, PYTHONPATH=str(installed))
    assert Path(where.strip()).is_relative_to(installed)
    _run(["-m", "octavo.demo", "--output", tmp_path / "demo"], tmp_path, PYTHONPATH=str(installed))
    assert (tmp_path / "demo" / "manifest.json").is_file()
