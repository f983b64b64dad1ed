"""octavo report: one HTML file of a compiled or a fine-tuned folder, read by a parser and by a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest

from octavo import api
from octavo.build import Build
from octavo.datasets import load_dataset
from octavo.train import Recipe
from tests.cli.networks import octavo, save_data, save_network

HOSTILE = "<script>alert(1)</script>"
VALUE = '"><img src=x onerror=alert(2)>'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """What a page says, without its style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.words = ""
        self._inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._inside:
            self.words += data


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with hostile names, compiled/ with a ladder and tuned/, and their reports."""
    folder = tmp_path_factory.mktemp("reports")
    model = onnx.load(save_network(folder / "tiny.onnx"))
    for node in model.graph.node:
        node.name = f"{node.name} {HOSTILE}"
        for values in (node.input, node.output):
            values[:] = [f"{value} {VALUE}" if value in "crf" else value for value in values]
    onnx.save(model, folder / "tiny.onnx")
    data = load_dataset(save_data(folder / "data.npz"))
    graph = api.load(folder / "tiny.onnx")
    quantized = api.quantize(graph, data.inputs, format="4x4", max_drop=0.0, labels=data.labels)
    api.export(quantized, folder / "compiled", "tiny")
    recipe = Recipe(epochs=3, batch=8, hold_oscillating=0.001)
    tuned = api.finetune(quantized, data.inputs, data.labels, data.inputs, data.labels, recipe=recipe)
    api.export(tuned, folder / "tuned", "tiny")
    return folder


def write(capsys: pytest.CaptureFixture[str], folder: Path, output: Path) -> str:
    answer = octavo(capsys, "report", folder, "-o", output, "--json")
    assert answer.code == 0, answer.err
    assert answer.document == {"report": str(output), "bytes": output.stat().st_size}
    return output.read_text(encoding="utf-8")


def pictures(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(part) for part in re.findall(r"<svg.*?</svg>", text, re.S)]


@pytest.mark.parametrize(("name", "count"), [("compiled", 1), ("tuned", 6)])
def test_a_report_says_what_there_is_and_draws_it(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, count: int
) -> None:
    text = write(capsys, reports / name, tmp_path / "report.html")
    found, build = Page(text), Build.open(reports / name)
    sections = ["answer", "tried", "layers", "memory", "notes", *(["training"] if name == "tuned" else [])]
    assert [anchor for anchor in found.attributes["id"] if anchor in sections] == sections
    assert found.attributes["href"] == [f"#{anchor}" for anchor in sections]
    for key in ("arena_bytes", "model_bytes", "macs"):
        assert f"{build.manifest[key]:,}" in found.words
    for node in build.quantized.graph.nodes:
        assert node.source in found.words and node.kind in found.words
    for row in build.quantized.plan.trail:
        assert row["rung"] in found.words
    for note in build.quantized.plan.notes:
        assert note in found.words
    assert "int4" in found.words and "per channel, 4" in found.words
    drawn = pictures(text)
    assert len(drawn) == count == found.tags.count("svg")
    for picture in drawn:
        lines = [path.get("d", "") for path in picture.iter(f"{SVG}path") if path.get("class", "").startswith("line")]
        boxes = list(picture.iter(f"{SVG}rect"))
        assert all(len(line.split("L")) > 1 for line in lines) and len(lines) + len(boxes) > 0
        assert "nan" not in ElementTree.tostring(picture, encoding="unicode")


def test_a_fine_tuned_folder_tells_its_training(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = write(capsys, reports / "tuned", tmp_path / "report.html")
    story = Build.open(reports / "tuned").quantized.plan.verdict["finetuning"]
    words = Page(text).words
    for number, row in enumerate(story["epochs"], 1):
        assert f"{row['loss']:.4f}" in words and f"{row['score']:.2%}" in words
        assert (f"{number}, kept" in words) == (number == story["kept"])
    titles = {element.text for picture in pictures(text) for element in picture.iter(f"{SVG}text")}
    assert {"Loss", "Learning rate", "Accuracy of the integers", "Scales of weights", "Scales of activations",
            "Weights that oscillate"} <= titles  # fmt: skip
    (loss,) = (p for p in pictures(text) if "Loss" in {element.text for element in p.iter(f"{SVG}text")})
    line = next(path for path in loss.iter(f"{SVG}path") if path.get("class") == "line s0")
    assert len(line.get("d", "").split("L")) == len(story["history"]["loss"]) == 15


@pytest.mark.parametrize("name", ["compiled", "tuned"])
def test_names_are_text_and_nothing_comes_from_elsewhere(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = write(capsys, reports / name, tmp_path / "report.html")
    found = Page(text)
    assert HOSTILE in found.words and HOSTILE not in text and "<img" not in text
    assert not {"script", "img", "link", "iframe", "object", "embed", "foreignobject"} & set(found.tags)
    assert not [key for key in found.attributes if key.startswith("on")]
    assert not re.findall(r"https?:(?!//www\.w3\.org/2000/svg)|//(?!www\.w3\.org/2000/svg)\w|url\((?!#)|@import", text)
    assert not found.attributes.get("src") and all(link.startswith("#") for link in found.attributes["href"])
    again = write(capsys, reports / name, tmp_path / "again.html")
    assert again == text and len(text.encode()) < 100_000
    shutil.copytree(reports / name, tmp_path / "moved")
    assert write(capsys, tmp_path / "moved", tmp_path / "moved.html") == text


def test_a_quantized_model_has_a_report_without_a_ladder(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    octavo(capsys, "compile", shelf / "build" / "model.tflite", "-o", tmp_path / "build")
    found = Page(write(capsys, tmp_path / "build", tmp_path / "report.html"))
    assert "tried" not in found.attributes["id"] and "not measured here" in found.words


def test_what_cannot_be_told_or_written_is_refused(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = octavo(capsys, "report", tmp_path, "-o", tmp_path / "report.html")
    assert answer.code == 1 and "is not a folder that octavo compile wrote" in answer.err
    answer = octavo(capsys, "report", reports / "compiled", "-o", tmp_path / "nowhere" / "report.html")
    assert answer.code == 1 and "cannot be written" in answer.err
    shutil.copytree(reports / "compiled", tmp_path / "other")
    marker = tmp_path / "other" / "manifest.json"
    manifest = json.loads(marker.read_text())
    for key, value in (("layers", [{}]), ("macs", "many"), ("not_written", None), ("arena_bytes", [])):
        marker.write_text(json.dumps({**manifest, key: value}))
        answer = octavo(capsys, "report", tmp_path / "other", "-o", tmp_path / "report.html")
        assert answer.code == 1 and "another version of Octavo" in answer.err, answer.err
    assert not (tmp_path / "report.html").exists()


def test_fine_tuning_says_how_to_get_a_report(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = reports / "data.npz", tmp_path / "a folder"
    answer = octavo(
        capsys, "finetune", reports / "compiled", "--train", data, "--evaluation", data, "--epochs", 1, "-o", output
    )
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == f"for a report: octavo report '{output}' -o report.html"


def browse(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--enable-logging=stderr",
        "--virtual-time-budget=2000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
@pytest.mark.parametrize("name", ["compiled", "tuned"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_scrolling_sideways(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, width: int
) -> None:
    text = write(capsys, reports / name, tmp_path / "report.html")
    plain = browse(tmp_path / "report.html", tmp_path / "profile")
    assert "CONSOLE" not in plain.stderr, plain.stderr
    # The page allows no script, and windows are 500 wide or more: another page that holds it says how wide it is.
    holder = (
        f'<iframe width="{width}" height="20000" style="border:0" srcdoc="{escape(text)}"></iframe><script>'
        "onload = () => { const inside = document.querySelector('iframe').contentDocument; "
        "const pictures = [...inside.querySelectorAll('svg')].map(e => e.getBoundingClientRect().width); "
        "document.body.dataset.widths = [inside.defaultView.innerWidth, inside.documentElement.scrollWidth, "
        "Math.min(...pictures)].join(' '); }</script>"
    )
    (tmp_path / "holder.html").write_text(holder, encoding="utf-8")
    said = browse(tmp_path / "holder.html", tmp_path / "profile")
    found = re.search(r'data-widths="([\d.]+) ([\d.]+) ([\d.]+)"', said.stdout)
    assert found is not None, said.stdout[:2000]
    inner, page, narrowest = map(float, found.groups())
    assert inner == width and page <= width and narrowest > 300
    assert "CONSOLE" not in said.stderr, said.stderr
