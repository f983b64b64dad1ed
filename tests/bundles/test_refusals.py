"""What cannot be bundled: one clear error, nothing written; and what the C compiler refuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octavo.bundles import bundle
from octavo.errors import OctavoError
from octavo.package import export, write_quantization
from octavo.targets import target_text
from tests.bundles.conftest import TARGET, Builds


@pytest.fixture
def copies(folders: list[Path], tmp_path: Path) -> list[Path]:
    """Folders that a test may damage."""
    made = [tmp_path / folder.name for folder in folders]
    for folder, copy in zip(folders, made, strict=True):
        shutil.copytree(folder, copy)
    return made


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rewrite(folder: Path, path: str, data: bytes) -> None:
    """Another file under a checksum that fits."""
    (folder / path).write_bytes(data)
    edit(folder, lambda m: m["sha256"].update({path: hashlib.sha256(data).hexdigest()}))


def _append(folder: Path, path: str) -> None:
    with (folder / path).open("ab") as file:
        file.write(b"\n")


def _pipe(folder: Path) -> None:
    (folder / "eye/src/eye.c").unlink()
    os.mkfifo(folder / "eye/src/eye.c")


def _other_target(folder: Path) -> None:
    rewrite(folder, "target.toml", target_text("cortex-m4").encode())


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (lambda f: _append(f, "eye/src/eye_data.c"), "checksum differs"),
    "altered self-test": (lambda f: _append(f, "eye/selftest/glue.h"), "checksum differs"),
    "altered target": (lambda f: _append(f, "target.toml"), "checksum differs"),
    "missing": (lambda f: (f / "eye/src/eye.h").unlink(), "cannot be read"),
    "pipe": (_pipe, "no plain file"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "octavo compile wrote"),
    "deep manifest": (lambda f: (f / "manifest.json").write_text("[" * 10**6), "octavo compile wrote"),
    "another's manifest": (lambda f: edit(f, lambda m: m.update(generator="x")), "octavo compile wrote"),
    "other version": (lambda f: edit(f, lambda m: m.update(octavo="9.9.9")), "written by Octavo 9.9.9"),
    "old version": (lambda f: edit(f, lambda m: m.pop("octavo")), "an older version"),
    "name": (lambda f: edit(f, lambda m: m.update(name="../ear")), "damaged"),
    "arena": (lambda f: edit(f, lambda m: m.update(arena_bytes=-8)), "damaged"),
    "alignment": (lambda f: edit(f, lambda m: m.update(arena_alignment=3)), "damaged"),
    "dtype": (lambda f: edit(f, lambda m: m["inputs"][0].update(dtype="float64")), "damaged"),
    "sums": (lambda f: edit(f, lambda m: m.update(sha256={})), "does not list"),
    "way out": (lambda f: edit(f, lambda m: m["sha256"].update({"eye/../../x.h": "0"})), "never writes"),
    "kernel": (lambda f: rewrite(f, "eye/src/octavo/octavo.h", b"/* other */\n"), "differs from that of eye"),
    "target": (_other_target, "compiled for"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_folders_are_refused(copies: list[Path], tmp_path: Path, damage: str) -> None:
    change, why = DAMAGES[damage]
    change(copies[0])
    with pytest.raises(OctavoError, match=why):
        bundle(copies, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"together": [["eye", "nose"]]}, "nose, which is not in the bundle"),
        ({"together": [["eye"]]}, "two or more"),
        ({"together": [["eye", "eye"]]}, "two or more"),
        ({"name": "two words"}, "C identifier"),
        ({"name": "ear"}, "a model has"),
        ({"name": "Ear_Data"}, "a model has"),
    ],
)
def test_refused_options(folders: list[Path], tmp_path: Path, options: dict[str, Any], why: str) -> None:
    with pytest.raises(OctavoError, match=why):
        bundle(folders, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_refused_folders(folders: list[Path], copies: list[Path], builds: Builds, tmp_path: Path) -> None:
    made = bundle(folders, tmp_path / "made").folder
    write_quantization(builds["eye"].quantized, tmp_path / "quantized")
    for given, why in (
        (folders[:1], "1 folders"),
        ([folders[0], folders[0]], "same names"),
        ([folders[0], made], "is a bundle already"),
        ([folders[0], tmp_path / "quantized"], "without C"),
        ([folders[0], tmp_path / "nowhere"], "octavo compile wrote"),
    ):
        with pytest.raises(OctavoError, match=why):
            bundle(given, tmp_path / "out")
    for output in (copies[1], tmp_path):
        with pytest.raises(OctavoError, match="which is read"):
            bundle(copies, output)
    assert (copies[1] / "ear/src/ear.c").is_file() and not (tmp_path / "out").exists()


def test_memory_that_sharing_does_not_save(copies: list[Path], builds: Builds, tmp_path: Path) -> None:
    """Enough for the models in turn, too little for two at a time; then too little flash for all."""
    sizes = [int(build.manifest["arena_bytes"]) for build in builds.values()]
    edit(copies[1], lambda manifest: manifest.update(ram_bytes=max(sizes)))
    assert bundle(copies, tmp_path / "out").manifest["arena_bytes"] == max(sizes)
    with pytest.raises(OctavoError, match="bytes of RAM"):
        bundle(copies, tmp_path / "out", together=[["eye", "hand"]])
    edit(copies[0], lambda manifest: manifest.update(flash_bytes=600))
    with pytest.raises(OctavoError, match="bytes of flash"):
        bundle(copies, tmp_path / "out")


def _compiles(c_dir: Path) -> bool:
    sources = sorted((c_dir / "src").glob("*.c"))
    flags = ["-std=c99", "-fsyntax-only", f"-I{c_dir}/src"]
    return all(
        subprocess.run(["gcc", *flags, str(s)], capture_output=True, check=False).returncode == 0 for s in sources
    )


def test_the_compiler_refuses_places_that_do_not_hold(folders: list[Path], tmp_path: Path) -> None:
    made = bundle(folders, tmp_path / "out", together=[["eye", "hand"]])
    assert _compiles(made.c_dir)
    offsets = {row["name"]: row["arena_offset"] for row in made.manifest["models"]}
    low, high = sorted(("eye", "hand"), key=lambda name: offsets[name])
    header = made.c_dir / "src/bundle.h"
    good = header.read_text()
    line = f"#define BUNDLE_{high.upper()}_OFFSET {offsets[high]}"
    for place, size in ((offsets[high] + 8, 0), (offsets[high] - 8, 0), (offsets[high] - 4, 0), (0, 0)):
        header.write_text(good.replace(line, f"#define BUNDLE_{high.upper()}_OFFSET {place + size}"))
        assert not _compiles(made.c_dir), place
    header.write_text(good.replace("BUNDLE_ARENA_BYTES ", "BUNDLE_ARENA_BYTES 8 + "))
    assert not _compiles(made.c_dir)
    header.write_text(good)
    own = made.c_dir / f"src/{low}.h"
    own.write_text(own.read_text().replace("_ARENA_BYTES ", "_ARENA_BYTES 64 + "))
    assert not _compiles(made.c_dir)


def test_writing_again_replaces_byte_for_byte(folders: list[Path], tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        made = bundle(folders, tmp_path / "out")
        contents.append({path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()})
    assert contents[0] == contents[1] and TARGET == made.manifest["target"]


@pytest.mark.parametrize("other", ["EYE", "eye_data", "eye_data_x", "eye_arena", "eye_stream_x", "eye_quantize"])
def test_names_that_meet(builds: Builds, folders: list[Path], tmp_path: Path, other: str) -> None:
    """eye_quantize's eye_quantize_input0() would be a function of eye's."""
    made = export(builds["eye"].quantized, tmp_path / "other", other, target=TARGET)
    with pytest.raises(OctavoError, match="same names"):
        bundle([folders[0], made.folder], tmp_path / "out")
