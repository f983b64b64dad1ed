"""What goes wrong: one clear error, the documented exit code, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from octavo import files
from tests.cli.networks import Answer, octavo

Capture = pytest.CaptureFixture[str]


def _refused(answer: Answer, *words: str) -> None:
    """Three parts on standard error, nothing on standard output."""
    assert answer.code == 1 and answer.out == "", answer
    lines = answer.err.splitlines()
    assert lines[0].startswith("error: ") and lines[1].startswith("  why: ") and lines[-1].startswith("  remedy: ")
    assert all(word in answer.err for word in words), answer.err


def _compile(capsys: Capture, shelf: Path, output: Path, *more: object) -> Answer:
    return octavo(
        capsys, "compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", output, *more
    )  # fmt: skip


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--target", "cortex-x9"), ("cortex-x9", "cortex-m4")),
        (("--ranges", "median"), ("median", "moving-average")),
        (("--granularity", "per-moon"), ("per-moon", "per-channel")),
        (("--name", "two words"), ("two words", "C identifier")),
        (("--name", "int"), ("int", "C identifier")),
        (("--calibration", "nowhere.npz"), ("nowhere.npz", "does not exist")),
        (("--config", "nowhere.toml"), ("nowhere.toml",)),
    ],
)
def test_refused_options(
    shelf: Path, tmp_path: Path, capsys: Capture, more: tuple[str, ...], words: tuple[str, ...], json_flag: tuple[str]
) -> None:
    _refused(_compile(capsys, shelf, tmp_path / "build", *more, *json_flag), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", ("colour", "Allowed: model, output")),
        ('calibration_samples = "ten"', ("calibration_samples", "whole number")),
        ("calibration_samples = 0", ("calibration_samples", "whole number")),
        ("calibration_samples = true", ("calibration_samples", "whole number")),
        ("target = 5", ("target", "text in quotes")),
        ("preprocessing = 5", ("preprocessing", "a section")),
        ("target = ", ("is not TOML",)),
        ("\xff", ("is not TOML",)),
    ],
)
def test_refused_configuration(shelf: Path, tmp_path: Path, capsys: Capture, text: str, words: tuple[str, ...]) -> None:
    config = tmp_path / "octavo.toml"
    config.write_bytes(text.encode("latin-1"))
    _refused(_compile(capsys, shelf, tmp_path / "build", "--config", config), *words)
    assert list(tmp_path.iterdir()) == [config]


def test_refused_models(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    good = (shelf / "tiny.onnx").read_bytes()
    cases = {"cut.onnx": good[: len(good) // 2], "empty.onnx": b"", "text.tflite": b"not a network", "net.h5": good}
    for name, contents in cases.items():
        (tmp_path / name).write_bytes(contents)
        answer = octavo(
            capsys, "compile", tmp_path / name, "--calibration", shelf / "data.npz", "-o", tmp_path / "build"
        )
        _refused(answer, name)
    _refused(octavo(capsys, "inspect", tmp_path / "none.onnx"), "none.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(cases)


@pytest.mark.parametrize("shape", [(8, 5, 5, 2), (2, 5, 5), (8, 2, 5, 6)])
def test_refused_calibration_shapes(shelf: Path, tmp_path: Path, capsys: Capture, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "wrong.npy", np.ones(shape, np.float32))
    answer = octavo(
        capsys, "compile", shelf / "tiny.onnx", "--calibration", tmp_path / "wrong.npy", "-o", tmp_path / "build"
    )
    _refused(answer, "input x", str(list(shape)), "[N, 2, 5, 5]")
    assert not (tmp_path / "build").exists()


def test_float_models_need_calibration(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    _refused(octavo(capsys, "compile", shelf / "tiny.onnx", "-o", tmp_path / "b"), "tiny.onnx", "--calibration")


def test_labels_out_of_range(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((2, 2, 5, 5), np.float32), labels=np.array([0, 3]))
    _refused(octavo(capsys, "eval", shelf / "build", "--data", tmp_path / "d.npz"), "labels", "0 to 2")


def test_labels_that_do_not_match_the_samples(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((2, 2, 5, 5), np.float32), labels=np.array([0, 1, 2]))
    _refused(octavo(capsys, "eval", shelf / "build", "--data", tmp_path / "d.npz"), "labels", "3", "2")


@pytest.mark.parametrize(("flash", "ram", "word"), [(1 << 20, 64, "arena"), (64, 1 << 20, "weights")])
def test_a_network_too_large_for_the_target(
    shelf: Path, tmp_path: Path, capsys: Capture, flash: int, ram: int, word: str
) -> None:
    target = tmp_path / "tiny.toml"
    target.write_text(f'name = "tiny"\ndescription = "little"\nflash_bytes = {flash}\nram_bytes = {ram}\n')
    answer = _compile(capsys, shelf, tmp_path / "build", "--target", target)
    _refused(answer, f"the {word} take", "of 64 bytes", "too many", "would")
    assert list(tmp_path.iterdir()) == [target]


def test_what_does_not_fit_the_users_limits_is_told_with_numbers_and_a_remedy(
    shelf: Path, tmp_path: Path, capsys: Capture
) -> None:
    def answer(*flags: object) -> Answer:
        return _compile(capsys, shelf, tmp_path / "build", *flags)

    assert answer("--ram", "64K", "--flash", "1M", "--json").code == 0
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert (manifest["ram_bytes"], manifest["flash_bytes"]) == (65536, 1048576)
    arena, data = manifest["arena_bytes"], manifest["model_bytes"]
    assert answer("--ram", arena, "--flash", data).code == 0, "what is just enough fits"
    _refused(
        answer("--ram", arena - 1), f"the arena takes {arena} of {arena - 1} bytes", "1 too many", "in place of 5 x 5"
    )
    both = answer("--ram", arena - 1, "--flash", "100")
    _refused(both, "the arena takes", f"the weights take {data} of 100 bytes", "of the channels in every layer")
    for amount in ("64G", "-1", "0", "much", "1.5K"):
        _refused(answer(f"--ram={amount}"), "--ram", "64K")


@pytest.mark.parametrize(
    "arguments",
    [(), ("compile",), ("compile", "net.onnx"), ("eval",), ("run", "b"), ("compile", "--samples"), ("fly",)],
)
def test_wrong_usage_is_code_2(capsys: Capture, arguments: tuple[str, ...]) -> None:
    answer = octavo(capsys, *arguments)
    assert answer.code == 2 and "Usage" in answer.out + answer.err


# Folders


@pytest.mark.parametrize("manifest", [None, '{"manifest_version": 3, "name": "an extension"}', "[]", "{", "[" * 10**5])
def test_a_folder_that_is_not_ours_stays(shelf: Path, tmp_path: Path, capsys: Capture, manifest: str | None) -> None:
    """Many tools write a manifest.json; only one that names Octavo lets a folder be replaced."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("years of work")
    if manifest is not None:
        (theirs / "manifest.json").write_text(manifest)
    before = {path.name: path.read_bytes() for path in theirs.iterdir()}
    _refused(_compile(capsys, shelf, theirs), "theirs", "did not write")
    assert {path.name: path.read_bytes() for path in theirs.iterdir()} == before
    assert list(tmp_path.iterdir()) == [theirs]


