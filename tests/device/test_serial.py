"""The serial protocol: frames, a line that is noisy, hostile hosts and devices, a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.build import Build
from octavo.c.serial import constants
from octavo.device import monitor as monitor_module
from octavo.device.frames import framed, unframed
from octavo.device.links import Link, ProcessLink, serial_port
from octavo.device.monitor import ARENA, Monitor
from octavo.device.probe import build_host_program
from octavo.errors import OctavoError
from octavo.program import program_of
from octavo.verify import verify_build, write_firmware

SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@settings(max_examples=50)
@given(st.binary(max_size=700) | st.lists(st.integers(1, 255), min_size=240, max_size=520).map(bytes))
def test_a_frame_gives_its_packet_back(packet: bytes) -> None:
    frame = framed(packet)
    assert frame[:1] == frame[-1:] == b"\0" and 0 not in frame[1:-1]
    assert unframed(frame[1:-1]) == packet


@settings(max_examples=50)
@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    unframed(data)


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_changed_frame_is_none(packet: bytes, data: st.DataObject) -> None:
    frame = bytearray(framed(packet)[1:-1])
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    assert unframed(bytes(frame)) is None


@pytest.fixture(scope="module")
def program(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network's program for the host, with sanitizers."""
    folder = tmp_path_factory.mktemp("serial")
    write_firmware(build, folder / "firmware")
    files = {path.name: path.read_bytes() for path in (folder / "firmware").glob("model_serial.*")}
    return build_host_program(build.c_dir, files, folder, SANITIZED)


@contextmanager
def started(program: Path) -> Iterator[ProcessLink]:
    log = program.parent / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield ProcessLink("program", process, process.stdout.fileno(), process.stdin.fileno(), log)
        process.stdin.close()
        assert process.wait(20) == 0, log.read_text()[:2000]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_device_says_of_itself(build: Build, program: Path) -> None:
    with started(program) as link:
        greeting = Monitor(link).greeting
        assert greeting.arena_bytes == build.manifest["arena_bytes"]
        assert greeting.layers == len(build.manifest["layers"]) == greeting.at
        held = constants(program_of(build).code, "model", program_of(build).streaming)
        assert greeting.constants == len(held)
        assert (greeting.order, greeting.most, greeting.run) == (sys.byteorder, 256, 0)
        again = Monitor(link)
        for index, constant in enumerate(held):
            assert again.read(ARENA + 1 + index, 0, len(constant.data)) == constant.data
            assert again.equals(ARENA + 1 + index, 0, constant.data)
            assert not again.equals(ARENA + 1 + index, 0, constant.data[:-1] + bytes([constant.data[-1] ^ 1]))
        assert again.stack() == (0, 0)


def refused(monitor: Monitor, why: str, act: Callable[[], object]) -> None:
    with pytest.raises(OctavoError, match=why):
        act()


def test_bounds_and_order(build: Build, program: Path) -> None:
    size, layers = build.manifest["arena_bytes"], len(build.manifest["layers"])
    with started(program) as link:
        monitor = Monitor(link)
        monitor.start({0: b"\1\2\3"})
        assert monitor.read(ARENA, 0, 3) == b"\1\2\3" and len(monitor.read(ARENA, 0, size)) == size
        for offset, count in ((size, 1), (size - 1, 2), (2**32 - 1, 1), (1, 0xFFFF)):
            refused(monitor, "no such bytes", lambda o=offset, c=count: monitor.read(ARENA, o, c))
        refused(monitor, "no such bytes", lambda: monitor.read(monitor.greeting.constants + 1, 0, 1))
        refused(monitor, "no such bytes", lambda: monitor.run_to(layers + 1))
        monitor.run_to(3)
        monitor.run_to(3)
        refused(monitor, "past that point", lambda: monitor.run_to(2))
        # In the middle of a run nobody writes; another host ends it first.
        other = Monitor(link)
        other.start({0: b"\4"})
        assert other.read(ARENA, 0, 1) == b"\4" and other.greeting.at == 3
        refused(other, "no such bytes", lambda: Monitor(link).start({size: b"\0"}))


def test_hostile_frames_write_nothing(build: Build, program: Path) -> None:
    """Random bytes, and well-formed packets with random contents: the sanitizers see any byte out of place."""
    rng = np.random.default_rng(7)
    size = build.manifest["arena_bytes"]
    with started(program) as link:
        for _ in range(400):
            kind = int(rng.integers(4))
            if kind == 0:
                data = rng.bytes(int(rng.integers(1, 900)))
            elif kind == 1:
                data = framed(rng.bytes(int(rng.integers(0, 600))))
            elif kind == 2:
                edge = [0, 1, size - 1, size, size + 1, 2**31, 2**32 - 1][int(rng.integers(7))]
                body = bytes([int(rng.integers(256))]) + edge.to_bytes(4, "little") + rng.bytes(int(rng.integers(300)))
                data = framed(bytes([9, 2]) + body)
            else:
                words = b"".join(int(v).to_bytes(2, "little") for v in rng.choice([0, 1, 5, 255, 65535], 5))
                data = framed(bytes([9, int(rng.integers(1, 8))]) + words[: int(rng.integers(3, 11))])
            link.write(data)
            while link.read(0.0005):
                pass
        link.write(b"\0")
        assert Monitor(link).greeting.arena_bytes == size


