"""The shape of the house: floors, file length, names, light start-up, and the documented operators."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "octavo"
DOCUMENT = ROOT / "docs" / "operators.md"

FLOORS = {
    0: ("errors", "num"),
    1: ("ir", "memory"),
    2: ("ops",),
    3: ("run",),
    4: ("passes", "quant", "train", "formats", "lower", "targets"),
    5: ("c", "kernels", "npu"),
    6: ("device", "analysis", "report"),
    7: (
        "__init__",
        "__main__",
        "api",
        "build",
        "bundles",
        "cli",
        "compiled",
        "datasets",
        "demo",
        "diagnosis",
        "files",
        "fit",
        "strips",
        "images",
        "package",
        "pages",
        "pipeline",
        "program",
        "timeline",
        "verify",
    ),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}

# Rooms of one floor that may import each other, with the reason.
SIDEWAYS = {
    # Errors are what numbers raise.
    ("num", "errors"),
    # Fake quantization is built on the quantizer.
    ("train", "quant"),
}
# The top floor is one room that is open to all its own.
OPEN_FLOOR = 7

BANNED = {"utils", "util", "common", "helpers", "manager", "v2"}
MAX_LINES = 500
SOURCES = ("src", "csrc", "tests", "benchmarks", "examples", "scripts")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of octavo in a file, those inside functions and type checks included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            modules = [f"octavo.{alias.name}" for alias in node.names] if module == "octavo" else [module]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] == "octavo":
                room = parts[1] if len(parts) > 1 else "__init__"
                yield node.lineno, room if room in FLOOR else "__init__"


def _python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _sources() -> list[Path]:
    found = (path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".c", ".h"))
    return sorted(found)


def test_every_room_has_a_floor() -> None:
    rooms = {_room(path) for path in _python_files()}
    assert rooms <= set(FLOOR), f"name the floor of {sorted(rooms - set(FLOOR))}"


def test_imports_run_downward() -> None:
    wrong = []
    for path in _python_files():
        room = _room(path)
        for line, target in _imports(path):
            allowed = (
                target == room
                or FLOOR[target] < FLOOR[room]
                or FLOOR[target] == FLOOR[room] == OPEN_FLOOR
                or (room, target) in SIDEWAYS
            )
            if not allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} (floor {FLOOR[room]}) imports "
                             f"{target} (floor {FLOOR[target]})")  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_every_exception_is_used_or_planned() -> None:
    """An exception outlives its reason when no room needs it any more."""
    real = {(_room(path), target) for path in _python_files() for _, target in _imports(path)}
    present = {_room(path) for path in _python_files()}
    stale = {pair for pair in SIDEWAYS if pair[0] in present and pair not in real}
    assert not stale


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in _sources()}
    assert lengths
    assert not {str(path): lines for path, lines in lengths.items() if lines > MAX_LINES}


def test_no_sinks_by_name() -> None:
    names = {path: {part.split(".")[0] for part in path.relative_to(ROOT).parts} for path in _sources()}
    assert not [str(path) for path, parts in names.items() if parts & BANNED]


def test_modules_declare_what_is_public() -> None:
    """A package or module says in __all__ what others may use, unless it offers nothing."""
    silent = []
    for path in _python_files():
        body = ast.parse(path.read_text()).body
        public = [n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]
        names = {t.id for n in body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        if public and "__all__" not in names:
            silent.append(f"{path.relative_to(ROOT)}: {', '.join(public)}")
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("module", ["octavo", "octavo.cli"])
def test_start_is_light(module: str) -> None:
    """``octavo --help`` must not wait for torch: checked in a fresh interpreter."""
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import {module}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "onnx", "tflite", "safetensors"} & set(result.stdout.split())


def test_operators_are_documented() -> None:
    if not DOCUMENT.is_file():
        pytest.skip("docs/operators.md is not written yet")
    from octavo.ops import OPERATORS

    words = set(re.findall(r"\w+", DOCUMENT.read_text()))
    assert not sorted(set(OPERATORS) - words), "docs/operators.md does not name these operators"
