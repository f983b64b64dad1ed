"""octavo finetune: from a compiled folder to a better one, judged in integers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import octavo
import octavo.build
from octavo.build import Build
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.num.formats import FORMATS
from octavo.quant.mixed import node_cost
from octavo.train import Recipe
from tests.cli.networks import octavo as command
from tests.networks.torch_networks import seeded
from tests.train.test_module import SAMPLE, Net

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network compiled with 2-bit weights, and data that its float form labels."""
    made = tmp_path_factory.mktemp("finetune")
    network = seeded(Net, 0, SAMPLE)
    images = torch.randn(800, *SAMPLE, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        # All classes occur.
        network.classifier.bias -= network(images).mean(0)
        labels = network(images).argmax(1).numpy()
    graph = octavo.load(network, images[:1])
    assert isinstance(graph, Graph)
    np.savez(made / "train.npz", inputs=images.numpy(), labels=labels)
    np.savez(made / "unlabelled.npz", inputs=images.numpy())
    format = FORMATS["int4"].with_weights(bits=2)
    quantized = octavo.quantize(graph, images[:32].numpy(), "cortex-m4", format, equalization="none")
    octavo.export(quantized, made / "build", "classifier", optimize="size")
    return made


def finetune(capsys: pytest.CaptureFixture[str], folder: Path, data: str, output: Path, *more: object) -> Any:
    arguments = ("finetune", folder / "build", "--train", folder / data, "-o", output, "--batch", 20, "--rate", 0.005)
    return command(capsys, *arguments, *more)


@pytest.mark.slow
def test_two_processes_of_torchrun_do_what_one_does(folder: Path, tmp_path: Path) -> None:
    """Sums in another order decide a tie otherwise now and then; one of them writes."""
    recipe = ["--train", str(folder / "train.npz"), "--epochs", "1", "--batch", "40", "--rate", "0.001"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    for name, start in (("one", []), ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"])):
        more = ["-o", str(tmp_path / name), "--checkpoint", str(tmp_path / f"{name}.safetensors"), "--json"]
        line = [sys.executable, *start, "-m", "octavo", "finetune", str(folder / "build"), *recipe, *more]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count('"finetuning"') == 1
    assert not list(tmp_path.glob("*.safetensors"))
    one, two = (Build.open(tmp_path / name).quantized.plan for name in ("one", "two"))
    stories = [plan.verdict["finetuning"]["epochs"][0] for plan in (one, two)]
    assert stories[0]["loss"] == pytest.approx(stories[1]["loss"], rel=1e-3)
    for name, integers in one.integers.items():
        assert np.mean(integers == two.integers[name]) > 0.98, name


def test_labels_bring_accuracy_and_the_folder_is_for_the_same_target(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = finetune(capsys, folder, "train.npz", tmp_path / "tuned", "--epochs", 6, "--json")
    assert answer.code == 0, answer.err
    story = answer.document["finetuning"]
    assert story["judged_by"] == 80 and len(story["epochs"]) == 6
    scores = [story["before"], *(epoch["score"] for epoch in story["epochs"])]
    assert scores[story["kept"]] == max(scores) > story["before"] + 0.05
    before, after = Build.open(folder / "build"), Build.open(tmp_path / "tuned")
    for key in ("name", "target", "optimize"):
        assert after.manifest[key] == before.manifest[key]
    with np.load(folder / "train.npz") as data:
        inputs, labels = data["inputs"], data["labels"]
    right = []
    for build in (before, after):
        outputs = octavo.build.run(build, inputs).outputs
        right.append(float((next(iter(outputs.values())).reshape(len(labels), -1).argmax(1) == labels).mean()))
    assert right[1] > right[0] + 0.05


def test_the_float_network_teaches_without_labels(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = finetune(capsys, folder, "unlabelled.npz", tmp_path / "tuned", "--epochs", 4)
    assert answer.code == 0, answer.err
    assert "Fine-tuning" in answer.out and "(kept)" in answer.out and "Judged in integers by 80 samples" in answer.out


def test_the_same_training_gives_the_same_bytes_and_the_folder_tells_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [finetune(capsys, folder, "train.npz", tmp_path / name, "--epochs", 2, "--json") for name in "ab"]
    files = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in "ab"
    ]
    assert files[0] == files[1]
    story = said[0].document["finetuning"]
    stored = Build.open(tmp_path / "a").quantized.plan.verdict["finetuning"]
    assert stored == {**story, "epochs": [{k: v for k, v in row.items() if k != "seconds"} for row in story["epochs"]]}
    assert stored["score"] == "accuracy" and stored["float_accuracy"] == 1.0
    history = stored["history"]
    assert history["steps"] == list(range(1, 73)) and history["epochs"] == [1, 2]


def test_what_is_refused_writes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "few.npz", inputs=np.zeros((50, *SAMPLE), np.float32))
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("leave 5 of them to judge by", ("--train", tmp_path / "few.npz")),
        ("is no layer of the network", ("--freeze", "nowhere")),
        ("batch_norm both", ("--batch-norm", "both")),
        ("rate 0.0", ("--rate", 0.0)),
        ("is no place for a file", ("--checkpoint", tmp_path / "nowhere" / "file")),
        ("cannot be learned: cycles follow", ("--budget", "latency=1M")),
        ("is no amount", ("--budget", "bytes=ten")),
        ("keep_bits nowhere", ("--budget", "bytes=1k", "--keep-bits", "nowhere")),
        ("settle 0.0", ("--budget", "bytes=1k", "--settle", 0)),
    ]
    for message, more in cases:
        answer = finetune(capsys, folder, "train.npz", tmp_path / "tuned", "--epochs", 1, *more)
        assert answer.code == 1 and message in answer.err, answer.err
        assert not (tmp_path / "tuned").exists()


def test_bits_are_learned_within_a_budget(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2 bits a weight take 796 bytes; the network that comes back has more, in some layers, and not in the kept one."""
    before = Build.open(folder / "build").quantized
    linear = [node for node in before.graph.nodes if len(node.inputs) == 3]
    more = ("--epochs", 2, "--budget", "bytes=1.1k", "--keep-bits", linear[-1].name, "--settle", 0.4, "--json")
    answer = finetune(capsys, folder, "train.npz", tmp_path / "tuned", *more)
    assert answer.code == 0, answer.err
    note = next(note for note in answer.document["notes"] if note.startswith("learned bits"))
    assert "of 1,100 bytes" in note
    after = Build.open(tmp_path / "tuned").quantized
    assert 796 < sum(node_cost(after, node, "bytes") for node in after.graph.nodes) <= 1100
    bits = [after.plan.qparams[node.inputs[1]].levels.bits for node in linear]
    assert bits[-1] == 2 and max(bits[:-1]) > 2


def test_a_target_without_int4_learns_no_bits(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The target of the folder counts, also one of the user's own."""
    shutil.copytree(folder / "build", tmp_path / "build")
    target = tmp_path / "build" / "target.toml"
    target.write_text('formats = ["affine"]\n' + target.read_text().replace("cortex-m4", "my-board"))
    more = ("--train", folder / "train.npz", "-o", tmp_path / "tuned", "--budget", "bytes=1k")
    answer = command(capsys, "finetune", tmp_path / "build", *more)
    assert answer.code == 1 and "needs the format int4, which the target does not have" in answer.err


def test_a_teacher_must_fit(folder: Path) -> None:
    quantized = Build.open(folder / "build").quantized
    with np.load(folder / "train.npz") as data:
        inputs = data["inputs"]
    other = octavo.load(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(360, 4)), torch.zeros(1, *SAMPLE))
    with pytest.raises(OctavoError, match="other inputs or another first output"):
        octavo.finetune(quantized, inputs, teacher=other, recipe=Recipe(epochs=1))
