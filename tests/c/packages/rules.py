"""The published rules of the manifests, as functions that list what breaks them in a library's folder.

Arduino: the library specification 1.5 rev. 2.2. PlatformIO: the documented fields of library.json and the checks of its
manifest reader. Zephyr: the schema of module.yml and what its module script looks for. ESP-IDF: the fields that its
component manager documents.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
ARDUINO_REQUIRED = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"}
ARDUINO_OPTIONAL = {"architectures", "depends", "dot_a_linkage", "includes", "precompiled", "ldflags"}
ARDUINO_CATEGORIES = {
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
    "Data Processing", "Other",
}  # fmt: skip
IDF_FIELDS = {
    "version", "description", "url", "repository", "documentation", "issues", "discussion", "license", "maintainers",
    "targets", "tags", "files", "examples", "dependencies", "repository_info",
}  # fmt: skip
# arm_acle.h comes with the compilers of the cores for which it is included.
SYSTEM_HEADERS = {"arm_acle.h", "stdint.h", "string.h"}


def properties(path: Path) -> dict[str, str]:
    """key=value lines; a line without = is a ValueError."""
    rows = [line.split("=", 1) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return {key: value for key, value in rows}


def source_faults(folder: Path) -> list[str]:
    """Of the C below src/: includes that do not resolve there, names that collide, a self-test, sketches."""
    root, faults = folder / "src", []
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in files:
        text = path.read_text("utf-8")
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.MULTILINE):
            found = [at for at in (path.parent / name, root / name) if at.is_file()]
            if not found or not found[0].resolve().is_relative_to(root.resolve()):
                faults.append(f"{path.name} includes {name}, which src/ lacks")
        strange = set(re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.MULTILINE)) - SYSTEM_HEADERS
        faults += [f"{path.name} includes <{name}>" for name in sorted(strange)]
    for what, names in (
        ("path", [str(path).casefold() for path in files]),
        ("C file", [path.name.casefold() for path in files if path.suffix == ".c"]),
    ):
        faults += [f"two of {what} {name}" for name in sorted(set(names)) if names.count(name) > 1]
    if any("selftest" in path.name or "glue" in path.name for path in files):
        faults.append("the self-test is in src/")
    if not any(path.suffix == ".c" for path in files):
        faults.append("src/ holds no C")
    faults += [f"{path.name} is a sketch" for path in sorted(folder.rglob("*.ino"))]
    return faults


def arduino_faults(folder: Path) -> list[str]:
    values, faults = properties(folder / "library.properties"), []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", folder.name):
        faults.append("name of the folder")
    faults += [f"field {key} is missing" for key in sorted(ARDUINO_REQUIRED) if not values.get(key)]
    faults += [f"unknown field {key}" for key in sorted(set(values) - ARDUINO_REQUIRED - ARDUINO_OPTIONAL)]
    name = values.get("name", "")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", name) or not re.search("[A-Za-z]", name):
        faults.append("name")
    if name.lower().startswith("arduino"):
        faults.append("name is reserved for official libraries")
    if not SEMVER.fullmatch(values.get("version", "")):
        faults.append("version")
    if values.get("category") not in ARDUINO_CATEGORIES:
        faults.append("category")
    for architecture in values.get("architectures", "*").split(","):
        if not re.fullmatch(r"\*|[A-Za-z0-9_]+", architecture.strip()):
            faults.append("architectures")
    if not re.fullmatch(r"https?://[^\s]+", values.get("url", "")):
        faults.append("url")
    if values.get("sentence", "") in values.get("paragraph", ""):
        faults.append("paragraph repeats sentence")
    includes = values.get("includes", "").split(",")
    faults += [f"includes {header}, which src/ lacks" for header in includes if not (folder / "src" / header).is_file()]
    if includes != [f"{name}.h"]:
        faults.append("the header is not named after the library")
    return faults + source_faults(folder)


def platformio_sources(folder: Path, build: dict[str, Any]) -> set[Path]:
    """The C that srcFilter selects: +<pattern> and -<pattern> in order, relative to srcDir, folders with all inside."""
    root, chosen = folder / build["srcDir"], set[Path]()
    for sign, pattern in re.findall(r"([+-])<([^>]+)>", build["srcFilter"]):
        matches = {file for at in root.glob(pattern) for file in ([at] if at.is_file() else at.rglob("*"))}
        chosen = chosen | matches if sign == "+" else chosen - matches
    return {path.resolve() for path in chosen if path.suffix in (".c", ".cpp", ".S")}


def platformio_faults(folder: Path) -> list[str]:
    values, faults = json.loads((folder / "library.json").read_text("utf-8")), []
    if not re.fullmatch(r"[^:;/,@<>]{1,100}", values["name"]):
        faults.append("name")
    if not SEMVER.fullmatch(values["version"]) or len(values["version"]) > 20:
        faults.append("version")
    if not 0 < len(values["description"]) <= 255:
        faults.append("description")
    faults += [f"keyword {word}" for word in values["keywords"] if not re.fullmatch(r"[a-z\d+. -]{1,50}", word)]
    for key in ("frameworks", "platforms"):
        if not re.fullmatch(r"[a-z\d_-]+|\*", values[key]):
            faults.append(key)
    build = values["build"]
    if not (folder / build["includeDir"] / values["headers"]).is_file():
        faults.append("headers")
    if not (folder / build["srcDir"]).is_dir():
        return [*faults, "srcDir"]
    chosen = platformio_sources(folder, build)
    if chosen != {path.resolve() for path in (folder / "src").rglob("*.c")} or not chosen:
        faults.append("srcFilter does not select the library's C")
    if (folder / "selftest/selftest.c").resolve() in chosen:
        faults.append("srcFilter selects the self-test")
    return faults


def zephyr_faults(folder: Path) -> list[str]:
    values, faults = yaml.safe_load((folder / "zephyr/module.yml").read_text("utf-8")), []
    if set(values) != {"name", "build"} or not isinstance(values["name"], str):
        return ["keys"]
    if set(values["build"]) != {"cmake", "kconfig"}:
        return ["keys of build"]
    if not (folder / values["build"]["cmake"] / "CMakeLists.txt").is_file():
        faults.append("cmake")
    kconfig = folder / values["build"]["kconfig"]
    if not kconfig.is_file():
        return [*faults, "kconfig"]
    symbols = re.findall(r"^config ([A-Z0-9_]+)\n\tbool \"[^\"\n]+\"$", kconfig.read_text("utf-8"), re.MULTILINE)
    asked = re.findall(r"\bCONFIG_(\w+)", (folder / "CMakeLists.txt").read_text("utf-8"))
    if len(symbols) != 1 or symbols != asked:
        faults.append(f"CMake asks for {asked}, Kconfig has {symbols}")
    return faults


def idf_faults(folder: Path) -> list[str]:
    values = yaml.safe_load((folder / "idf_component.yml").read_text("utf-8"))
    faults = [f"unknown field {key}" for key in sorted(set(values) - IDF_FIELDS)]
    if not isinstance(values.get("version"), str) or not SEMVER.fullmatch(values["version"]):
        faults.append("version")
    return faults if values.get("description") else [*faults, "description"]
