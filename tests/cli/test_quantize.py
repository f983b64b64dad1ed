"""Formats, ranges, the ladder and ``octavo quantize`` as a user calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from octavo.api import load
from octavo.ir.graph import Graph
from tests.cli.networks import octavo
from tests.networks.undecided import undecided

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("format", ["symmetric", "power-of-two", "16x8", "int4", "log2"])
def test_every_integer_format_compiles_and_evaluates(format: str, shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    answer = octavo(
        capsys, "compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--target", "host",
        "--format", format, "-o", tmp_path / "build", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert [row["rung"] for row in answer.document["trail"]][0] == "plain, equalization none"
    result = octavo(capsys, "eval", tmp_path / "build", "--data", shelf / "data.npz", "--json").document
    assert result["sqnr_db"] > (30 if format == "16x8" else 8)


def test_quantize_writes_the_network_without_c(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("quantize", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "q")
    answer = octavo(capsys, *command, "--granularity", "per-tensor", "--ranges", "kl", "--weight-ranges", "percentile")
    assert answer.code == 0, answer.err
    files = {str(path.relative_to(tmp_path / "q")) for path in (tmp_path / "q").rglob("*") if path.is_file()}
    assert files == {
        "manifest.json", "model.tflite", "model_qdq.onnx", "quantized/graph.json", "quantized/tensors.safetensors",
    }  # fmt: skip
    assert "plain, equalization weights" in answer.out and str(tmp_path / "q") in answer.out


def test_float16_goes_to_c_and_onnx(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = (shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--format", "float16", "-o", tmp_path / "q")
    document = octavo(capsys, "quantize", *command, "--json").document
    assert list(document["not_written"]) == ["model.tflite"] and "float16" in document["not_written"]["model.tflite"]
    assert (tmp_path / "q" / "model_qdq.onnx").is_file()
    assert octavo(capsys, "compile", *command, "--target", "host").code == 0
    result = octavo(capsys, "eval", tmp_path / "q", "--data", shelf / "data.npz", "--json").document
    assert result["sqnr_db"] > 55
    refused = octavo(capsys, "compile", *command, "--target", "cortex-m0")
    assert refused.code == 1 and "float16" in refused.err and "cortex-m0" in refused.err


def test_the_ladder_tells_its_story(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    graph = load(shelf / "tiny.onnx")
    assert isinstance(graph, Graph)
    images, labels = undecided(graph, np.random.default_rng(5).normal(size=(2000, 2, 5, 5)).astype(np.float32), 40)
    np.savez(tmp_path / "hard.npz", inputs=images, labels=labels)
    command = (
        "compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--evaluation", tmp_path / "hard.npz",
        "--format", "int4", "--max-drop", "0", "-o", tmp_path / "build",
    )  # fmt: skip
    document = octavo(capsys, *command, "--json").document
    rungs = [row["rung"] for row in document["trail"]]
    assert "block reconstruction" in rungs and rungs[-1].startswith("mixed precision")
    assert document["verdict"]["split"] == {"calibration": 40, "search": 20, "report": 20}
    assert document["verdict"]["report"]["float_accuracy"] is not None
    answer = octavo(capsys, *command)
    assert answer.code == 0 and "no rung has seen" in answer.out and "note:" in answer.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--format", "int5"), "affine, symmetric"),
        (("--granularity", "per-row"), "per-channel"),
        (("--granularity", "per-group"), "6 bits"),
        (("--ranges", "guess"), "cross-entropy"),
        (("--equalization", "maybe"), "balance"),
    ],
)
def test_wrong_choices_are_refused(
    flags: tuple[str, str], said: str, shelf: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ("compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "build")
    answer = octavo(capsys, *command, *flags)
    assert answer.code == 1 and said in answer.err and not (tmp_path / "build").exists()


def test_a_target_may_forbid_a_format(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "npu.toml").write_text(
        'name = "npu"\ndescription = "shifts"\nflash_bytes = 100000\nram_bytes = 100000\nformats = ["power-of-two"]\n'
    )
    command = ("compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--target", tmp_path / "npu.toml")
    answer = octavo(capsys, *command, "-o", tmp_path / "build")
    assert answer.code == 1 and "power-of-two" in answer.err and "affine" in answer.err
    assert octavo(capsys, *command, "-o", tmp_path / "build", "--format", "power-of-two").code == 0


def test_without_data_the_batch_norms_tell_the_ranges(tmp_path: Path, capsys: Capture) -> None:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(8)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), norm, torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3))
    data = torch.randn(64, 3, 8, 8)
    module(data)
    for _ in range(60):
        module(data)
    torch.export.save(torch.export.export(module.eval(), (data[:1],)), tmp_path / "net.pt2")
    np.save(tmp_path / "data.npy", data.numpy())
    command = ("quantize", tmp_path / "net.pt2", "--data-free", "-o", tmp_path / "q")
    answer = octavo(capsys, *command, "--input-range=-4,4", "--evaluation", tmp_path / "data.npy", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["trail"][0]["rung"].startswith("data-free")
    assert answer.document["verdict"]["report"]["sqnr_db"] > 20
    for flags, said in (
        (("--calibration", tmp_path / "data.npy"), "contradicts"),
        (("--input-range", "wide"), "two numbers"),
        (("--equalization", "align", "--format", "power-of-two"), "needs calibration data"),
    ):
        refused = octavo(capsys, *command, *flags)
        assert refused.code == 1 and said in refused.err, refused.err
    missing = octavo(capsys, "quantize", tmp_path / "net.pt2", "-o", tmp_path / "q")
    assert missing.code == 1 and "--data-free" in missing.err


def test_a_budget_chooses_the_bits_of_layers_and_prints_the_front(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("quantize", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "q")
    whole = octavo(capsys, *command, "--mixed", "int8,int4", "--budget", "bytes=1M", "--json").document
    (row,) = whole["verdict"]["front"]
    assert "int8" in row["layers"] and row["bytes"] < 1e6
    small = octavo(capsys, *command, "--mixed", "int8,int4", "--budget", f"bytes={row['bytes'] - 1}", "--json").document
    assert small["verdict"]["front"][0]["bytes"] < row["bytes"] and "int4" in small["verdict"]["front"][0]["layers"]
    assert any(note.startswith("int4: ") for note in small["notes"])
    climbed = octavo(capsys, *command, "--mixed", "int8,int2", "--max-drop", "0")
    assert climbed.code == 0 and "Pareto front" in climbed.out
    for flags, said in (
        (("--mixed", "int8,int4", "--budget", "bytes=1"), "that the smallest choice takes"),
        (("--mixed", "int8,int4"), "without a budget"),
        (("--mixed", "int8,int1", "--budget", "bytes=1k"), "'int1'"),
        (("--mixed", ",", "--budget", "bytes=1k"), "names ''"),
        (("--budget", "bytes=1k"), "no options"),
        (("--mixed", "int8", "--budget", "bytes"), "no amount"),
        (("--mixed", "int8", "--budget", "weight=1"), "mac-bits"),
    ):
        refused = octavo(capsys, *command, *flags)
        assert refused.code == 1 and said in refused.err, refused.err


def test_single_layers_take_other_numbers(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    listed = octavo(capsys, "inspect", shelf / "tiny.onnx", "--json").document["nodes"]
    first = next(node["name"] for node in listed if node["op"] == "Conv2D")
    config = tmp_path / "octavo.toml"

    def quantized(choice: str) -> dict[str, object]:
        config.write_text(
            f'model = "{shelf / "tiny.onnx"}"\ncalibration = "{shelf / "data.npz"}"\noutput = "q"\n'
            f'[layers]\n"{first}" = "{choice}"\n'
        )
        answer = octavo(capsys, "quantize", "--config", config, "--json")
        assert answer.code == 0, answer.err
        return dict(answer.document["trail"][0])

    plain = octavo(
        capsys, "quantize", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "p", "--json"
    ).document["trail"][0]
    assert quantized("int4")["weight_bytes"] < plain["weight_bytes"]  # type: ignore[operator]
    assert quantized("per-tensor")["weight_bytes"] < plain["weight_bytes"]  # type: ignore[operator]
    assert quantized("16x8")["weight_bytes"] == plain["weight_bytes"]
    config.write_text(config.read_text().replace(first, "nothing"))
    refused = octavo(capsys, "quantize", "--config", config)
    assert refused.code == 1 and first in refused.err
