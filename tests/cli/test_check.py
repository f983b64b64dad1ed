"""octavo check: its table and JSON, the network it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo import api
from octavo.ir.graph import Graph
from octavo.npu import vela
from octavo.passes.proof import difference
from octavo.targets import available_targets
from tests.cli.networks import octavo, save_data, save_network

Capture = pytest.CaptureFixture[str]
NPU = """
name = "mine"
description = "a test"
flash_bytes = 65536
ram_bytes = 16384
formats = ["affine", "symmetric"]
[accelerator]
source = "a test"
clock_hz = 1000000
inputs = 8
outputs = 8
[accelerator.operators]
Conv2D = { kernel = [2, 3] }
Add = { activations = ["relu"] }
Slice = {}
Reshape = {}
FullyConnected = {}
"""


@pytest.fixture
def npu(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(NPU)
    return path


def test_the_document(capsys: Capture, shelf: Path, npu: Path) -> None:
    document = octavo(capsys, "check", shelf / "tiny.onnx", "--target", npu, "--json").document
    assert list(document) == [
        "model", "target", "format", "unsupported", "macs", "utilisation", "cycles", "plain_cycles",
        "memory_bound_cycles", "milliseconds", "microjoules", "weight_bytes", "flash_bytes", "peak_bytes", "peak_layer",
        "ram_bytes", "fits", "layers", "channels", "hidden_groups", "vela", "after", "changes", "output",
    ]  # fmt: skip
    assert (document["unsupported"], document["fits"], document["format"]) == (1, True, "affine")
    assert document["macs"] == 25 * 4 * 18 + 300 and document["vela"] is document["after"] is None
    layer = document["layers"][0]
    assert list(layer) == [
        "source", "op", "output_shape", "supported", "reasons", "rewrites", "unit", "macs", "utilisation", "cycles",
        "plain_cycles", "bound", "weight_bytes", "activation_bytes",
    ]  # fmt: skip
    assert layer["reasons"] == ["kernel 3 x 3 is larger than 2 x 3"] and layer["cycles"] is None
    assert layer["rewrites"] == ["kernel as a sum of smaller ones"]
    assert list(document["channels"][0]) == [
        "source", "channels", "padded", "dead", "constant", "trim", "saved_cycles", "share", "held",
    ]  # fmt: skip


def test_the_changed_network_is_the_same_function_and_compiles(capsys: Capture, tmp_path: Path, npu: Path) -> None:
    model, out = save_network(tmp_path / "tiny.onnx"), tmp_path / "fits.onnx"
    answer = octavo(capsys, "check", model, "--target", npu, "--adapt", "--align", "-o", out, "--json")
    document = answer.document
    assert document["after"]["unsupported"] == 0 and document["output"] == str(out)
    assert document["changes"]["difference"] < 1e-6
    (steps,) = document["changes"]["rewrites"].values()
    assert steps == ["kernel as a sum of smaller ones"]
    assert document["changes"]["channels_added"] == {document["layers"][0]["source"]: 4}
    before, after = api.load(model), api.load(out)
    assert isinstance(before, Graph) and isinstance(after, Graph)
    assert max(difference(before, after, seed=7).values()) < 1e-6
    again = octavo(capsys, "check", out, "--target", npu, "--json").document
    assert again["unsupported"] == 0
    assert [(row["channels"], row["dead"]) for row in again["channels"]] == [(8, 4), (3, 0)]
    data = save_data(tmp_path / "data.npz")
    built = octavo(capsys, "compile", out, "--calibration", data, "-o", tmp_path / "build", "--ranges", "minmax")
    assert built.code == 0, built.err


def test_the_table(capsys: Capture, shelf: Path, npu: Path) -> None:
    answer = octavo(capsys, "check", shelf / "tiny.onnx", "--target", npu, "--adapt")
    assert answer.code == 0
    for words in (
        "with --adapt: kernel as a sum of smaller ones", "layers supported", "rewritten: ", "2 of 3",
        "multipliers busy",
        "proved on random inputs", "bytes: fits", "the numbers are of: a test",
    ):  # fmt: skip
        assert words in answer.out, words


@pytest.mark.parametrize("target", available_targets())
def test_every_target_takes_a_network(capsys: Capture, shelf: Path, target: str) -> None:
    document = octavo(capsys, "check", shelf / "tiny.onnx", "--target", target, "--no-vela", "--json").document
    assert document["unsupported"] == 0 and document["fits"], document
    assert octavo(capsys, "check", shelf / "tiny.onnx", "--target", target, "--no-vela").code == 0


def test_without_vela_it_says_so(capsys: Capture, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octavo.cli.check.has_vela", lambda: False)
    answer = octavo(capsys, "check", shelf / "tiny.onnx", "--target", "ethos-u55-128")
    assert answer.code == 0 and "Vela is not installed: pip install 'octavo[vela]'" in answer.out


def test_with_vela_its_numbers_are_there(capsys: Capture, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = vela.Vela(5, 0, 1234, 1000, 0.25, 2100, 512, 700)
    given: list[bytes] = []
    monkeypatch.setattr("octavo.cli.check.has_vela", lambda: True)
    monkeypatch.setattr("octavo.cli.check.run_vela", lambda model, name: given.append(model) or said)
    answer = octavo(capsys, "check", shelf / "tiny.onnx", "--target", "ethos-u55-128", "--json")
    assert answer.document["vela"] == vars(said)
    # A .tflite, as Vela reads them.
    assert given[0][4:8] == b"TFL3"


def refusal(capsys: Capture, *arguments: object) -> str:
    answer = octavo(capsys, *arguments)
    assert answer.code in (1, 2) and not answer.out
    return answer.err


def test_refusals(capsys: Capture, shelf: Path, tmp_path: Path, npu: Path) -> None:
    model, out = shelf / "tiny.onnx", tmp_path / "out.onnx"
    check = ("check", model, "--target")
    assert "is unknown" in refusal(capsys, *check, "npu-99")
    assert "not among those of mine" in refusal(capsys, *check, npu, "--format", "16x8")
    assert "give --adapt or --align" in refusal(capsys, *check, npu, "-o", out)
    assert "is no .onnx file" in refusal(capsys, *check, npu, "--adapt", "-o", tmp_path / "out.tflite")
    assert "is not a file" in refusal(capsys, "check", tmp_path / "absent.onnx", "--target", npu)
    tflite = shelf / "build" / "model.tflite"
    assert octavo(capsys, "check", tflite, "--target", npu, "--json").document["unsupported"] == 1
    assert "is quantized" in refusal(capsys, "check", tflite, "--target", npu, "--adapt", "-o", out)
    npu.write_text(NPU.replace("inputs = 8", "inputs = 0"))
    assert "accelerator: inputs is 0" in refusal(capsys, *check, npu)
    assert not out.exists()


def test_no_code_is_written_for_an_accelerator(capsys: Capture, shelf: Path, tmp_path: Path, npu: Path) -> None:
    arguments = (shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--target", npu, "-o", tmp_path / "build")
    assert "for which Octavo writes no C" in refusal(capsys, "compile", *arguments)
    assert not (tmp_path / "build").exists()
    assert octavo(capsys, "quantize", *arguments, "--ranges", "minmax").code == 0


def test_the_list_says_what_targets_are_for(capsys: Capture) -> None:
    rows = octavo(capsys, "targets", "--json").document["targets"]
    compiles = {row["name"]: row["compiles"] for row in rows}
    assert compiles["cortex-m4"] and not compiles["npu-16x16"] and set(compiles) == set(available_targets())
    assert np.all([word in octavo(capsys, "targets").out for word in ("compile, check", "npu-32x32")])
