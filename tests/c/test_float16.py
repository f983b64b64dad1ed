"""csrc/float16.h against numpy: every number, and floats around every place where rounding turns."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from octavo.c.library import csrc_dir
from octavo.device.toolchain import WARNINGS

SOURCE = """#include "float16.h"
void widen(const int16_t *x, int32_t n, float *out);
void narrow(const float *x, int32_t n, int16_t *out);
void widen(const int16_t *x, int32_t n, float *out)
{
    for (int32_t i = 0; i < n; ++i) {
        out[i] = octavo_f16_float(x[i]);
    }
}
void narrow(const float *x, int32_t n, int16_t *out)
{
    for (int32_t i = 0; i < n; ++i) {
        out[i] = octavo_f16_finite(x[i]);
    }
}
"""


@pytest.fixture(params=["bits", "native"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> ctypes.CDLL:
    """By arithmetic on bits, and as this machine converts."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    (tmp_path / "half.c").write_text(SOURCE)
    machine = ["-march=native"] if request.param == "native" else []
    target = tmp_path / "half.so"
    command = [
        "gcc",
        *WARNINGS,
        "-O2",
        *machine,
        "-shared",
        "-fPIC",
        f"-I{csrc_dir()}",
        tmp_path / "half.c",
        "-o",
        target,
    ]
    subprocess.run([str(part) for part in command], check=True)
    return ctypes.CDLL(str(target))


def call(function: object, x: np.ndarray, out: np.ndarray) -> np.ndarray:
    assert callable(function)
    function(ctypes.c_void_p(x.ctypes.data), ctypes.c_int32(len(x)), ctypes.c_void_p(out.ctypes.data))
    return out


def test_every_number(library: ctypes.CDLL) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = np.ascontiguousarray(halves[np.isfinite(halves)])
    wide = call(library.widen, finite, np.empty(len(finite), np.float32))
    np.testing.assert_array_equal(wide.view(np.int32), finite.astype(np.float32).view(np.int32))
    back = call(library.narrow, wide, np.empty(len(finite), np.int16))
    np.testing.assert_array_equal(back, finite.view(np.int16))


def test_every_tie_and_its_neighbours(library: ctypes.CDLL) -> None:
    halves = np.arange(2**15, dtype=np.uint16).view(np.float16)
    positive = halves[np.isfinite(halves)].astype(np.float32)
    ties = (positive[:-1] + positive[1:]) / 2
    around = [ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(1e9)), positive]
    more = np.array([65504, 65519, 65520, 1e9, np.inf, 1e-30, 1e-45, 0], np.float32)
    x = np.concatenate([*around, more])
    x = np.concatenate([x, -x])
    got = call(library.narrow, x, np.empty(len(x), np.int16))
    want = np.clip(x, -65504, 65504).astype(np.float16)
    np.testing.assert_array_equal(got, want.view(np.int16))
    nan = call(library.narrow, np.array([np.nan], np.float32), np.empty(1, np.int16))
    assert nan.view(np.float16)[0] == -65504
