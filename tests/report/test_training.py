"""The section on training: what a story tells is drawn and said."""

from __future__ import annotations

import copy
import re
from typing import Any
from xml.etree import ElementTree

from octavo.report.blocks import Figure, Table, Text
from octavo.report.training import training

SVG = "{http://www.w3.org/2000/svg}"
LAYERS = 10


def story(kept: int = 2) -> dict[str, Any]:
    """Three epochs of ten layers, of which the last moved and oscillated most."""
    epochs = [{"loss": 2.0 / n, "score": 0.5 + n / 100, "oscillating": 0.01 * n} for n in (1, 2, 3)]
    layers = [
        {
            "layer": f"layer {at}",
            "scale": [1.0, 1 + at / 100, 1 + at / 50],
            "scale_min": [0.9, 0.9, 1 - at / 20],
            "scale_max": [1.1, 1.1, 1 + at / 20],
            "oscillating": [0.0, at / 100, at / 200],
            "held": [0.0, 0.0, 0.0],
        }
        for at in range(LAYERS)
    ]
    history = {
        "steps_each_epoch": 2,
        "steps": [1, 2, 3, 4, 5, 6],
        "loss": [9.0, 5.0, 3.0, 2.0, 1.0, 0.5],
        "rate": [0.1, 0.1, 0.08, 0.05, 0.02, 0.0],
        "epochs": [1, 2, 3],
        "layers": layers,
        "activations": [{"value": "v", "layer": "layer 0", "scale": [1.0, 1.5, 2.0]}],
    }
    return {
        "judged_by": 70, "score": "agreement", "float_accuracy": None, "before": 0.4, "epochs": epochs, "kept": kept,
        "history": history, "simulation": {"samples": 70, "differing": 0.004, "steps": 1},
    }  # fmt: skip


def drawn(found: dict[str, Any]) -> dict[str, ElementTree.Element]:
    """Figures by their first title."""
    section = training({"finetuning": found})
    assert section is not None
    pictures = [ElementTree.fromstring(block.svg) for block in section.blocks if isinstance(block, Figure)]
    return {str(next(picture.iter(f"{SVG}text")).text): picture for picture in pictures}


def test_without_training_there_is_no_section() -> None:
    assert training({"split": {}}) is None


def test_the_kept_epoch_is_told() -> None:
    section = training({"finetuning": story()})
    assert section is not None
    (said,) = (block.text for block in section.blocks if isinstance(block, Text))
    assert said.startswith("Epoch 2 of 3 was kept: agreement 40.00% before training, 52.00% after it.")
    assert said.endswith("Training saw 0.40% of the outputs otherwise than the integers are.")
    epochs, layers = (block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in epochs.rows] == ["before", "1", "2, kept", "3"] and list(epochs.strong) == [2]
    assert len(layers.rows) == LAYERS and layers.rows[9] == ("layer 9", "1.18", "0.55 to 1.45", "4.50%", "0.00%")
    nothing = training({"finetuning": story(0)})
    assert nothing is not None and isinstance(nothing.blocks[0], Text) and "brought nothing" in nothing.blocks[0].text


def test_the_layers_that_moved_most_have_colours() -> None:
    for title in ("Scales of weights", "Weights that oscillate"):
        picture = drawn(story())[title]
        named = "".join("".join(row.itertext()) for row in picture.iter(f"{SVG}text") if row.findall(f"{SVG}tspan"))
        assert re.findall(r"layer (\d)", named) == ["4", "5", "6", "7", "8", "9"] and "4 others" in named
        grey = [path for path in picture.iter(f"{SVG}path") if path.get("class") == "other"]
        assert ["".join(path.itertext()) for path in grey] == [f"layer {at}" for at in range(4)]
        lines = [path for path in picture.iter(f"{SVG}path") if path.get("class", "").startswith("line")]
        assert all(str(path.get("d")).count("L") == 3 for path in lines), "the start and three epochs"


def test_held_weights_are_drawn_where_there_are_any() -> None:
    def words(found: dict[str, Any]) -> str:
        return "".join(drawn(found)["Weights that oscillate"].itertext())

    held = copy.deepcopy(story())
    held["history"]["layers"][3]["held"] = [0.0, 0.1, 0.2]
    assert "Weights that are held" in words(held) and "Weights that are held" not in words(story())


def test_scores_lie_beside_the_start_and_the_float_network() -> None:
    words = "".join(drawn(story())["Agreement of the integers"].itertext())
    assert "before training" in words and "float" not in words
    labelled = {**story(), "score": "accuracy", "float_accuracy": 0.9}
    assert "float" in "".join(drawn(labelled)["Accuracy of the integers"].itertext())
