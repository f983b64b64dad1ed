"""CMake builds a generated folder: alone, inside of another project, and as ESP-IDF and Zephyr call it.

The last two are not installed here. Small functions of the same names stand in for theirs: they take the arguments that
the documented ones take, refuse others, and build a library from them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WARNINGS = "-Wall -Wextra -Wconversion -Werror"

# As in requirement expansion, where ESP-IDF reads a component without a project: the macro returns from the file.
IDF_SCRIPT = """
macro(idf_component_register)
  message(STATUS "registered: ${ARGN}")
  return()
endmacro()
include(${LIBRARY}/CMakeLists.txt)
"""
IDF_PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(firmware LANGUAGES C)
function(idf_component_register)
  cmake_parse_arguments(_ "" "" "SRCS;INCLUDE_DIRS;REQUIRES;PRIV_REQUIRES" "${ARGN}")
  if(__UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "idf_component_register does not take ${__UNPARSED_ARGUMENTS}")
  endif()
  foreach(folder ${__INCLUDE_DIRS})
    if(NOT IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
      message(FATAL_ERROR "Include directory '${folder}' is not a directory.")
    endif()
  endforeach()
  add_library(__idf_wakeword STATIC ${__SRCS})
  target_include_directories(__idf_wakeword PUBLIC ${__INCLUDE_DIRS})
endfunction()
add_subdirectory(${LIBRARY} component)
add_executable(firmware main.c)
target_link_libraries(firmware PRIVATE __idf_wakeword)
"""
ZEPHYR_PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(zephyr LANGUAGES C)
add_library(zephyr_interface INTERFACE)
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_link_libraries(${name} PUBLIC zephyr_interface)
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  foreach(folder ${ARGN})
    target_include_directories(zephyr_interface INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
  endforeach()
endfunction()
add_subdirectory(${LIBRARY} module)
add_executable(app main.c)
target_link_libraries(app PRIVATE zephyr_interface)
if(TARGET octavo_wakeword)
  target_link_libraries(app PRIVATE octavo_wakeword)
endif()
"""
MAIN = """
#include "wakeword.h"

int main(void)
{
    wakeword_run(wakeword_input0(), wakeword_output0());
    return 0;
}
"""
# Two models and C++, as firmware has it. The self-tests are linked in as a board would have them.
CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(firmware LANGUAGES C CXX)
add_subdirectory(${FIRST} first)
add_subdirectory(${SECOND} second)
add_executable(firmware main.cpp ${FIRST}/selftest/selftest.c ${SECOND}/selftest/selftest.c)
target_link_libraries(firmware PRIVATE octavo::wakeword octavo::Gesture_2)
"""
CONSUMER_MAIN = """
#include <wakeword.h>
#include <Gesture_2.h>

int main()
{
    return wakeword_selftest() == 0 && Gesture_2_selftest() == 0 ? 0 : 1;
}
"""


def _tool(name: str) -> str:
    """Of the virtual environment, else of the system."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; pip install cmake")
    return found


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False)


def _configured(source: Path, build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    flags = (f"-DCMAKE_C_FLAGS={WARNINGS}", f"-DCMAKE_CXX_FLAGS={WARNINGS}")
    return _run(_tool("cmake"), "-Werror=dev", "-Werror=deprecated", "-S", source, "-B", build, *flags, *options)


def _built(source: Path, build: Path, *options: str) -> Path:
    configured = _configured(source, build, *options)
    assert configured.returncode == 0, configured.stdout + configured.stderr
    made = _run(_tool("cmake"), "--build", build)
    assert made.returncode == 0, made.stdout + made.stderr
    return build


def _project(folder: Path, text: str, main: str = MAIN, file: str = "main.c") -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(text)
    (folder / file).write_text(main)
    return folder


def _symbols(archive: Path) -> str:
    return subprocess.run(["nm", str(archive)], capture_output=True, text=True, check=True).stdout


def test_alone_it_builds_and_the_selftest_passes(library: Path, tmp_path: Path) -> None:
    build = _built(library, tmp_path / "out")
    tested = _run(_tool("ctest"), "--test-dir", build, "--no-tests=error", "--output-on-failure")
    assert tested.returncode == 0 and "out of 1" in tested.stdout, tested.stdout + tested.stderr
    symbols = _symbols(build / "liboctavo_wakeword.a")
    assert "wakeword_run" in symbols and "selftest" not in symbols


def test_a_changed_weight_fails_the_selftest(library: Path, tmp_path: Path) -> None:
    changed = tmp_path / "wakeword"
    shutil.copytree(library, changed)
    data = changed / "src/wakeword_data.c"
    head, tail = data.read_text().split("{\n    ", 1)
    first, rest = tail.split(",", 1)
    data.write_text(f"{head}{{\n    {(int(first) + 100) % 127},{rest}")
    build = _built(changed, tmp_path / "out")
    assert _run(_tool("ctest"), "--test-dir", build, "--no-tests=error").returncode != 0


def test_two_models_in_a_cxx_project(libraries: tuple[Path, ...], tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler is installed; apt-get install g++")
    source = _project(tmp_path / "firmware", CONSUMER, CONSUMER_MAIN, "main.cpp")
    build = _built(source, tmp_path / "out", f"-DFIRST={libraries[0]}", f"-DSECOND={libraries[1]}")
    assert _run(build / "firmware").returncode == 0
    assert not [path for path in build.rglob("octavo_*_selftest*")], "a part of another project builds no self-test"


def test_selftests_on_demand_inside_of_a_project(libraries: tuple[Path, ...], tmp_path: Path) -> None:
    text = CONSUMER.replace("add_subdirectory", "enable_testing()\nadd_subdirectory", 1)
    source = _project(tmp_path / "firmware", text, CONSUMER_MAIN, "main.cpp")
    folders = (f"-DFIRST={libraries[0]}", f"-DSECOND={libraries[1]}", "-DOCTAVO_SELFTEST=ON")
    build = _built(source, tmp_path / "out", *folders)
    tested = _run(_tool("ctest"), "--test-dir", build, "--no-tests=error")
    assert tested.returncode == 0 and "out of 2" in tested.stdout, tested.stdout


def test_esp_idf_registers_sources_and_headers_without_a_project(library: Path, tmp_path: Path) -> None:
    (tmp_path / "expand.cmake").write_text(IDF_SCRIPT)
    done = _run(_tool("cmake"), f"-DLIBRARY={library}", "-P", tmp_path / "expand.cmake")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("registered: ")[1].strip().split(";")
    assert words[0] == "SRCS" and words[-2:] == ["INCLUDE_DIRS", "src"]
    named = {library / word for word in words[1:-2]}
    assert named == set((library / "src").rglob("*.c")) and len(named) >= 2


def test_esp_idf_arguments_build(library: Path, tmp_path: Path) -> None:
    build = _built(_project(tmp_path / "firmware", IDF_PROJECT), tmp_path / "out", f"-DLIBRARY={library}")
    assert _run(build / "firmware").returncode == 0
    (archive,) = build.rglob("*.a")
    assert "selftest" not in _symbols(archive)


def test_zephyr_builds_what_kconfig_switches_on(library: Path, tmp_path: Path) -> None:
    (symbol,) = re.findall(r"^config (\w+)$", (library / "zephyr/Kconfig").read_text(), re.MULTILINE)
    source = _project(tmp_path / "app", ZEPHYR_PROJECT)
    build = _built(source, tmp_path / "out", f"-DLIBRARY={library}", f"-DCONFIG_{symbol}=y")
    assert _run(build / "app").returncode == 0
    (archive,) = build.rglob("*.a")
    assert "selftest" not in _symbols(archive)


def test_zephyr_builds_nothing_that_is_off(library: Path, tmp_path: Path) -> None:
    source = _project(tmp_path / "app", ZEPHYR_PROJECT, "int main(void)\n{\n    return 0;\n}\n")
    build = _built(source, tmp_path / "out", f"-DLIBRARY={library}")
    assert not list(build.rglob("*.a"))


@pytest.mark.parametrize("text", ["", IDF_PROJECT, ZEPHYR_PROJECT], ids=["plain", "esp-idf", "zephyr"])
def test_a_moved_source_is_noticed(library: Path, tmp_path: Path, text: str) -> None:
    """Or the builds above would mean little."""
    broken = tmp_path / "wakeword"
    shutil.copytree(library, broken)
    (broken / "src/wakeword.c").rename(broken / "wakeword.c")
    source = _project(tmp_path / "project", text) if text else broken
    options = (f"-DLIBRARY={broken}", "-DCONFIG_OCTAVO_WAKEWORD=y") if text else ()
    assert _configured(source, tmp_path / "out", *options).returncode != 0
