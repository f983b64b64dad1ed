"""``octavo diagnose`` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.networks import LAYERS, octavo

Capture = pytest.CaptureFixture[str]


def test_the_answer_comes_first_and_json_says_the_same(shelf: Path, capsys: Capture) -> None:
    command = ("diagnose", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--data", shelf / "data.npz")
    said = octavo(capsys, *command)
    document = octavo(capsys, *command, "--json").document
    assert said.code == 0 and said.out.startswith(document["answer"][:60])
    assert all(title in said.out for title in ("Remedies", "What was asked", "What loses most"))
    assert any(name in said.out for name in LAYERS)
    assert document["forks"][0]["name"] == "imported" and document["forks"][0]["passed"] is True
    assert document["settings"]["labels"] is True and document["quality"]["accuracy"] is not None


def test_choices_reach_the_diagnosis(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    layer = octavo(capsys, "inspect", shelf / "tiny.onnx", "--json").document["nodes"][0]["name"]
    config = tmp_path / "layers.toml"
    config.write_text(f'[layers]\n"{layer}" = "int2"\n')
    document = octavo(
        capsys, "diagnose", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--config", config,
        "--format", "affine", "--format", "int4", "--ranges", "minmax", "--reference", shelf / "tiny.onnx", "--json",
    ).document  # fmt: skip
    assert document["causes"][0]["kind"] == "few bits" and document["remedies"][0]["kind"] == "more bits"
    assert document["settings"]["ranges"] == "minmax" and document["settings"]["layers"] == {layer: "int2"}
    assert any(row["kind"] == "int4" and row["tried"] for row in document["remedies"])


def test_refusals(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.npy"
    np.save(bad, np.full((4, 2, 5, 5), np.nan, np.float32))
    for arguments, said in (
        ((shelf / "tiny.onnx", "--calibration", bad), "NaN"),
        ((shelf / "none.onnx", "--calibration", shelf / "data.npz"), "is not a file"),
        ((shelf / "build" / "model.tflite", "--calibration", shelf / "data.npz"), "quantized already"),
        ((shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--equalization", "auto"), "none, weights"),
    ):
        answer = octavo(capsys, "diagnose", *arguments)
        assert answer.code == 1 and said in answer.err, answer
    assert octavo(capsys, "diagnose", shelf / "tiny.onnx").code == 2
