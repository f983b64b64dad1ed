"""The manifests with which build systems take a generated folder as it is: CMake, Arduino, ESP-IDF, Zephyr, PlatformIO.

Each file ``*.in`` beside this one becomes a file of that folder, at the same relative path.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from octavo.c.text import check_prefix

__all__ = ["package_files"]


def package_files(name: str, version: str, emitted: Iterable[str]) -> dict[str, bytes]:
    """The manifests by relative path.

    ``name`` is the prefix of the C functions, ``version`` a semantic version. Of ``emitted``, the paths that ``emit``
    wrote, every C file below ``src/`` belongs to the library.
    """
    sources = sorted(path for path in emitted if path.startswith("src/") and path.endswith(".c"))
    words = {
        "@NAME@": check_prefix(name),
        "@UPPER@": name.upper(),
        "@VERSION@": version,
        "@SOURCES@": " ".join(sources),
    }
    root = Path(__file__).parent
    return {
        path.relative_to(root).as_posix().removesuffix(".in"): _filled(path.read_text("utf-8"), words).encode()
        for path in sorted(root.rglob("*.in"))
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for place, word in words.items():
        text = text.replace(place, word)
    return text
