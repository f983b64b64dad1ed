"""The C files of a generated folder, and how they are compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from octavo.device.toolchain import invoke
from octavo.errors import OctavoError

__all__ = ["compile_sources", "model_sources"]


def model_sources(c_dir: Path) -> list[Path]:
    """The model's C files, without the self-test."""
    found = sorted(path.resolve() for path in (c_dir / "src").rglob("*.c"))
    if not found or not (c_dir / "selftest/glue.h").is_file():
        raise OctavoError(str(c_dir), "holds no generated C", "Run octavo compile first.")
    return found


def compile_sources(
    what: str, compiler: str, flags: Sequence[str], sources: Sequence[Path], c_dir: Path, output: Path
) -> None:
    """Compile and link to ``output``; OctavoError with the compiler's first error."""
    includes = [f"-I{c_dir.resolve() / folder}" for folder in ("src", "selftest")]
    command = [compiler, *flags, *includes, *map(str, sources), "-o", str(output)]
    result = invoke(what, command, output.parent)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if "error" in line or "overflow" in line]
        reason = (lines or result.stderr.splitlines() or ["no message"])[0]
        if "overflowed by" in result.stderr or "RAM overflow" in result.stderr:
            raise OctavoError(what, f"the program does not fit: {reason}", "Choose a board with more memory.")
        raise OctavoError(
            what, f"the C compiler failed: {reason}", "Compile the model again; report it if it persists."
        )
