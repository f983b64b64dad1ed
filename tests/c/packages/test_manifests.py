"""The manifests of a generated folder against the published rules of Arduino, PlatformIO, Zephyr and ESP-IDF."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import octavo
from octavo.c.packages import package_files
from octavo.errors import OctavoError
from tests.c.packages.conftest import NAMES
from tests.c.packages.rules import arduino_faults, idf_faults, platformio_faults, zephyr_faults

RULES = {"arduino": arduino_faults, "platformio": platformio_faults, "zephyr": zephyr_faults, "esp-idf": idf_faults}
MANIFESTS = {
    "CMakeLists.txt", "idf_component.yml", "library.json", "library.properties", "zephyr/Kconfig", "zephyr/module.yml",
}  # fmt: skip


@pytest.mark.parametrize("world", RULES)
def test_manifests_keep_the_rules(libraries: tuple[Path, ...], world: str) -> None:
    for library in libraries:
        assert RULES[world](library) == []


def _edit(file: str, before: str, after: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / file).read_text()
        assert before in text
        (folder / file).write_text(text.replace(before, after))

    return change


def _move(before: str, after: str) -> Callable[[Path], object]:
    return lambda folder: (folder / before).rename(folder / after)


BROKEN = [
    ("arduino", _edit("library.properties", "version=", "version=v")),
    ("arduino", _edit("library.properties", "Data Processing", "Inference")),
    ("arduino", _edit("library.properties", "author=Octavo\n", "")),
    ("arduino", _edit("library.properties", "name=wake", "name=Arduino wake")),
    ("arduino", _edit("library.properties", "includes=wakeword.h", "includes=model.h")),
    ("arduino", _edit("src/wakeword.c", '"octavo/octavo.h"', '"../selftest/glue.h"')),
    ("arduino", _move("src/octavo", "octavo")),
    ("arduino", _move("src/wakeword.h", "wakeword.h")),
    ("arduino", _move("selftest", "src/selftest")),
    ("platformio", _edit("library.json", '"src",\n', '"c",\n')),
    ("platformio", _edit("library.json", "+<*>", "+<*> +<../selftest>")),
    ("platformio", _edit("library.json", "neural network", "Neural Network!")),
    ("platformio", _move("src/wakeword.h", "wakeword.h")),
    ("zephyr", _edit("zephyr/module.yml", "cmake: .", "cmake: zephyr")),
    ("zephyr", _move("zephyr/Kconfig", "Kconfig")),
    ("zephyr", _edit("zephyr/Kconfig", "OCTAVO_WAKEWORD", "OCTAVO_MODEL")),
    ("esp-idf", _edit("idf_component.yml", "description", "summary")),
]


@pytest.mark.parametrize("case", range(len(BROKEN)))
def test_the_rules_notice_a_broken_layout(library: Path, tmp_path: Path, case: int) -> None:
    world, change = BROKEN[case]
    broken = tmp_path / "wakeword"
    shutil.copytree(library, broken)
    change(broken)
    assert RULES[world](broken)


def test_every_source_compiles_alone_as_c_and_every_header_as_cxx(libraries: tuple[Path, ...], tmp_path: Path) -> None:
    """Arduino and PlatformIO compile each file with src/ on the include path and nothing else of the library."""
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    for name, library in zip(NAMES, libraries, strict=True):
        jobs = [("cc", "-std=c99", path) for path in sorted((library / "src").rglob("*.c"))]
        (tmp_path / "sketch.cpp").write_text(f"#include <{name}.h>\nint main() {{ return {name}_selftest(); }}\n")
        jobs.append(("c++", "-std=c++11", tmp_path / "sketch.cpp"))
        for compiler, standard, path in jobs:
            if shutil.which(compiler) is None:
                pytest.skip(f"{compiler} is not installed")
            command = [compiler, standard, *flags, f"-I{library}/src", "-c", str(path), "-o", str(tmp_path / "o")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_manifests_stand_in_the_checksums(library: Path) -> None:
    sums = json.loads((library.parent / "manifest.json").read_text())["sha256"]
    written = {str(path.relative_to(library)) for path in library.rglob("*") if path.is_file()}
    assert MANIFESTS <= written
    for path in written:
        assert sums[f"{library.name}/{path}"] == hashlib.sha256((library / path).read_bytes()).hexdigest()


def test_manifests_are_filled_and_the_same_in_every_run() -> None:
    emitted = ["src/net.c", "src/octavo/dsp/fast.c", "src/net_data.c", "src/net.h", "selftest/selftest.c"]
    files = package_files("net", octavo.__version__, emitted)
    assert set(files) == MANIFESTS
    assert files == package_files("net", octavo.__version__, reversed(emitted))
    for data in files.values():
        assert not re.search(rb"@[A-Z]+@", data)
    assert b"sources src/net.c src/net_data.c src/octavo/dsp/fast.c)" in files["CMakeLists.txt"]


@pytest.mark.parametrize("name", ["a b", "x\ny=1", "../x", "Time", "quantized"])
def test_names_that_could_leave_their_place_are_refused(name: str) -> None:
    with pytest.raises(OctavoError):
        package_files(name, "1.0.0", ["src/a.c"])
