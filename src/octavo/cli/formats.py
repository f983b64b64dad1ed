"""``octavo formats MODEL``: what each number format does to a tensor, as tables, JSON and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octavo import api
from octavo.analysis.formats import ASYMMETRIC, Effect, activation_effects, encoding_levels, format_effects, histogram
from octavo.analysis.weights import LayerWeights, find_layer, find_tensor, layer_weights
from octavo.cli import tables
from octavo.cli.commands import calibration_data
from octavo.cli.document import emit
from octavo.datasets import batches
from octavo.errors import OctavoError
from octavo.files import replace_file
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.report.levels import Panel, levels_svg

__all__ = ["Choice", "show_formats"]

BINS = 160
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Which formats to show, and how their ranges are found; None for all formats, and for mse."""

    format: str | None
    granularity: str | None
    weight_ranges: str | None
    ranges: str | None


def show_formats(
    model: Path,
    tensor: str | None,
    layer: str | None,
    choice: Choice,
    data: tuple[Path | None, int | None, Path | None],
    picture: tuple[Path | None, bool],
    json: bool,
) -> None:
    """All layers, or one tensor. ``data`` is calibration, how many samples, configuration; ``picture`` file, log."""
    loaded = api.load(model)
    graph = loaded.graph if isinstance(loaded, Quantized) else loaded
    calibration, samples, _ = data
    of_activations = {"calibration": calibration, "calibration-samples": samples, "ranges": choice.ranges}
    if tensor is None and layer is None:
        _refuse("layers' weights", of_activations)
        _layers(graph, choice, json)
        return
    weights = find_layer(graph, layer) if layer is not None else find_tensor(graph, str(tensor))
    if weights is not None:
        _refuse("weights", of_activations)
        rows = _weight_rows(weights, choice)
        title = f"{weights.source}: {weights.kind} weights {list(weights.values.shape)}"
        values, low, high = _histogram(weights.values)
    else:
        _refuse("an activation", {"weight-ranges": choice.weight_ranges, "granularity": choice.granularity})
        rows, values, low, high = _activation_rows(graph, str(tensor), choice, data)
        title = f"{tensor}: activation {list(graph.types[str(tensor)].shape)}"
    svg, log = picture
    if svg is not None:
        panels = [_panel(row, low, high) for row in rows]
        text = levels_svg(title, values, low, high, panels, log)
        replace_file(svg, lambda path: path.write_text(text, encoding="utf-8"), "--svg")
    if json:
        named = {"tensor": weights.tensor, "layer": weights.layer} if weights else {"tensor": tensor, "layer": None}
        picture_path = None if svg is None else str(svg)
        emit({**named, "formats": [row.row() for row in rows], "svg": picture_path})
    else:
        tables.effects(title, rows)
        if svg is not None:
            tables.written(svg, {})


def _refuse(shown: str, flags: Mapping[str, object]) -> None:
    """OctavoError for a flag that was given and has no meaning for what is shown."""
    for flag, value in flags.items():
        if value is not None:
            raise OctavoError(f"--{flag}", f"has no effect on {shown}", "Leave it out, or choose another --tensor.")


def _layers(graph: Graph, choice: Choice, json: bool) -> None:
    """Every layer's SQNR in each format, per channel unless told otherwise."""
    found = layer_weights(graph)
    if not found:
        raise OctavoError(graph.name, "has no layers with weights", "Give a network with convolutions or the like.")
    only = Choice(choice.format, choice.granularity or "per-channel", choice.weight_ranges, choice.ranges)
    # 16x8 has the weights of affine; the energy that tells them apart is not shown here.
    rows = [(entry, [row for row in _weight_rows(entry, only) if row.name != "16x8"]) for entry in found]
    if json:
        document = [
            {
                "layer": entry.layer,
                "source": entry.source,
                "tensor": entry.tensor,
                "kind": entry.kind,
                "shape": list(entry.values.shape),
                "sqnr_db": {row.name: row.sqnr_db for row in effects},
            }
            for entry, effects in rows
        ]
        emit({"granularity": only.granularity, "layers": document})
    else:
        names = [row.name for row in rows[0][1]]
        lines = [(entry.source, entry.kind, [row.sqnr_db for row in effects]) for entry, effects in rows]
        tables.layer_effects(f"SQNR in dB of weights, {only.granularity}", names, lines)


def _weight_rows(weights: LayerWeights, choice: Choice) -> list[Effect]:
    method = choice.weight_ranges or "mse"
    found = format_effects(
        weights.values, weights.channel_axis, choice.granularity, method, weights.sharing, weights.source
    )
    return _chosen(found, choice.format)


def _chosen(rows: Sequence[Effect], format: str | None) -> list[Effect]:
    """The rows of one format, or all."""
    if format is None:
        return list(rows)
    kept = [row for row in rows if format in (*row.name.split(", "), row.name.split()[0])]
    if not kept:
        names = dict.fromkeys(name for row in rows for name in row.name.split(", "))
        raise OctavoError(
            f"format {format}",
            "is not among those that can be shown here",
            f"Use one of {', '.join(name.replace(ASYMMETRIC, ASYMMETRIC.split()[0]) for name in names)}.",
        )
    return kept


def _activation_rows(
    graph: Graph, tensor: str, choice: Choice, data: tuple[Path | None, int | None, Path | None]
) -> tuple[list[Effect], Vector, float, float]:
    """Rows, and the histogram with its ends."""
    path, samples, config = data
    if path is None:
        raise OctavoError(f"tensor {tensor}", "is an activation: it needs samples", "Give --calibration.")
    dataset = calibration_data(path, config, samples)
    found, statistics = activation_effects(graph, list(batches(dataset)), tensor, choice.ranges or "mse")
    return _chosen(found, choice.format), histogram(statistics, BINS), *statistics.minmax.range


def _histogram(values: Array) -> tuple[Vector, float, float]:
    """Counts in equal bins between the extremes."""
    flat = values.astype(np.float64).ravel()
    low, high = float(flat.min()), float(flat.max())
    counts, _ = np.histogram(flat, BINS, (low, high))
    return counts.astype(np.float64), low, high


def _panel(row: Effect, low: float, high: float) -> Panel:
    title = row.name if row.granularity == "-" else f"{row.name}, {row.granularity}"
    note = f"SQNR {row.sqnr_db:.1f} dB, {row.levels_used:,} of {row.levels:,} levels used, {row.bytes:,} bytes"
    if row.encoding.dtype == "float16":
        halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
        finite = halves[np.isfinite(halves)].astype(np.float64)
        return Panel(title, note, finite[(finite >= low) & (finite <= high)])
    coarse, fine = encoding_levels(row.encoding)
    return Panel(title, note, coarse, None if row.step[0] == row.step[1] else fine)