def test_a_file_in_the_way_stays(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "build").write_text("a file")
    _refused(_compile(capsys, shelf, tmp_path / "build"), "is not a folder")
    assert (tmp_path / "build").read_text() == "a file"


@pytest.mark.parametrize("damage", ["{}", "not json", '{"target": "nowhere"}'])
def test_damaged_builds(tmp_path: Path, capsys: Capture, damage: str) -> None:
    (tmp_path / "manifest.json").write_text(damage)
    _refused(octavo(capsys, "inspect", tmp_path), "error: ")
    _refused(octavo(capsys, "profile", tmp_path / "missing"), "missing", "octavo compile")


def _full(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", [0, 3])
def test_a_full_disk_leaves_nothing(
    shelf: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The disk is full from the first file on, and from the fourth; an earlier result stays as it was."""
    output = tmp_path / "build"
    for existing in (False, True):
        if existing:
            assert _compile(capsys, shelf, output).code == 0
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        write, count = Path.write_bytes, iter(range(1000))

        def write_some(path: Path, contents: bytes) -> int:
            return write(path, contents) if next(count) < after else _full()  # noqa: B023

        with monkeypatch.context() as patch:
            patch.setattr(files.Path, "write_bytes", write_some)
            answer = _compile(capsys, shelf, output, "--name", "other")
        _refused(answer, "build", "No space left on device", "Free space")
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        assert [path.name for path in tmp_path.iterdir()] == (["build"] if existing else [])


def test_a_full_disk_while_an_output_is_written(
    shelf: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 5, 5), np.float32))
    (tmp_path / "y.npy").write_text("an earlier result")
    monkeypatch.setattr(np, "save", _full)
    answer = octavo(capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    _refused(answer, "y.npy", "No space left on device")
    assert (tmp_path / "y.npy").read_text() == "an earlier result"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


def test_outputs_replace_only_plain_files(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """A device, a pipe or a folder is not renamed over; a link's file is written, and the link stays."""
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 5, 5), np.float32))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        answer = octavo(capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / name)
        _refused(answer, name, "is not a plain file")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "folder").is_dir()
    (tmp_path / "real.npy").write_bytes(b"")
    (tmp_path / "link.npy").symlink_to("real.npy")
    assert octavo(
        capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "link.npy"
    ).code == 0  # fmt: skip
    assert (tmp_path / "link.npy").is_symlink() and np.load(tmp_path / "real.npy").shape == (1, 3)
    missing = tmp_path / "none" / "y.npy"
    answer = octavo(capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", missing)
    _refused(answer, str(missing), "No such file")


# Interruption and faults

INTERRUPTED = """
    import os, signal, sys
    from octavo import files
    from octavo.cli import main

    whole = files.Path.write_bytes
    def write(path, contents):
        os.kill(os.getpid(), signal.SIGINT)
        return whole(path, contents)
    files.Path.write_bytes = write
    main()
"""


def test_ctrl_c_leaves_nothing(shelf: Path, tmp_path: Path) -> None:
    """A real signal, in the middle of writing the folder."""
    command = ["compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "build"]
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        # A shell's background jobs ignore the signal; this child must not inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert result.returncode == 130, result.stderr
    assert result.stdout == "" and result.stderr.strip() == "interrupted: nothing is half-written"
    assert not list(tmp_path.iterdir())


def test_a_fault_of_octavo_is_one_message(shelf: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("octavo.cli.commands.inspect_path", broken)
    monkeypatch.delenv("OCTAVO_DEBUG", raising=False)
    answer = octavo(capsys, "inspect", shelf / "tiny.onnx")
    assert answer.code == 70 and "ZeroDivisionError: a bug" in answer.err and "report" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("OCTAVO_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        octavo(capsys, "inspect", shelf / "tiny.onnx")


def test_json_is_alone_on_standard_output(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 5, 5), np.float32))
    for command in (
        ("eval", shelf / "build", "--data", shelf / "data.npz"),
        ("run", shelf / "build", "--input", tmp_path / "x.npy"),
        ("profile", shelf / "build", "--on", "host"),
        ("inspect", shelf / "build"),
        ("inspect", shelf / "tiny.onnx"),
        ("targets",),
    ):
        answer = octavo(capsys, *command, "--json")
        assert answer.code == 0 and answer.err == "", answer
        assert isinstance(json.loads(answer.out), dict) and answer.out.count("\n") == 1


def test_flags_without_effect_on_a_quantized_model_are_refused(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    assert _compile(capsys, shelf, tmp_path / "build").code == 0
    model = tmp_path / "build" / "model.tflite"
    for flags in (("--calibration-samples", 3), ("--checkpoint", tmp_path / "work"), ("--seed", 0), ("--data-free",)):
        _refused(octavo(capsys, "compile", model, "-o", tmp_path / "again", *flags), "quantized already", flags[0])


def test_what_cannot_be_is_refused_before_the_work(
    shelf: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*arguments: object, **more: object) -> None:
        pytest.fail("the work began")

    monkeypatch.setattr("octavo.api.climb", work)
    for flags, words in (
        (("--format", "float16", "--target", "cortex-m3"), ("float16", "cortex-m3", "another target")),
        (("--mixed", "int8,"), ("--mixed", "int8,int4")),
        (("--mixed", "int8,int4", "--budget", "bytes=many"), ("budget", "no amount")),
        (("--checkpoint", tmp_path / "work"), ("checkpoint", "max_drop")),
        (("--max-drop", "1", "--checkpoint", shelf), ("checkpoint", "no place for a file")),
        (("--device", "cuda"), ("device", "max_drop")),
        (("--max-drop", "1", "--device", "cuda:99"), ("cuda:99", "is not there")),
        (("--max-drop", "1", "--device", "npu"), ("npu", "cuda:1")),
    ):
        _refused(_compile(capsys, shelf, tmp_path / "build", *flags), *words)
