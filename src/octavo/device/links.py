"""Ways to a device: a program of this machine, an emulated board's pipes, a serial port."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from octavo.errors import OctavoError

__all__ = ["Link", "ProcessLink", "serial_port"]

_CHUNK = 4096


class Link(Protocol):
    """Bytes to and from a device; both raise OctavoError when there is no device any more."""

    def read(self, seconds: float) -> bytes:
        """What has come, waiting so long at most; empty when nothing did."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...


@dataclass(frozen=True)
class ProcessLink:
    """A program that reads what is written to one file descriptor and answers on another; ``log`` has its messages."""

    what: str
    process: subprocess.Popen[bytes]
    source: int
    sink: int
    log: Path

    def read(self, seconds: float) -> bytes:
        """What has come."""
        waited = 0.0
        while waited < seconds:
            # A program that has ended may leave a pipe open that nobody writes to: look after it now and then.
            part = min(seconds - waited, 0.5)
            if select.select([self.source], [], [], part)[0]:
                if data := os.read(self.source, _CHUNK):
                    return data
                raise self._gone()
            if self.process.poll() is not None:
                raise self._gone()
            waited += part
        return b""

    def write(self, data: bytes) -> None:
        """Send all of it."""
        try:
            while data:
                data = data[os.write(self.sink, data) :]
        except OSError as error:
            raise self._gone() from error

    def _gone(self) -> OctavoError:
        said = self.log.read_text(errors="replace").strip().splitlines() if self.log.is_file() else []
        return OctavoError(
            self.what,
            f"the program ended with {self.process.wait()}: {said[-1][:200] if said else 'no message'}",
            "A fault is a kernel's, a stack that is too small, or memory that is not there.",
        )


@dataclass(frozen=True)
class _PortLink:
    """A serial port as pyserial opens it."""

    name: str
    port: Any

    def read(self, seconds: float) -> bytes:
        """What has come."""
        self.port.timeout = seconds
        try:
            first = self.port.read(1)
            return bytes(first + self.port.read(self.port.in_waiting)) if first else b""
        except (OSError, ValueError) as error:  # pyserial's own errors are OSErrors
            raise _lost(self.name, error) from error

    def write(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self.port.write(data)
            self.port.flush()
        except (OSError, ValueError) as error:
            raise _lost(self.name, error) from error


def _lost(name: str, error: Exception) -> OctavoError:
    return OctavoError(f"port {name}", f"was lost: {error}", "Look after the cable and the board.")


@contextmanager
def serial_port(name: str, baud: int) -> Iterator[Link]:
    """The port, 8 bits without parity and flow control. OctavoError without pyserial, or when it cannot be opened."""
    try:
        import serial
    except ImportError as error:
        raise OctavoError(f"port {name}", "needs pyserial", "pip install 'octavo[serial]'") from error
    try:
        port = serial.Serial(name, baud, write_timeout=10.0, exclusive=True)
    except (OSError, ValueError) as error:
        raise OctavoError(f"port {name}", f"cannot be opened: {error}", "Name the board's port.") from error
    try:
        port.reset_input_buffer()
        yield _PortLink(name, port)
    finally:
        port.close()
