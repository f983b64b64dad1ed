"""A bundle is a library like a model's: the rules of the build systems, CMake, and one self-test for all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from octavo.bundles import Bundle, bundle
from tests.bundles.conftest import Builds
from tests.c.packages.rules import arduino_faults, idf_faults, platformio_faults, zephyr_faults
from tests.cli.networks import octavo

RULES = (arduino_faults, platformio_faults, zephyr_faults, idf_faults)


@pytest.fixture(scope="module")
def made(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folders = [build.folder for build in builds.values()]
    return bundle(folders, tmp_path_factory.mktemp("library") / "out", "senses", [["eye", "ear"]])


def test_manifests_keep_the_rules(made: Bundle) -> None:
    for rule in RULES:
        assert rule(made.c_dir) == []


def test_the_models_own_c_is_as_it_was_compiled(builds: Builds, made: Bundle) -> None:
    """All but where the arena lies; kernels stand there once."""
    for name, build in builds.items():
        for path in sorted((build.c_dir / "src").rglob("*.[ch]")):
            relative = path.relative_to(build.c_dir)
            same = (made.c_dir / relative).read_bytes() == path.read_bytes()
            assert same == (path.name != f"{name}_arena.h"), relative


def test_checksums(made: Bundle) -> None:
    written = {str(p.relative_to(made.folder)): p for p in made.c_dir.rglob("*") if p.is_file()}
    sums = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in written.items()}
    assert json.loads((made.folder / "manifest.json").read_text())["sha256"] == dict(sorted(sums.items()))


@pytest.mark.parametrize("damage", [None, "eye", "hand"])
def test_cmake_builds_it_and_one_selftest_runs_all(made: Bundle, tmp_path: Path, damage: str | None) -> None:
    folder = tmp_path / "senses"
    shutil.copytree(made.c_dir, folder)
    if damage is not None:
        golden = folder / f"selftest/{damage}/selftest.c"
        head, tail = golden.read_text().split("golden_outputs[VECTORS][GLUE_OUTPUT_BYTES] = {\n{\n    ", 1)
        first = re.match(r"-?\d+", tail)
        assert first is not None
        number = str(int(first[0]) ^ 1)
        golden.write_text(
            f"{head}golden_outputs[VECTORS][GLUE_OUTPUT_BYTES] = {{\n{{\n    {number}{tail[first.end() :]}"
        )
    environment = str(Path(sys.executable).parent)
    cmake, ctest = (shutil.which(tool, path=environment) or shutil.which(tool) for tool in ("cmake", "ctest"))
    if cmake is None or ctest is None:
        pytest.skip("cmake is not installed; pip install cmake")
    flags = "-DCMAKE_C_FLAGS=-Wall -Wextra -Wconversion -Werror"
    commands = [[cmake, "-Werror=dev", "-S", str(folder), "-B", str(tmp_path / "build"), flags]]
    for command in [*commands, [cmake, "--build", str(tmp_path / "build")]]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = [ctest, "--test-dir", str(tmp_path / "build"), "--no-tests=error"]
    assert (subprocess.run(tested, capture_output=True, check=False).returncode == 0) == (damage is None)


def test_headers_serve_cxx(made: Bundle, tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler is installed; apt-get install g++")
    (tmp_path / "sketch.cpp").write_text("#include <senses.h>\nint main() { return senses_selftest(); }\n")
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{made.c_dir}/src"]
    done = subprocess.run(["c++", *flags, "-c", str(tmp_path / "sketch.cpp"), "-o", "/dev/null"], check=False)
    assert done.returncode == 0


def test_command_line(builds: Builds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [build.folder for build in builds.values()]
    command = ("bundle", *folders, "-o", tmp_path / "out", "--name", "senses", "--together", "eye,ear")
    document = octavo(capsys, *command, "--json").document
    sizes = {name: build.manifest["arena_bytes"] for name, build in builds.items()}
    assert document["arena_bytes_apart"] == sum(sizes.values()) > document["arena_bytes"] > max(sizes.values())
    assert document["together"] == [["ear", "eye"]] and document["folder"] == str(tmp_path / "out")
    table = octavo(capsys, *command)
    assert table.code == 0 and f"{document['arena_bytes']:,}" in table.out and "shared arena" in table.out
    refused = octavo(capsys, "inspect", tmp_path / "out")
    assert refused.code == 1 and "it is a bundle" in refused.err
