"""The shipped network and samples are what their README says, and the demo's tables read well."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console, RenderableType

from octavo.demo import commands, show
from octavo.demo.commands import Evaluation, Layer, Profile
from octavo.demo.network import CLASSES
from octavo.demo.samples import load_network, load_samples
from octavo.errors import OctavoError

PROFILE = {
    "arena_bytes": 18816,
    "arena_lower_bound_bytes": 18816,
    "code_bytes": 9000,
    "model_bytes": 70000,
    "instructions": 20_000_000,
    "layers": [
        {"source": "stem", "kernel": "conv2d_s8", "macs": 56448, "instructions": 1_500_000},
        {"source": "pointwise", "kernel": "conv2d_s8", "macs": 802816, "instructions": 9_000_000},
    ],
}


def drawn(what: RenderableType) -> str:
    """Plain text of something that rich draws."""
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(what)
    return console.export_text()


def test_samples_are_balanced_and_in_range() -> None:
    samples = load_samples()
    assert samples.calibration.shape == (200, 1, 28, 28)
    assert samples.inputs.shape == (800, 1, 28, 28)
    assert samples.class_names == CLASSES
    assert samples.inputs.dtype == samples.calibration.dtype == np.float32
    assert 0.0 == samples.inputs.min() and samples.inputs.max() == 1.0
    assert np.bincount(samples.labels, minlength=10).min() > 50


def test_network_is_as_accurate_as_its_readme_says() -> None:
    samples, network = load_samples(), load_network()
    with torch.inference_mode():
        predicted = network(torch.from_numpy(samples.inputs)).argmax(dim=1).numpy()
    assert abs(int((predicted == samples.labels).sum()) - 748) <= 1
    assert sum(p.numel() for p in network.parameters()) == 63306


def test_assets_are_small() -> None:
    sizes = {path.name: len(path.read_bytes()) for path in (files("octavo.demo") / "assets").iterdir()}
    assert sizes["fashion_mnist_cnn.safetensors"] < 500_000
    assert sizes["samples.npz"] < 600_000


def test_tables_say_what_was_measured() -> None:
    layers = tuple(Layer(*row.values()) for row in PROFILE["layers"])  # type: ignore[attr-defined]
    profile = Profile(**{**PROFILE, "layers": layers})  # type: ignore[arg-type]
    text = drawn(show.results_table(Evaluation(0.935, 0.93375, 0.9925, 31.2, 800), profile, "cortex-m4"))
    for part in ("93.50%", "93.38%", "99.25%", "31.2 dB", "18.4 KiB", "the least that is possible", "20.00 M"):
        assert part in text
    heaviest = drawn(show.heaviest_table(profile, 1))
    assert "pointwise" in heaviest and "45%" in heaviest and "stem" not in heaviest


def test_tables_do_without_an_emulated_core() -> None:
    layers = (Layer("stem", "QConv2D", 56448, None), Layer("pointwise", "QConv2D", 802816, None))
    profile = Profile(1050, 1000, None, 70000, None, layers)
    text = drawn(show.results_table(Evaluation(0.9, 0.9, 1.0, 30.0, 10), profile, None))
    assert "instructions" not in text and "code" not in text and "5.0% above" in text
    assert "instructions" not in drawn(show.heaviest_table(profile))


def test_pictures_name_the_answer() -> None:
    images = np.zeros((2, 1, 28, 28), np.float32)
    answers = np.eye(10, dtype=np.float32)[[1, 8]]
    text = drawn(show.pictures(images, answers, np.array([1, 2], np.uint8), CLASSES))
    assert "Trouser" in text and "Bag (is: Pullover)" in text


def test_commands_read_json_and_pass_refusals_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    answer = subprocess.CompletedProcess[str]((), 0, json.dumps(PROFILE), "")

    def fake(command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return answer

    monkeypatch.setattr(subprocess, "run", fake)
    profile = commands.profile(Path("b"), "cortex-m4")
    assert asked == [(sys.executable, "-m", "octavo", "profile", "b", "--on", "cortex-m4", "--json")]
    assert profile.instructions == 20_000_000 and profile.layers[1].macs == 802816
    answer = subprocess.CompletedProcess[str]((), 3, "", "something\nmodel.c: is missing. Compile again.\n")
    with pytest.raises(OctavoError, match="model.c: is missing"):
        commands.evaluate(Path("b"), Path("t.npz"))
