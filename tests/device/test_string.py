"""The memory functions of boards without a C library against Python's bytes: every alignment, length and overlap."""

from __future__ import annotations

import ctypes
import itertools
import subprocess

import pytest

from octavo.c.library import csrc_dir
from octavo.device.toolchain import WARNINGS

SIZE = 40
PLACES = tuple(itertools.product(range(10), range(10), range(20)))
OWN = {name: f"own_{name}" for name in ("memcpy", "memmove", "memset")}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Built for this machine, under names that hide none of its own functions."""
    output = tmp_path_factory.mktemp("string") / "string.so"
    names = [f"-D{name}={own}" for name, own in OWN.items()]
    source = str(csrc_dir() / "boards/riscv32/string.c")
    subprocess.run(["gcc", *WARNINGS, "-O2", "-shared", "-fPIC", *names, source, "-o", str(output)], check=True)
    return ctypes.CDLL(str(output))


def test_memmove_and_memcpy(library: ctypes.CDLL) -> None:
    for to, start, count in PLACES:
        for name in ("own_memmove", "own_memcpy"):
            other = SIZE if name == "own_memcpy" else 0
            memory = ctypes.create_string_buffer(bytes(range(2 * SIZE)), 2 * SIZE)
            wanted = bytearray(memory.raw)
            wanted[other + to : other + to + count] = wanted[start : start + count]
            address = ctypes.addressof(memory)
            pointers = ctypes.c_void_p(address + other + to), ctypes.c_void_p(address + start)
            getattr(library, name)(*pointers, ctypes.c_size_t(count))
            assert memory.raw == bytes(wanted), (name, to, start, count)


def test_memset(library: ctypes.CDLL) -> None:
    for to, value, count in PLACES:
        memory = ctypes.create_string_buffer(bytes(range(SIZE)), SIZE)
        wanted = bytearray(memory.raw)
        wanted[to : to + count] = bytes([value + 0xC0]) * count
        library.own_memset(ctypes.c_void_p(ctypes.addressof(memory) + to), value + 0x1C0, ctypes.c_size_t(count))
        assert memory.raw == bytes(wanted), (to, value, count)
