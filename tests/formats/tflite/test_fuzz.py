"""Damaged .tflite files give an OctavoError or a model: never a crash, a hang or unbounded memory.

``OCTAVO_FUZZ`` sets the number of mutants (default 300).
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.formats.tflite import load_tflite

DATA = Path(os.environ.get("OCTAVO_DATA", Path(__file__).parents[4] / "shared" / "data")) / "mlperf_tiny"
SMALL = ("dscnn_kws_float.tflite", "dscnn_kws_int8.tflite", "resnet8_cifar10_int8.tflite")
MAX_SECONDS = 10.0
MAX_GROWTH_KB = 2 * 2**20

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the MLPerf Tiny models")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One of: cut off, bits flipped, a run overwritten, a word made extreme."""
    damaged = bytearray(data)
    kind = int(rng.integers(5))
    # Structure lies at both ends and between the weights: half of the damage goes to the first and last 8 kB.
    where = int(rng.choice([rng.integers(len(data)), rng.integers(8192), len(data) - 1 - rng.integers(8192)]))
    if kind == 0:
        return data[: int(rng.integers(len(data)))]
    if kind == 1:
        for _ in range(int(rng.integers(1, 9))):
            damaged[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        damaged[where] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        run = rng.integers(0, 256, int(rng.integers(1, 65)), dtype=np.uint8).tobytes()
        damaged[where : where + len(run)] = run
    else:
        word = int(rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])).to_bytes(4, "little")
        damaged[where // 4 * 4 : where // 4 * 4 + 4] = word
    return bytes(damaged[: len(data)])


def test_mutants(tmp_path: Path) -> None:
    rng = np.random.default_rng(20261123)
    originals = [(DATA / name).read_bytes() for name in SMALL]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest, refused, count = 0.0, 0, int(os.environ.get("OCTAVO_FUZZ", "300"))
    path = tmp_path / "mutant.tflite"
    for index in range(count):
        path.write_bytes(mutate(originals[index % len(originals)], rng))
        start = time.monotonic()
        try:
            load_tflite(path)
        except OctavoError as error:
            refused += 1
            assert error.where.startswith("mutant.tflite") and error.why and error.remedy
        slowest = max(slowest, time.monotonic() - start)
        assert slowest < MAX_SECONDS, f"mutant {index} took {slowest:.1f} s"
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth < MAX_GROWTH_KB
    print(f"{count} mutants, {refused} refused, slowest {slowest:.3f} s, memory grew by {growth // 1024} MiB")
