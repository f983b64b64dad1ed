"""The host's side of the serial protocol (docs/verify.md): every question is asked until its answer comes whole."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from octavo.c.serial import DIGEST_BYTES
from octavo.device.frames import framed, unframed
from octavo.device.links import Link
from octavo.errors import OctavoError

__all__ = ["ARENA", "Greeting", "Monitor"]

ARENA = 0
"""The space of the arena; constant i is space i + 1."""

_HELLO, _WRITE, _RUN, _READ, _CRC, _STACK = range(1, 7)
_REPLY = 0x80
_VERSION = 1
_STATUS = {
    1: "does not know the command",
    2: "got a message of the wrong length",
    3: "has no such bytes",
    4: "is past that point",
}
_LEAST_DATA, _MOST_DATA = 64, 4096
_MOST_FRAME = 2 * _MOST_DATA
_TRIES = 5
_QUESTION_SECONDS = 2.0
_ORDER = 0x01020304
_GREETING = f"<H{DIGEST_BYTES}sIHHBH"  # behind the version and _ORDER


@dataclass(frozen=True)
class Greeting:
    """What a device says of itself: byte order (little or big), the most data of a message, the model's digest, bytes
    of the arena, layers, constants, and where it stands: the run's number and how many layers have run."""

    order: str
    most: int
    digest: bytes
    arena_bytes: int
    layers: int
    constants: int
    run: int
    at: int


@dataclass
class Monitor:
    """A device that runs a model step by step.

    ``seconds`` is how long one layer may take. ``repeated`` counts the questions that had to be asked again.

    Example::

        monitor = Monitor(link)
        monitor.start({offset: data})        # inputs into the arena
        monitor.run_to(3)                    # three layers have run
        output = monitor.read(ARENA, offset, count)
    """

    link: Link
    seconds: float = 60.0
    repeated: int = 0
    _number: int = 0
    _run: int = 0
    _left: bytes = b""
    _greeting: Greeting | None = field(default=None, repr=False)

    @property
    def greeting(self) -> Greeting:
        """Asked once. OctavoError when the device does not answer, or speaks another version."""
        if self._greeting is None:
            data = self._ask(_HELLO, b"")
            if len(data) != 5 + struct.calcsize(_GREETING) or data[0] != _VERSION:
                spoken = data[0] if data else "none"
                raise OctavoError(
                    "device", f"speaks version {spoken} of the protocol, not {_VERSION}", "Build its firmware again."
                )
            order = {_ORDER.to_bytes(4, "little"): "little", _ORDER.to_bytes(4, "big"): "big"}.get(data[1:5], "mixed")
            most, digest, *rest = struct.unpack(_GREETING, data[5:])
            if not _LEAST_DATA <= most <= _MOST_DATA:
                raise OctavoError("device", f"takes {most} bytes in a message", "Build its firmware again.")
            self._greeting = Greeting(order, most, digest, *rest)
            self._run = self._greeting.run
        return self._greeting

    def start(self, inputs: dict[int, bytes], progress: Callable[[int], None] = lambda _: None) -> None:
        """Begin a run: write the inputs at their offsets and stop before the first layer."""
        greeting = self.greeting
        self.run_to(greeting.layers, self._run)  # what another host may have left half done
        following = (self._run + 1) % 256
        size = greeting.most
        for offset, data in inputs.items():
            for start in range(0, len(data), size):
                part = data[start : start + size]
                self._ask(_WRITE, struct.pack("<BI", following, offset + start) + part, 0)
                progress(len(part))
        self._run = following
        self.run_to(0)

    def run_to(self, layer: int, run: int | None = None) -> int:
        """Go on until so many layers have run; the ticks of the last one by the device's counter."""
        question = struct.pack("<BH", self._run if run is None else run, layer)
        at, ticks = struct.unpack("<HI", self._ask(_RUN, question, 6, self.seconds))
        if at < layer:
            raise OctavoError("device", f"stopped after {at} layers, not {layer}", "Build its firmware again.")
        return int(ticks)

    def read(self, space: int, offset: int, count: int) -> bytes:
        """Bytes of the arena or of a constant."""
        size = self.greeting.most
        parts = []
        for start in range(0, count, size):
            part = min(size, count - start)
            parts.append(self._ask(_READ, struct.pack("<HIH", space, offset + start, part), part))
        return b"".join(parts)

    def equals(self, space: int, offset: int, data: bytes) -> bool:
        """Whether a range holds these bytes, by its CRC-32: only that crosses the line."""
        (crc,) = struct.unpack("<I", self._ask(_CRC, struct.pack("<HII", space, offset, len(data)), 4))
        return bool(crc == zlib.crc32(data))

    def stack(self) -> tuple[int, int]:
        """Bytes of the stack that were ever used, and that there are; both 0 where the firmware does not know."""
        used, size = struct.unpack("<II", self._ask(_STACK, b"", 8))
        return used, size

    def _ask(self, command: int, data: bytes, length: int | None = None, seconds: float = _QUESTION_SECONDS) -> bytes:
        """The answer's data, of so many bytes."""
        self._number = (self._number + 1) % 256
        question = framed(bytes([self._number, command]) + data)
        for attempt in range(_TRIES):
            self.repeated += attempt > 0
            self.link.write(question)
            packet = self._answer(command, seconds)
            if packet is None:
                continue
            if packet[2]:
                why = _STATUS.get(packet[2], f"answers with status {packet[2]}")
                raise OctavoError("device", f"{why} (command {command})", "Build its firmware from this folder.")
            answer = packet[3:]
            if length is not None and len(answer) != length:
                raise OctavoError("device", f"answers {len(answer)} bytes, not {length}", "Build its firmware again.")
            return answer
        raise OctavoError(
            "device",
            f"gave no whole answer in {_TRIES} tries of {seconds:.0f} s",
            "Look after cable, port and baud rate; a slow device needs more --seconds.",
        )

    def _answer(self, command: int, seconds: float) -> bytes | None:
        """The packet with the question's number; None when none comes in time, or one that the line has changed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            frame, zero, rest = self._left.partition(b"\0")
            if not zero:
                self._left = self._left[-_MOST_FRAME:] + self.link.read(left)
                continue
            self._left = rest
            if not frame:
                continue
            packet = unframed(frame)
            if packet is None:
                return None
            if len(packet) >= 3 and packet[0] == self._number and packet[1] == command | _REPLY:
                return packet
        return None