class Noisy:
    """A line that changes, cuts, doubles and loses what it carries, in both directions."""

    def __init__(self, link: Link, share: float) -> None:
        self._link, self._share, self._rng = link, share, np.random.default_rng(3)

    def _carried(self, data: bytes) -> bytes:
        if not data or self._rng.random() > self._share:
            return data
        changed = bytearray(data)
        kind = int(self._rng.integers(4))
        if kind == 0:
            changed[int(self._rng.integers(len(data)))] ^= int(self._rng.integers(1, 256))
        elif kind == 1:
            del changed[int(self._rng.integers(len(data))) :]
        elif kind == 2:
            changed *= 2
        else:
            changed += self._rng.bytes(5)
        return bytes(changed)

    def read(self, seconds: float) -> bytes:
        return self._carried(self._link.read(seconds))

    def write(self, data: bytes) -> None:
        self._link.write(self._carried(data))


def test_a_noisy_line_slows_and_changes_nothing(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "_QUESTION_SECONDS", 0.1)
    with started(program) as link:
        monitor = Monitor(Noisy(link, 0.2), seconds=0.1)
        data = bytes(range(200))
        for run in range(6):
            monitor.start({256: data})
            assert monitor.read(ARENA, 256, 200) == data
            monitor.run_to(run % 8)
            assert monitor.greeting.layers == 7
        assert monitor.repeated > 3


def test_a_line_that_is_dead_is_one_error(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "_QUESTION_SECONDS", 0.02)

    class Dead:
        def read(self, seconds: float) -> bytes:
            return b"\0garbage\0" * 3

        def write(self, data: bytes) -> None:
            pass

    with pytest.raises(OctavoError, match="no whole answer in 5 tries"):
        _ = Monitor(Dead()).greeting


def test_answers_of_wrong_size_are_refused() -> None:
    """A device that speaks well and says nonsense."""

    class Liar:
        def __init__(self, body: bytes) -> None:
            self._body, self._said = body, b""

        def read(self, seconds: float) -> bytes:
            return self._said

        def write(self, data: bytes) -> None:
            packet = unframed(data.strip(b"\0"))
            assert packet is not None
            self._said = framed(bytes([packet[0], packet[1] | 0x80]) + self._body)

    for body, why in (
        (b"\0\2", "version none|speaks version"),
        (b"\0" + bytes([2]) + bytes(33), "speaks version 2"),
        (b"\0" + bytes([1]) + bytes(33), "takes 0 bytes"),
        (b"\7", "status 7"),
        (b"\1", "does not know"),
    ):
        with pytest.raises(OctavoError, match=why):
            _ = Monitor(Liar(body)).greeting
    with pytest.raises(OctavoError, match="answers 3 bytes, not 8"):
        Monitor(Liar(b"\0abc")).stack()


@pytest.fixture
def terminal(program: Path) -> Iterator[str]:
    """The program behind a pseudo-terminal, as a board behind a serial port."""
    pytest.importorskip("serial")
    import tty

    board, port = os.openpty()
    tty.setraw(port)
    process = subprocess.Popen([str(program)], stdin=board, stdout=board, stderr=subprocess.DEVNULL)
    try:
        yield os.ttyname(port)
    finally:
        process.kill()
        process.wait()
        os.close(board)
        os.close(port)


def test_a_board_behind_a_serial_port(build: Build, terminal: str) -> None:
    inputs = {"image": np.random.default_rng(2).integers(-128, 128, (2, 9, 8, 3)).astype(np.int8)}
    for _ in range(2):
        result = verify_build(build, inputs, port=terminal)
        assert result.ok and result.on == terminal and result.compared == 18


def test_a_board_with_another_model_is_one_error(build: Build, terminal: str, tmp_path: Path) -> None:
    from octavo.package import export

    other = export(build.quantized, tmp_path / "other", target="cortex-m0")
    inputs = {"image": np.zeros((1, 9, 8, 3), np.int8)}
    with pytest.raises(OctavoError, match="runs another model.*digest"):
        verify_build(other, inputs, port=terminal)


def test_a_port_that_is_none() -> None:
    pytest.importorskip("serial")
    with pytest.raises(OctavoError, match="cannot be opened"), serial_port("/dev/none", 115200):
        pass


def test_a_program_that_ends_is_one_error(tmp_path: Path) -> None:
    program = tmp_path / "model"
    program.write_text("#!/bin/sh\necho 'out of luck' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(OctavoError, match="ended with 3: out of luck"), started(program) as link:
        _ = Monitor(link).greeting
