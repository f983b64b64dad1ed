"""Every kernel's examples on emulated cores, all in one program: byte for byte what the integer operators give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo.c.kernels import KERNELS
from octavo.c.library import library_files
from octavo.c.text import array_literal
from octavo.device.emulator import run_on_board
from octavo.targets import load_target
from tests.c.test_kernels import C_TYPES, example_calls, example_cases
from tests.oracles.device import require_device

SEED = 13
GLUE = """#include <stdint.h>
#define GLUE_INPUT_BYTES 1
#define GLUE_OUTPUT_BYTES SIZE
#define GLUE_LAYER_COUNT 1
void run_all(int8_t *out);
static inline void glue_run(const int8_t *in, int8_t *out)
{
    (void)in;
    run_all(out);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A folder as the harness wants it, whose model runs all examples, and the bytes of their results."""
    cases = example_cases(SEED)
    results = [padded(expected) for _, _, expected in cases]
    size = sum(map(len, results))
    parts, body, offset = ['#include "glue.h"', example_calls(cases)], [], 0
    for index, (_, inputs, _) in enumerate(cases):
        for i, array in enumerate(inputs):
            parts.append(f"static const {C_TYPES[str(array.dtype)]} d{index}_{i}[] = {array_literal(array)};")
        items = ", ".join(f"d{index}_{i}" for i in range(len(inputs)))
        body.append(f"    {{ const void *in[] = {{{items}}}; case_{index}(in, results + {offset} / 8); }}")
        offset += len(results[index])
    parts += [f"static int64_t results[{size} / 8];", "void run_all(int8_t *out)\n{", *body]
    files = {f"src/{path}": data for path, data in library_files(kernel.header for kernel in KERNELS.values()).items()}
    files["src/model.c"] = "\n".join([*parts, "    memcpy(out, results, sizeof results);\n}\n"]).encode()
    files["selftest/glue.h"] = GLUE.replace("SIZE", str(size)).encode()
    folder = tmp_path_factory.mktemp("kernels")
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder, np.frombuffer(b"".join(results), np.int8)


def padded(array: np.ndarray) -> bytes:
    """The array's bytes up to a multiple of eight."""
    return array.tobytes().ljust(-(-array.nbytes // 8) * 8, b"\0")


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_bytes_equal_python(program: tuple[Path, np.ndarray], name: str) -> None:
    require_device(name)
    folder, expected = program
    outputs = run_on_board(folder, load_target(name), np.zeros((1, 1), np.int8)).outputs[0]
    np.testing.assert_array_equal(outputs, expected)
