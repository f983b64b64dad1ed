"""C text: identifiers, literals, arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array

__all__ = ["array_literal", "check_prefix", "comment", "identifiers", "literal", "pointer_type"]

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.,:;/ ()\[\]<>=+-]")
# A float16 is its bits: what only moves them has one kernel for float16 and int16.
_POINTERS = {"int8": "int8_t", "int16": "int16_t", "float16": "int16_t", "int32": "int32_t", "int64": "int64_t"}
# Words of C; headers that a model's header must not hide, where file names have no case; folders beside the model's.
_RESERVED = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long main "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "arduino assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype "
    "octavo glue selftest main quantized".split()
)


def check_prefix(prefix: str) -> str:
    """``prefix`` itself when it can name a C module; OctavoError otherwise."""
    lower = prefix.lower()
    if not _IDENTIFIER.fullmatch(prefix) or lower in _RESERVED or lower.startswith("octavo_"):
        raise OctavoError(f"name {prefix!r}", "is not a C identifier that can be used", "Give --name another word.")
    return prefix


def comment(text: str) -> str:
    """``text`` from a stranger's file, safe inside a C comment: nothing that could end it or continue a line."""
    return _UNSAFE.sub("_", text)[:200]


def identifiers(names: Iterable[str], prefix: str) -> dict[str, str]:
    """A distinct C identifier for each name."""
    taken: set[str] = set()
    result: dict[str, str] = {}
    for name in names:
        base = f"{prefix}_" + re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:48]
        candidate, count = base, 1
        while candidate in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate)
        result[name] = candidate
    return result


def pointer_type(dtype: str) -> str:
    """The C element type of a dtype."""
    return _POINTERS[dtype]


def literal(value: object) -> str:
    """An int, a tuple of ints or a float as a C initializer."""
    if isinstance(value, tuple):
        return "{" + ", ".join(literal(item) for item in value) + "}"
    if isinstance(value, float):
        return f"{value!r}f"
    number = int(value)  # type: ignore[call-overload]
    return "(-2147483647 - 1)" if number == -(2**31) else str(number)


def array_literal(array: Array) -> str:
    """All elements, sixteen a line; of float16 the bits."""
    array = array.view(np.int16) if array.dtype == np.float16 else array
    flat = np.ascontiguousarray(array).reshape(-1).tolist()
    words = [literal(v) for v in flat] if array.dtype == np.int32 else list(map(str, flat))
    rows = (", ".join(words[start : start + 16]) for start in range(0, len(words), 16))
    return "{\n    " + ",\n    ".join(rows) + "\n}"
