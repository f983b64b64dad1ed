"""A folder is replaced whole or not at all, whenever the disk fills up or Ctrl-C comes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from octavo import files
from octavo.errors import OctavoError
from octavo.files import check_replaceable, replace_folder

OLD = {"manifest.json": b'{"generator": "octavo"}', "model/src/model.c": b"old"}
NEW = {"manifest.json": b'{"generator": "octavo", "v": 2}', "model/src/model.c": b"new", "d": b"more"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupt_at(call: Callable[..., object], number: int, after: bool) -> Callable[..., object]:
    """``call``, with Ctrl-C just before or just after its ``number``-th use."""
    used = iter(range(1, 1000))

    def interrupted(*arguments: object) -> object:
        current = next(used)
        if current == number and not after:
            raise KeyboardInterrupt
        result = call(*arguments)
        if current == number:
            raise KeyboardInterrupt
        return result

    return interrupted


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_ctrl_c_while_moving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, after: bool, number: int
) -> None:
    """An earlier result is never lost: the folder is the old one or, once it is in place, the new one."""
    folder = tmp_path / "build"
    moves = 2 if existing else 1
    if number > moves:
        return
    if existing:
        replace_folder(folder, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "rename", interrupt_at(os.rename, number, after))
        with pytest.raises(KeyboardInterrupt):
            replace_folder(folder, NEW)
    done = after and number == moves
    expected = NEW if done else OLD if existing else {}
    assert contents(folder) == expected
    assert [path.name for path in tmp_path.iterdir()] == (["build"] if expected else [])


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_ctrl_c_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, after: bool) -> None:
    folder = tmp_path / "build"
    replace_folder(folder, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "write_bytes", interrupt_at(Path.write_bytes, number, after))
        with pytest.raises(KeyboardInterrupt):
            replace_folder(folder, NEW)
    assert contents(folder) == OLD and [path.name for path in tmp_path.iterdir()] == ["build"]
    replace_folder(folder, NEW)
    assert contents(folder) == NEW and [path.name for path in tmp_path.iterdir()] == ["build"]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A file system of 256 KiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if mount is None or os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        replace_folder(disk / "build", OLD)
        with pytest.raises(OctavoError, match=r"cannot be written \(No space left on device\)"):
            replace_folder(disk / "build", {**NEW, "model/src/model_data.c": bytes(10**6)})
        assert contents(disk) == {f"build/{name}": data for name, data in OLD.items()}
        assert [path.name for path in disk.iterdir()] == ["build"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    """Files that no manifest lists: a firmware's own sources, a link, a build folder. What Octavo wrote before goes."""
    folder = tmp_path / "build"
    replace_folder(folder, {**OLD, "manifest.json": b'{"generator": "octavo", "sha256": {"stale.h": "", "d": ""}}'})
    (folder / "stale.h").write_bytes(b"stale")
    mine = {"model/main.c": b"mine", "cmake/cache/x": b"1", "model/src/model.h": b"before"}
    for path, data in mine.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "link").symlink_to("cmake")
    replace_folder(folder, {**NEW, "model/src/model.h": b"after"})
    assert (folder / "link").is_symlink()
    (folder / "link").unlink()
    assert contents(folder) == {**NEW, **mine, "model/src/model.h": b"after"}


@pytest.mark.parametrize("path", ["d/mine", "model"])
def test_what_is_in_the_way_is_named(tmp_path: Path, path: str) -> None:
    """A file where a folder must be, or the reverse."""
    folder = tmp_path / "build"
    replace_folder(folder, {"manifest.json": OLD["manifest.json"]})
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(b"mine")
    with pytest.raises(OctavoError, match=f"{path}: is in the way"):
        replace_folder(folder, NEW)
    assert contents(folder) == {"manifest.json": OLD["manifest.json"], path: b"mine"}


def test_folders_that_cannot_be_written_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OctavoError, match="file takes no folder"):
        check_replaceable(tmp_path / "file" / "build")
    check_replaceable(tmp_path / "new" / "build")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(OctavoError, match="takes no folder"):
        check_replaceable(tmp_path / "build")
