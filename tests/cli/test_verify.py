"""octavo verify on the command line: tables, JSON, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from octavo.build import Build
from octavo.cli.app import app
from octavo.package import export
from octavo.quant.quantize import quantize_graph
from tests.device.conftest import network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = np.random.default_rng(1).normal(size=(16, 9, 8, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("cli") / "build"
    export(quantize_graph(network(), [data]), path)
    np.save(path.parent / "x.npy", data[:3])
    return path


def called(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_agreement(folder: Path) -> None:
    code, said = called(folder, "--on", "host", "--data", folder.parent / "x.npy")
    assert code == 0 and "on host: 3 samples" in said and "all bits agree" in said


def test_divergence_as_json(folder: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    kernel = spoiled / "model/src/octavo/portable/lookup_s8.h"
    kernel.write_text(kernel.read_text().replace("x[i] + 128]", "x[i] + (x[i] < 127 ? 129 : 128)]"))
    code, said = called(spoiled, "--on", "host", "--samples", 1, "--json")
    document = json.loads(said)
    assert code == 1 and document["ok"] is False and document["on"] == "host" and document["samples"] == 1
    found = document["divergence"]
    assert found["layer"] == found["source"] == found["value"] == "act" and found["kernel"] == "lookup_s8"
    assert found["causes"][0]["kind"] == "broken kernel" and len(found["element"]) == 3
    assert [layer["state"] for layer in document["layers"]][2:5] == ["agrees", "differs", "not reached"]
    keys = {"compared", "hidden", "stale", "stack_bytes", "stack_size", "stack_overflowed", "repeated", "notes"}
    assert keys <= set(document)
    code, said = called(spoiled, "--on", "host", "--samples", 1)
    assert code == 1 and "likely: broken kernel" in said and "act[" in said


def test_firmware(folder: Path, tmp_path: Path) -> None:
    code, said = called(folder, "--firmware", tmp_path / "board", "--json")
    assert code == 0 and json.loads(said) == {"folder": str(tmp_path / "board")}
    assert b"model_serial" in (tmp_path / "board/model_serial.c").read_bytes()
    assert Build.open(folder)


def test_on_and_port_are_one_too_many(folder: Path) -> None:
    assert called(folder, "--on", "host", "--port", "/dev/none")[0] == 2
