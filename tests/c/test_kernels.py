"""The C kernels: parameter structs, warnings, and every byte against the Python integer operators."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from octavo.c.kernels import KERNELS
from octavo.c.library import csrc_dir
from octavo.c.text import array_literal, literal
from octavo.ir.graph import TensorType
from octavo.memory import Distance
from octavo.ops.base import Example
from octavo.ops.half import HALF_OPERATORS
from octavo.ops.half.rounding import random_halves
from octavo.ops.integer import INTEGER_OPERATORS
from tests.oracles.c_struct import struct_fields

OPERATORS = [op for op in (*INTEGER_OPERATORS, *HALF_OPERATORS) if not op.alias]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
C_TYPES = {"int8": "int8_t", "int16": "int16_t", "float16": "int16_t", "int32": "int32_t", "int64": "int64_t"}
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}
Case = tuple[Example, list[np.ndarray], np.ndarray]

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def _random(rng: np.random.Generator, type_: TensorType) -> np.ndarray:
    if type_.dtype == "float16":
        return random_halves(rng, type_.shape)
    return rng.integers(*LIMITS[type_.dtype], type_.shape, endpoint=True).astype(type_.dtype)


def example_cases(seed: int) -> list[Case]:
    """All examples of all operators with inputs and the Python result."""
    rng = np.random.default_rng(seed)
    cases = []
    for operator in OPERATORS:
        for example in operator.examples(rng):
            inputs = [
                np.ascontiguousarray(example.consts[i]) if i in example.consts else _random(rng, type_)
                for i, type_ in enumerate(example.inputs)
            ]
            out = example.op.eval_int(*(torch.from_numpy(array.copy()) for array in inputs))
            cases.append((example, inputs, np.ascontiguousarray(out.numpy())))
    return cases


def _call(index: int, case: Case) -> str:
    """A C function ``case_<index>(in, out)`` that runs the kernel."""
    example, inputs, expected = case
    op = example.op
    parameters = ", ".join(f".{f.name} = {literal(getattr(op, f.name))}" for f in fields(op))
    values = [f"(const {C_TYPES[str(a.dtype)]} *)in[{i}]" for i, a in enumerate(inputs)]
    table = ""
    if op.variadic:
        table = f"    const {C_TYPES[op.dtype]} *const inputs[] = {{{', '.join(values[:-1])}}};\n"
        values = ["inputs", values[-1]]
    return (
        f"void case_{index}(const void *const *in, void *out);\n"
        f"void case_{index}(const void *const *in, void *out)\n{{\n"
        f"    static const octavo_{op.kernel}_params p = {{{parameters}}};\n{table}"
        f"    {KERNELS[op.kernel].function}(&p, {', '.join(values)}, ({C_TYPES[str(expected.dtype)]} *)out);\n}}\n"
    )


def example_calls(cases: list[Case]) -> str:
    includes = [f'#include "{kernel.header}"' for kernel in KERNELS.values()]
    return "\n".join([*includes, *(_call(i, case) for i, case in enumerate(cases))])


def _compile(arguments: list[str | Path]) -> None:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def test_every_operator_has_a_kernel() -> None:
    portable = {name for name, kernel in KERNELS.items() if kernel.variant == "portable"}
    assert {op.kernel for op in OPERATORS} == portable


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.kernel)
def test_struct_equals_dataclass(operator: type) -> None:
    op = operator.examples(np.random.default_rng(0))[0].op
    values = [(f.name, getattr(op, f.name)) for f in fields(op)]
    assert struct_fields(op.kernel) == [(name, len(v) if isinstance(v, tuple) else 0) for name, v in values]


@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
def test_headers_compile_alone(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    for name, kernel in KERNELS.items():
        unit = tmp_path / f"{name}.c"
        call = f"void *use(void);\nvoid *use(void)\n{{\n    return (void *)(uintptr_t)&{kernel.function};\n}}\n"
        unit.write_text(f'#include "{kernel.header}"\n{call}')
    _compile([compiler, *STRICT, "-O1", "-fsyntax-only", "-I", csrc_dir(), *sorted(tmp_path.glob("*.c"))])


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return example_cases(7)


@pytest.fixture(scope="module")
def library(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "cases.c").write_text(example_calls(cases))
    target = folder / "cases.so"
    _compile(["gcc", *STRICT, "-O3", "-shared", "-fPIC", "-I", csrc_dir(), folder / "cases.c", "-o", target])
    return ctypes.CDLL(str(target))


def _run(library: ctypes.CDLL, index: int, inputs: list[np.ndarray], out: np.ndarray) -> None:
    pointers = (ctypes.c_void_p * len(inputs))(*(a.ctypes.data for a in inputs))
    library[f"case_{index}"](pointers, ctypes.c_void_p(out.ctypes.data))


def test_bytes_equal_python(library: ctypes.CDLL, cases: list[Case]) -> None:
    for index, (example, inputs, expected) in enumerate(cases):
        out = np.full(expected.shape, 85, expected.dtype)
        _run(library, index, inputs, out)
        np.testing.assert_array_equal(out, expected, err_msg=str(example.op))


def _distances(example: Example) -> Iterator[tuple[int, Distance, int]]:
    """(input, its distance, bytes of an element to which shifts are rounded) of each rule of an operator."""
    consts = [example.consts[i] for i in sorted(example.consts)]
    item = max(np.dtype(dtype).itemsize for dtype in (example.op.dtype, getattr(example.op, "out_dtype", "int8")))
    for index, distance in example.op.overlaps(*consts).items():
        yield index, distance, item


def _shifted(library: ctypes.CDLL, index: int, case: Case, position: int, shift: int) -> bool:
    """Whether the output is right when it starts so many bytes after one input."""
    _, inputs, expected = case
    memory = np.full(inputs[position].nbytes + 2 * expected.nbytes + 2 * abs(shift) + 16, 85, np.uint8)
    start = expected.nbytes + abs(shift) + 15 & ~7
    source = memory[start : start + inputs[position].nbytes]
    source[:] = inputs[position].reshape(-1).view(np.uint8)
    out = memory[start + shift : start + shift + expected.nbytes]
    _run(library, index, [source if i == position else a for i, a in enumerate(inputs)], out)
    return np.array_equal(out, expected.reshape(-1).view(np.uint8))


DISJOINT = {"pad_s8", "pad_s16"}
"""Kernels that write all of the output first."""


def test_the_output_as_near_as_each_operator_allows(library: ctypes.CDLL, cases: list[Case]) -> None:
    tried = set()
    for index, case in enumerate(cases):
        example = case[0]
        for position, distance, item in _distances(example):
            for shift in (-distance.below // item * item, -(-distance.above // item) * item):
                assert _shifted(library, index, case, position, shift), (example.op, position, distance, shift)
            tried.add(example.op.kernel)
    assert tried == {op.kernel for op in OPERATORS} - DISJOINT


def test_one_element_nearer_is_wrong(library: ctypes.CDLL, cases: list[Case]) -> None:
    """The distances are the smallest: for each operator some random case shows it, below the input and above it."""
    below, above = set(), set()
    for index, case in enumerate(cases):
        for position, distance, item in _distances(case[0]):
            if not _shifted(library, index, case, position, -distance.below // item * item + item):
                below.add(case[0].op.kernel)
            if not _shifted(library, index, case, position, (distance.above - 1) // item * item):
                above.add(case[0].op.kernel)
    expected = {op.kernel for op in OPERATORS} - DISJOINT
    # A copy that overlaps itself is wrong in C, but may come out right; and of an int16 only the low byte is hit.
    copies = {"resize_nearest_s8", "resize_nearest_s16", "place_s8", "place_s16"}
    assert below >= expected - copies - {"requantize_s16_s8"}
    assert above == expected


def _executable(cases: list[Case]) -> str:
    """A program that compares every case, with buffers of the exact size on the heap."""
    parts = ["#include <stdlib.h>", example_calls(cases)]
    body = []
    for index, (_, inputs, expected) in enumerate(cases):
        arrays = [*inputs, expected]
        for i, array in enumerate(arrays):
            parts.append(f"static const {C_TYPES[str(array.dtype)]} d{index}_{i}[] = {array_literal(array)};")
        items = ", ".join(f"copy(d{index}_{i}, sizeof d{index}_{i})" for i in range(len(inputs)))
        body += [
            f"    {{ void *in[] = {{{items}}}; void *out = malloc({expected.nbytes});",
            f"      case_{index}((const void *const *)in, out);",
            f"      if (memcmp(out, d{index}_{len(inputs)}, {expected.nbytes}) != 0) return {index % 250 + 1};",
            f"      free(out); for (int i = 0; i < {len(inputs)}; ++i) free(in[i]); }}",
        ]
    parts.append("static void *copy(const void *data, size_t n) { return memcpy(malloc(n), data, n); }")
    return "\n".join([*parts, "int main(void)\n{", *body, "    return 0;\n}\n"])


def test_sanitizers(tmp_path: Path) -> None:
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(_executable(example_cases(11)))
    flags = ["-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    _compile(["gcc", *flags, "-I", csrc_dir(), source, "-o", program])
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, f"case {done.returncode}: {done.stderr[-3000:]}"


def test_fixed_point_edges(tmp_path: Path) -> None:
    from octavo.num.fixed_point import rdbp, srdhm

    edges = [-(2**31), -(2**31) + 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30 - 1, 2**30, 2**31 - 1]
    values = np.unique(np.concatenate([edges, np.random.default_rng(3).integers(-(2**31), 2**31, 60)])).astype(np.int32)
    source = tmp_path / "edges.c"
    source.write_text(
        '#include "octavo.h"\nvoid edges(const int32_t *v, int32_t n, int32_t *a, int32_t *b);\n'
        "void edges(const int32_t *v, int32_t n, int32_t *a, int32_t *b)\n{\n    for (int32_t i = 0; i < n; ++i) {\n"
        "        for (int32_t j = 0; j < n; ++j) { *a++ = octavo_srdhm(v[i], v[j]); }\n"
        "        for (int32_t j = 0; j < 32; ++j) { *b++ = octavo_rdbp(v[i], j); }\n    }\n}\n"
    )
    _compile(["gcc", *STRICT, "-O2", "-shared", "-fPIC", "-I", csrc_dir(), source, "-o", tmp_path / "edges.so"])
    n = len(values)
    products, quotients = np.zeros((n, n), np.int32), np.zeros((n, 32), np.int32)
    run = ctypes.CDLL(str(tmp_path / "edges.so")).edges
    run(*(ctypes.c_void_p(a.ctypes.data) if a is not None else n for a in (values, None, products, quotients)))
    wide = torch.from_numpy(values.astype(np.int64))
    np.testing.assert_array_equal(products, srdhm(wide[:, None], wide[None, :]).numpy())
    np.testing.assert_array_equal(quotients, rdbp(wide[:, None], torch.arange(32)[None, :]).numpy())
