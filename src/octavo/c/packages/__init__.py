"""The manifests with which build systems take a generated folder as it is: CMake, Arduino, ESP-IDF, Zephyr, PlatformIO.

Each file ``*.in`` beside this one becomes a file of that folder, at the same relative path.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from octavo.c.text import check_prefix

__all__ = ["package_files"]

_NAMED = 4


def package_files(name: str, version: str, emitted: Iterable[str], bundled: Sequence[str] = ()) -> dict[str, bytes]:
    """The manifests by relative path.

    ``name`` is the prefix of the C functions, ``version`` a semantic version. Of ``emitted``, the paths that ``emit``
    wrote, every C file below ``src/`` belongs to the library, those below ``selftest/`` to its self-test. ``bundled``
    names the models of a bundle.
    """
    paths = sorted(path for path in emitted if path.endswith(".c"))
    words = {
        "@NAME@": check_prefix(name),
        "@UPPER@": name.upper(),
        "@VERSION@": version,
        "@SOURCES@": " ".join(path for path in paths if path.startswith("src/")),
        "@SELFTESTS@": " ".join(path for path in paths if path.startswith("selftest/")),
        "@WHAT@": _what(bundled) if bundled else f"The neural network {name} as integer C",
        "@USE@": f"Include {name}.h" if bundled else f"Call {name}_run() of {name}.h",
    }
    root = Path(__file__).parent
    return {
        path.relative_to(root).as_posix().removesuffix(".in"): _filled(path.read_text("utf-8"), words).encode()
        for path in sorted(root.rglob("*.in"))
    }


def _what(bundled: Sequence[str]) -> str:
    """One line, short enough for every manifest."""
    if len(bundled) > _NAMED:
        return f"{len(bundled)} neural networks as integer C in one arena"
    return f"The neural networks {', '.join(map(check_prefix, bundled))} as integer C in one arena"


def _filled(text: str, words: dict[str, str]) -> str:
    for place, word in words.items():
        text = text.replace(place, word)
    return text
