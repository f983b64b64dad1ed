"""Starts a model under the serial protocol: as a program of this machine, or on an emulated board."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from octavo.c.library import csrc_dir
from octavo.device.emulator import emulation
from octavo.device.firmware import build_firmware, require_board
from octavo.device.host import NATIVE
from octavo.device.links import Link, ProcessLink
from octavo.device.sources import compile_sources, model_sources
from octavo.device.toolchain import WARNINGS, host_compiler
from octavo.targets import Target

__all__ = ["build_host_program", "on_emulated_board", "on_host"]

_LOG = "log.txt"


def _written(folder: Path, files: Mapping[str, bytes], name: str) -> tuple[list[Path], list[str]]:
    """(sources, flags) of the protocol and of the model's part of it, ``files``, which are written to ``folder``."""
    for path, data in files.items():
        (folder / path).write_bytes(data)
    protocol = csrc_dir() / "serial"
    sources = [protocol / "octavo_serial.c", *(folder / path for path in files if path.endswith(".c"))]
    return sources, [f"-I{protocol}", f"-I{folder}", f"-DSERIAL_MODEL={name}_serial", "-DOCTAVO_PROFILE"]


def build_host_program(
    c_dir: Path, files: Mapping[str, bytes], folder: Path, machine: Sequence[str] = (*NATIVE, "-O2")
) -> Path:
    """A program in ``folder`` that speaks the protocol on its standard input and output.

    ``files`` are those of octavo.c.serial for the model in ``c_dir``; ``machine`` are options of the compiler.
    """
    sources, flags = _written(folder, files, c_dir.name)
    own = [csrc_dir() / "boards/host/serial.c", *sources, *model_sources(c_dir)]
    compile_sources("host build", host_compiler(), [*WARNINGS, *machine, *flags], own, c_dir, folder / "model")
    return folder / "model"


@contextmanager
def on_host(c_dir: Path, files: Mapping[str, bytes]) -> Iterator[Link]:
    """The model as a program of this machine."""
    with tempfile.TemporaryDirectory(prefix="octavo-verify-") as name:
        folder = Path(name)
        program = build_host_program(c_dir, files, folder)
        with (folder / _LOG).open("wb") as log:
            process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert process.stdin is not None and process.stdout is not None
        try:
            yield ProcessLink("run on host", process, process.stdout.fileno(), process.stdin.fileno(), folder / _LOG)
        finally:
            process.kill()
            with suppress(OSError):
                process.communicate()


@contextmanager
def on_emulated_board(c_dir: Path, files: Mapping[str, bytes], target: Target) -> Iterator[Link]:
    """The model on the target's board under QEMU. The line is two named pipes, which semihosting reads and writes."""
    board = require_board(target)
    with tempfile.TemporaryDirectory(prefix="octavo-verify-") as name:
        folder = Path(name)
        sources, flags = _written(folder, files, c_dir.name)
        sources.append(csrc_dir() / "boards/emulator/serial.c")
        firmware = build_firmware(c_dir, target, folder, sources, flags, harness=False)
        ends = []
        process: subprocess.Popen[bytes] | None = None
        try:
            for pipe in ("from_board", "to_board"):
                os.mkfifo(folder / pipe)
                # Open for both, so that neither side waits for the other.
                ends.append(os.open(folder / pipe, os.O_RDWR))
            with (folder / _LOG).open("wb") as log:
                process = subprocess.Popen(
                    emulation(board, firmware), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            yield ProcessLink(f"run on {target.name}", process, ends[0], ends[1], folder / _LOG)
        finally:
            if process is not None:
                process.kill()
                process.wait()
            for end in ends:
                os.close(end)
