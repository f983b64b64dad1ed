"""Each command end to end on a tiny network: what it prints, writes and says as JSON."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.cli.networks import LAYERS, SAMPLES, octavo, save_data
from tests.oracles.data import data_path
from tests.oracles.device import require_device

Capture = pytest.CaptureFixture[str]


def test_compile_writes_the_whole_folder(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    answer = octavo(
        capsys, "compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "--target", "cortex-m4",
        "-o", tmp_path / "build", "--name", "tiny", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.document["folder"] == str(tmp_path / "build")
    assert answer.document["macs"] == 5 * 5 * 4 * 3 * 3 * 2 + 100 * 3
    assert answer.document["not_written"] == {}
    names = {str(path.relative_to(tmp_path / "build")) for path in (tmp_path / "build").rglob("*") if path.is_file()}
    assert {"manifest.json", "model.tflite", "model_qdq.onnx", "tiny/src/tiny.h", "tiny/src/tiny.c"} <= names
    assert {"tiny/selftest/selftest.c", "tiny/CMakeLists.txt", "tiny/library.properties"} <= names
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_compiling_again_replaces_byte_for_byte(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "build")
    contents = []
    for _ in range(2):
        assert octavo(capsys, *command).code == 0
        contents.append({path: path.read_bytes() for path in (tmp_path / "build").rglob("*") if path.is_file()})
    assert contents[0] == contents[1]


def test_weights_are_streamed(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "build")
    assert octavo(capsys, *command, "--json").document["streaming"] is None
    assert "is no amount of memory" in octavo(capsys, *command, "--stream-weights", "0.2K").err
    large = f"Gemm node {LAYERS[1]}"
    document = octavo(capsys, *command, "--stream-weights", "200", "--json").document["streaming"]
    assert document["limit_bytes"] == 200 and len(document["layers"]) == 1 and list(document["resident"]) == [large]
    said = octavo(capsys, *command, "--stream-weights", "200").out
    assert f"{document['streamed_bytes']:,} bytes from slow memory" in said
    assert f"not streamed, in flash as before: {large}" in said
    (tmp_path / "c.toml").write_text('stream_weights = "1K"\n')
    document = octavo(capsys, *command, "--config", tmp_path / "c.toml", "--json").document["streaming"]
    assert len(document["layers"]) == 2 and document["resident"] == {}


def test_fastest_without_a_gain_is_said(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("compile", shelf / "tiny.onnx", "--calibration", shelf / "data.npz", "-o", tmp_path / "build")
    assert "fastest is what speed is here" in octavo(capsys, *command, "--optimize", "fastest").out
    assert "fastest is" not in octavo(capsys, *command, "--optimize", "speed").out


def test_an_official_int8_model_end_to_end(tmp_path: Path, capsys: Capture) -> None:
    """Compiled as it is: the C of this machine gives what TensorFlow Lite Micro gives on the original file."""
    model = data_path("mlperf_tiny/autoencoder_ad_int8.tflite")
    document = octavo(capsys, "compile", model, "-o", tmp_path / "build", "--json").document
    assert document["folder"] == str(tmp_path / "build") and document["macs"] > 200_000
    x = np.random.default_rng(8).integers(-128, 128, (3, 640)).astype(np.int8)
    np.save(tmp_path / "x.npy", x)
    answer = octavo(
        capsys, "run", tmp_path / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--raw"
    )
    assert answer.code == 0, answer
    pytest.importorskip("tflite_micro")
    from tests.oracles.tflm import run_tflm

    (expected,) = run_tflm(model.read_bytes(), [x])
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy").reshape(3, -1), expected)


def test_an_int8_tflite_compiles_without_calibration(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """What Octavo exports, it imports: the same integers come out."""
    again = tmp_path / "again"
    assert octavo(capsys, "compile", shelf / "build/model.tflite", "-o", again).code == 0
    x = np.random.default_rng(3).integers(-128, 128, (4, 2, 5, 5)).astype(np.int8)
    raw = []
    for folder in (shelf / "build", again):
        # A .tflite is channels last; the ONNX file is channels first.
        np.save(tmp_path / "x.npy", x if folder != again else x.transpose(0, 2, 3, 1))
        assert octavo(
            capsys, "run", folder, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--raw"
        ).code == 0  # fmt: skip
        raw.append(np.load(tmp_path / "y.npy"))
    np.testing.assert_array_equal(*raw)
    refused = octavo(
        capsys, "compile", shelf / "build/model.tflite", "--calibration", shelf / "data.npz", "-o", tmp_path / "no"
    )
    assert refused.code == 1 and "quantized already" in refused.err and not (tmp_path / "no").exists()


def test_eval_says_what_the_check_reads(shelf: Path, capsys: Capture) -> None:
    answer = octavo(capsys, "eval", shelf / "build", "--data", shelf / "data.npz", "--json")
    keys = ["float_accuracy", "integer_accuracy", "agreement", "sqnr_db", "samples"]
    assert answer.code == 0 and list(answer.document) == keys
    assert answer.document["samples"] == SAMPLES and answer.document["sqnr_db"] > 30
    few = octavo(capsys, "eval", shelf / "build", "--data", shelf / "data.npz", "--samples", 7, "--json")
    assert few.document["samples"] == 7
    assert "accuracy" in octavo(capsys, "eval", shelf / "build", "--data", shelf / "data.npz").out


def test_float_accuracy_is_onnx_runtimes(shelf: Path, capsys: Capture) -> None:
    data = np.load(shelf / "data.npz")
    session = onnxruntime.InferenceSession(shelf / "tiny.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": data["inputs"]})
    answer = octavo(capsys, "eval", shelf / "build", "--data", shelf / "data.npz", "--json")
    assert answer.document["float_accuracy"] == pytest.approx((logits.argmax(1) == data["labels"]).mean())


def test_eval_without_labels_has_no_accuracy(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    data = save_data(tmp_path / "plain.npz", labels=False)
    document = octavo(capsys, "eval", shelf / "build", "--data", data, "--json").document
    assert document["float_accuracy"] is None and document["integer_accuracy"] is None
    assert 0.9 <= document["agreement"] <= 1.0


def test_run_is_close_to_onnx_runtime(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    x = np.load(shelf / "data.npz")["inputs"]
    np.save(tmp_path / "x.npy", x)
    answer = octavo(
        capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--json"
    )
    assert answer.code == 0 and answer.document["instructions"] is None
    session = onnxruntime.InferenceSession(shelf / "tiny.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    got = np.load(tmp_path / "y.npy")
    assert got.dtype == np.float32 and np.abs(got - expected).max() < 0.03 * np.abs(expected).max()


def test_run_takes_one_sample_and_gives_integers_when_asked(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "one.npy", np.zeros((2, 5, 5), np.int8))
    answer = octavo(
        capsys, "run", shelf / "build", "--input", tmp_path / "one.npy", "--output", tmp_path / "y.npy", "--raw"
    )
    assert answer.code == 0, answer.err
    assert np.load(tmp_path / "y.npy").shape == (1, 3) and np.load(tmp_path / "y.npy").dtype == np.int8
    np.save(tmp_path / "one.npy", np.zeros((2, 5, 5), np.float32))
    refused = octavo(capsys, "run", shelf / "build", "--input", tmp_path / "one.npy", "--raw")
    assert refused.code == 1 and "not int8" in refused.err


def test_written_outputs_can_be_read_by_others(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """The file has the rights that the user's other new files have, and nothing else is left beside it."""
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 5, 5), np.float32))
    command = ("run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert octavo(capsys, *command).code == 0
    assert (tmp_path / "y.npy").stat().st_mode == (tmp_path / "x.npy").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


@pytest.mark.parametrize("core", ["cortex-m4", "rv32imc"])
def test_run_and_profile_on_a_core(shelf: Path, tmp_path: Path, capsys: Capture, core: str) -> None:
    require_device(core)
    np.save(tmp_path / "x.npy", np.load(shelf / "data.npz")["inputs"][:2])
    outputs = []
    for on in ("host", core):
        answer = octavo(
            capsys, "run", shelf / "build", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy",
            "--on", on, "--json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        outputs.append(np.load(tmp_path / "y.npy"))
    np.testing.assert_array_equal(*outputs)
    assert all(name in row["source"] for name, row in zip(LAYERS, answer.document["layers"], strict=True))
    assert answer.document["instructions"] >= sum(row["instructions"] for row in answer.document["layers"]) > 1000
    profile = octavo(capsys, "profile", shelf / "build", "--on", core, "--json").document
    assert profile["instructions"] > 1000 and profile["code_bytes"] > 0
    assert profile["arena_bytes"] >= profile["arena_lower_bound_bytes"] > 0
    assert sum(row["macs"] for row in profile["layers"]) == 2100
    cycles = [row["estimated_cycles"] for row in profile["layers"]]
    assert all(cycles) and sum(cycles) <= profile["estimated_cycles"] <= 10 * profile["instructions"]
    clock = profile["assumptions"]["clock_hz"]
    assert profile["estimated_ms"] == pytest.approx(profile["estimated_cycles"] * 1e3 / clock)
    energy = profile["estimated_cycles"] * profile["assumptions"]["picojoules_per_cycle"] / 1e6
    assert profile["estimated_microjoules"] == pytest.approx(energy)
    assert profile["assumptions"]["flash_wait_states"] == 0 and profile["assumptions"]["cycles"]
    for row in profile["layers"]:
        assert row["flash_bytes_read"] + row["ram_bytes_read"] > row["input_bytes"]
        assert row["ram_bytes_written"] >= row["output_bytes"] and sum(row["mix"].values()) > 0
    assert profile["svg"] is None and profile["notes"] == []
    shown = octavo(capsys, "profile", shelf / "build")
    assert shown.code == 0 and all(name in shown.out for name in LAYERS)
    for word in ("est. cycles", "est. µJ", "flash read", "estimated, not measured", "STM32L4R5"):
        assert word in shown.out, word


def test_profile_draws_every_value_of_the_arena(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    picture = tmp_path / "arena.svg"
    answer = octavo(capsys, "profile", shelf / "build", "--on", "host", "--svg", picture, "--json")
    assert answer.code == 0 and answer.document["svg"] == str(picture)
    manifest = octavo(capsys, "inspect", shelf / "build", "--json").document
    boxes = [e for e in ElementTree.parse(picture).iter() if e.get("data-name") and "box" in e.get("class", "")]
    assert sorted(e.get("data-name", "") for e in boxes) == sorted(row["name"] for row in manifest["arena_values"])
    assert any("scratch" in e.get("class", "") for e in boxes), "the DSP kernels have working memory"
    refused = octavo(capsys, "profile", shelf / "build", "--on", "host", "--svg", tmp_path)
    assert refused.code == 1 and "not a plain file" in refused.err


def test_profile_without_an_emulator(shelf: Path, capsys: Capture) -> None:
    """What the demo shows where no emulator is installed."""
    document = octavo(capsys, "profile", shelf / "build", "--on", "host", "--json").document
    assert document["instructions"] is document["code_bytes"] is document["layers"][0]["instructions"] is None
    assert document["arena_bytes"] > 0 and document["model_bytes"] > 0
    assert document["estimated_cycles"] is document["layers"][0]["estimated_microjoules"] is None
    shown = octavo(capsys, "profile", shelf / "build", "--on", "host")
    assert shown.code == 0 and LAYERS[0] in shown.out and "est." not in shown.out and "RAM read" not in shown.out


def test_inspect_shows_names_as_they_are(shelf: Path, capsys: Capture) -> None:
    for path in (shelf / "tiny.onnx", shelf / "build"):
        shown = octavo(capsys, "inspect", path)
        assert shown.code == 0 and all(name in shown.out for name in LAYERS), shown
    document = octavo(capsys, "inspect", shelf / "tiny.onnx", "--json").document
    assert [node["op"] for node in document["nodes"]].count("Conv2D") == 1
    assert octavo(capsys, "inspect", shelf / "build", "--json").document["generator"] == "octavo"


def test_targets_and_version(capsys: Capture) -> None:
    import octavo as package

    assert "cortex-m4" in [row["name"] for row in octavo(capsys, "targets", "--json").document["targets"]]
    assert "cortex-m55" in octavo(capsys, "targets").out
    assert octavo(capsys, "--version").out == f"octavo {package.__version__}\n"


@pytest.mark.parametrize("command", ["targets", "--help", "--version"])
def test_quick_commands_do_not_wait_for_torch(command: str) -> None:
    program = (
        "import atexit, sys; sys.argv = ['octavo', sys.argv[1]]\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from octavo.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", program, command], capture_output=True, text=True, check=True)
    assert "octavo.cli.app" in result.stderr.split() and result.stdout
    assert not {"torch", "onnx", "tflite", "safetensors"} & set(result.stderr.split())


def test_configuration_in_one_file_and_flags_win(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """Paths in the file are relative to it."""
    config = tmp_path / "octavo.toml"
    (tmp_path / "net.onnx").write_bytes((shelf / "tiny.onnx").read_bytes())
    save_data(tmp_path / "data.npz")
    config.write_text(
        'model = "net.onnx"\ncalibration = "data.npz"\noutput = "made"\ntarget = "cortex-m7"\nname = "small"\n'
        'ranges = "minmax"\ngranularity = "per-tensor"\ncalibration_samples = 8\n'
    )
    document = octavo(capsys, "compile", "--config", config, "--target", "cortex-m0", "--json").document
    assert document["folder"] == str(tmp_path / "made")
    assert document["target"] == "cortex-m0" and document["name"] == "small"


def test_a_folder_of_images(shelf: Path, tmp_path: Path, capsys: Capture) -> None:
    """Two-channel networks take no pictures: the refusal names the input and both shapes."""
    for index in range(4):
        path = tmp_path / "pictures" / str(index % 2) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (7, 7), (index * 60, 10, 200)).save(path)
    config = tmp_path / "c.toml"
    config.write_text("[preprocessing]\nsize = [5, 5]\nscale = 0.004\n")
    answer = octavo(capsys, "eval", shelf / "build", "--data", tmp_path / "pictures", "--config", config)
    assert answer.code == 1 and "[4, 3, 5, 5]" in answer.err and "[N, 2, 5, 5]" in answer.err


def test_the_five_lines(shelf: Path, tmp_path: Path) -> None:
    """In a fresh interpreter: the public names are the functions, in whatever order they are asked for."""
    program = (
        "import numpy as np, octavo\n"
        f"data = np.load({str(shelf / 'data.npz')!r})['inputs']\n"
        f"graph = octavo.load({str(shelf / 'tiny.onnx')!r})\n"
        "qgraph = octavo.quantize(graph, calibration=[data], target='cortex-m4')\n"
        "print(octavo.compare(graph, qgraph, data))\n"
        f"octavo.export(qgraph, {str(tmp_path / 'build')!r})\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "SQNR" in result.stdout and (tmp_path / "build/manifest.json").is_file()
