"""``octavo formats`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from octavo.num.formats import FORMATS
from octavo.targets import available_targets, load_target
from tests.cli.networks import LAYERS, octavo

Capture = pytest.CaptureFixture[str]


def tensor_of(capsys: Capture, model: Path, index: int = 0) -> str:
    document = octavo(capsys, "formats", model, "--json").document
    return str(document["layers"][index]["tensor"])


def test_the_list_names_every_format(capsys: Capture) -> None:
    rows = octavo(capsys, "formats", "--json").document["formats"]
    cores = [name for name in available_targets() if load_target(name).accelerator is None]
    assert [row["name"] for row in rows] == list(FORMATS)
    by_name = {row["name"]: row for row in rows}
    assert by_name["affine"]["energy"] == 1.0 and by_name["affine"]["targets"] == cores
    assert by_name["float16"]["targets"] == ["cortex-m33", "cortex-m4", "cortex-m55", "cortex-m7", "host"]
    table = octavo(capsys, "formats")
    assert table.code == 0 and all(name in table.out for name in FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_written_as_the_list_says(name: str, shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """``forms`` against what the exporters do."""
    command = (shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--format", name, "--equalization", "none")
    document = octavo(capsys, "quantize", *command, "-o", tmp_path / "q", "--json").document
    kinds = {"model.tflite": "tflite", "model_qdq.onnx": "onnx"}
    written = {kind for file, kind in kinds.items() if file not in document["not_written"]}
    assert written == set(FORMATS[name].forms) - {"C"}
    compiled = octavo(capsys, "compile", *command, "--target", "host", "-o", tmp_path / "c")
    assert (compiled.code == 0) == ("C" in FORMATS[name].forms)


def test_layers_have_a_row_each(shelf: Path, capsys: Capture) -> None:
    document = octavo(capsys, "formats", shelf / "tiny.onnx", "--json").document
    assert [row["kind"] for row in document["layers"]] == ["Conv2D", "FullyConnected"]
    assert document["granularity"] == "per-channel"
    ratios = document["layers"][0]["sqnr_db"]
    assert ratios["float16"] > ratios["affine, symmetric"] > ratios["int4"] > ratios["int3"] > ratios["int2"]
    table = octavo(capsys, "formats", shelf / "tiny.onnx", "--granularity", "per-group")
    assert table.code == 0 and "int4" in table.out and "log2" not in table.out
    assert all(name in table.out for name in LAYERS)


def test_one_layer_by_source_and_tensor(shelf: Path, capsys: Capture) -> None:
    model = shelf / "tiny.onnx"
    document = octavo(capsys, "formats", model, "--layer", LAYERS[0], "--weight-ranges", "minmax", "--json").document
    by_tensor = octavo(capsys, "formats", model, "--tensor", document["tensor"], "--weight-ranges", "minmax", "--json")
    assert by_tensor.document == document
    rows = {(row["name"], row["granularity"]): row for row in document["formats"]}
    w = next(numpy_helper.to_array(t) for t in onnx.load(model).graph.initializer if t.name == "w").astype(np.float64)
    scale = np.abs(w).max((1, 2, 3), keepdims=True) / 127
    expected = 10 * np.log10((w**2).sum() / ((np.rint(w / scale) * scale - w) ** 2).sum())
    assert rows["affine, symmetric", "per-channel"]["sqnr_db"] == pytest.approx(expected, abs=1e-3)
    assert rows["int4", "per-channel"]["bytes"] == w.size // 2 + 4 * 4
    table = octavo(capsys, "formats", model, "--layer", LAYERS[0])
    assert table.code == 0 and "* not executed" in table.out and "docs/formats.md" in table.out


def test_filters_and_their_refusals(shelf: Path, capsys: Capture) -> None:
    command = ("formats", shelf / "tiny.onnx", "--layer", LAYERS[1])
    kept = octavo(capsys, *command, "--format", "symmetric", "--granularity", "per-tensor", "--json").document
    assert [(row["name"], row["granularity"]) for row in kept["formats"]] == [("affine, symmetric", "per-tensor")]
    asymmetric = octavo(capsys, *command, "--format", "asymmetric", "--json").document
    assert len(asymmetric["formats"]) == 2 and all(row["warning"] for row in asymmetric["formats"])
    for flags, said in (
        (("--format", "int9"), "power-of-two"),
        (("--granularity", "per-row"), "per-group"),
        (("--weight-ranges", "guess"), "percentile"),
    ):
        answer = octavo(capsys, *command, *flags)
        assert answer.code == 1 and said in answer.err


def test_unknown_names_get_near_ones(shelf: Path, capsys: Capture) -> None:
    model = shelf / "tiny.onnx"
    answer = octavo(capsys, "formats", model, "--layer", "head:smile:[rad]")
    assert answer.code == 1 and LAYERS[1] in answer.err
    tensor = tensor_of(capsys, model)
    answer = octavo(capsys, "formats", model, "--tensor", f"{tensor}x")
    assert answer.code == 1 and tensor in answer.err


def test_activations_need_samples(shelf: Path, capsys: Capture) -> None:
    command = ("formats", shelf / "tiny.onnx", "--tensor", "x")
    answer = octavo(capsys, *command)
    assert answer.code == 1 and "--calibration" in answer.err
    rows = octavo(capsys, *command, "--calibration", shelf / "data.npz", "--json").document["formats"]
    by_name = {row["name"]: row["sqnr_db"] for row in rows}
    assert by_name["16x8"] > by_name["affine, int4, log2"] > 30


def test_the_picture_is_the_same_each_time(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("formats", shelf / "tiny.onnx", "--layer", LAYERS[0], "--log", "--svg")
    for name in ("a.svg", "b.svg"):
        assert octavo(capsys, *command, tmp_path / name).code == 0
    text = (tmp_path / "a.svg").read_bytes()
    assert text == (tmp_path / "b.svg").read_bytes() and sorted(p.name for p in tmp_path.iterdir()) == [
        "a.svg",
        "b.svg",
    ]
    panels = len(json.loads(octavo(capsys, *command[:4], "--json").out)["formats"])
    assert len(ElementTree.fromstring(text).findall("{http://www.w3.org/2000/svg}g")) == panels
    refused = octavo(capsys, *command, tmp_path / "none" / "a.svg")
    assert refused.code == 1 and "--svg" in refused.err
    activation = octavo(
        capsys, "formats", shelf / "tiny.onnx", "--tensor", "x", "--calibration", shelf / "data.npz",
        "--svg", tmp_path / "x.svg",
    )  # fmt: skip
    assert activation.code == 0 and ElementTree.parse(tmp_path / "x.svg")


@pytest.mark.parametrize(
    "arguments", [("--layer", "a"), ("tiny.onnx", "--svg", "a.svg"), ("tiny.onnx", "--layer", "a", "--tensor", "b")]
)
def test_wrong_usage(arguments: tuple[str, ...], capsys: Capture) -> None:
    assert octavo(capsys, "formats", *arguments).code == 2


def test_flags_without_effect_are_refused(shelf: Path, capsys: Capture) -> None:
    model, data = shelf / "tiny.onnx", ("--calibration", shelf / "data.npz")
    for flags, named in (
        (data, "--calibration"),
        (("--ranges", "kl"), "--ranges"),
        (("--layer", LAYERS[0], *data), "--calibration"),
        (("--layer", LAYERS[0], "--ranges", "kl"), "--ranges"),
        (("--tensor", "x", *data, "--weight-ranges", "minmax"), "--weight-ranges"),
        (("--tensor", "x", *data, "--granularity", "per-group"), "--granularity"),
    ):
        answer = octavo(capsys, "formats", model, *flags)
        assert answer.code == 1 and f"{named}" in answer.err and "has no effect" in answer.err, flags
