"""How training went: loss, score, and layer by layer scales and weights that oscillate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.report.blocks import Block, Figure, Section, Table, Text
from octavo.report.chart import Mark, Plot, Series, chart_svg
from octavo.report.trajectories import trajectories
from octavo.report.words import share

__all__ = ["training"]

Matrix = NDArray[np.float64]


def training(verdict: Mapping[str, Any]) -> Section | None:
    """The plan's story of fine-tuning, or None without one."""
    story = verdict.get("finetuning")
    if story is None:
        return None
    history = story["history"]
    blocks: list[Block] = [
        Text(_summary(story)),
        Figure("Loss of the steps, and the learning rate", chart_svg(_loss(history))),
        Figure(f"Score in integers on {story['judged_by']:,} samples: {story['score']}", chart_svg([_score(story)])),
        _epochs(story),
        *_scales(history),
        *_shares(history),
        _layers(history),
    ]
    return Section("training", "Training", blocks)


def _summary(story: Mapping[str, Any]) -> str:
    count, kept = len(story["epochs"]), story["kept"]
    before = f"{story['score']} {share(story['before'])}"
    if not kept:
        return f"{count} epochs brought nothing: the network is the one before training, with {before}."
    apart = f"Training saw {share(story['simulation']['differing'])} of the outputs otherwise than the integers are."
    return f"Epoch {kept} of {count} was kept: {before} before training, {share(_kept(story))} after it. {apart}"


def _kept(story: Mapping[str, Any]) -> float:
    return float(story["epochs"][story["kept"] - 1]["score"])


def _loss(history: Mapping[str, Any]) -> list[Plot]:
    steps, losses = _vector(history["steps"]), _vector(history["loss"])
    wide = losses.min() > 0 and losses.max() > 10 * losses.min()
    return [
        Plot("Loss", "step", "mean loss", [Series("training", steps, losses)], log_y=bool(wide)),
        Plot("Learning rate", "step", "Adam", [Series("rate", steps, _vector(history["rate"]))]),
    ]


def _score(story: Mapping[str, Any]) -> Plot:
    scores = 100 * _vector([story["before"], *(row["score"] for row in story["epochs"])])
    epochs = np.arange(len(scores), dtype=np.float64)
    known = {"before training": story["before"], "float": story["float_accuracy"]}
    flat = [Series(name, epochs, np.full(len(scores), 100 * y)) for name, y in known.items() if y is not None]
    marks = [Mark("kept", float(story["kept"]), len(flat) + 1)]
    title = f"{story['score']} of the integers".capitalize()
    return Plot(title, "epoch", "%", [Series("integers", epochs, scores), *flat], marks, whole=True)


def _epochs(story: Mapping[str, Any]) -> Table:
    """The epochs that the history tells, and the kept one."""
    told = sorted({*story["history"]["epochs"], story["kept"]} - {0})
    rows = [("before" if story["kept"] else "before, kept", "–", share(story["before"]), "–")]
    for number in told:
        row = story["epochs"][number - 1]
        label = f"{number}, kept" if number == story["kept"] else str(number)
        rows.append((label, f"{row['loss']:.4f}", share(row["score"]), share(row["oscillating"])))
    kept = told.index(story["kept"]) + 1 if story["kept"] else 0
    columns = ("Epoch", "Mean loss", story["score"].capitalize(), "Oscillating weights")
    return Table("Epoch by epoch", columns, rows, strong=(kept,))


def _scales(history: Mapping[str, Any]) -> list[Figure]:
    """Factors since the start, which is 1."""
    epochs = _vector([0, *history["epochs"]])
    figures = []
    for key, title in (("layers", "Scales of weights"), ("activations", "Scales of activations")):
        rows = history[key]
        if not rows:
            continue
        names, mean = [str(row["layer"]) for row in rows], _matrix(rows, "scale", 1.0)
        bands = (_matrix(rows, "scale_min", 1.0), _matrix(rows, "scale_max", 1.0)) if key == "layers" else None
        moved = np.abs(np.log([*(bands or (mean,))])).max((0, 2))
        plot = trajectories(title, "epoch", "factor since the start", names, epochs, mean, moved, bands)
        said = (
            ": means over channels, shaded from the smallest to the largest" if bands else ", by what makes the value"
        )
        figures.append(Figure(f"{title}{said}; in colour those that moved most", chart_svg([plot])))
    return figures


def _shares(history: Mapping[str, Any]) -> list[Figure]:
    """Weights that oscillate, and those that are held if any are; of none at the start."""
    epochs, rows = _vector([0, *history["epochs"]]), history["layers"]
    names = [str(row["layer"]) for row in rows]
    plots = []
    for key, title in (("oscillating", "Weights that oscillate"), ("held", "Weights that are held")):
        found = 100 * _matrix(rows, key, 0.0)
        if key == "oscillating" or found.any():
            plots.append(trajectories(title, "epoch", "% of the layer", names, epochs, found, found.max(1)))
    return [Figure("Shares of each layer's weights; in colour the largest", chart_svg(plots))]


def _layers(history: Mapping[str, Any]) -> Table:
    """Where the last epoch left each layer."""
    rows = [
        (
            str(row["layer"]),
            f"{row['scale'][-1]:.4g}",
            f"{row['scale_min'][-1]:.4g} to {row['scale_max'][-1]:.4g}",
            share(row["oscillating"][-1]),
            share(row["held"][-1]),
        )
        for row in history["layers"]
    ]
    columns = ("Layer", "Factor on its scales", "Over channels", "Oscillating", "Held")
    return Table(f"After epoch {history['epochs'][-1]}", columns, rows)


def _matrix(rows: Sequence[Mapping[str, Any]], key: str, start: float) -> Matrix:
    return np.array([[start, *row[key]] for row in rows], np.float64)


def _vector(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)
