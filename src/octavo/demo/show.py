"""How the demo looks: pictures in shades of text, and tables of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from octavo.demo.commands import Evaluation, Profile

__all__ = ["files_table", "heaviest_table", "picture", "pictures", "results_table"]

_SHADES = " ·░▒▓█"
_FILES = (
    ("manifest.json", "what was built, with which encodings"),
    ("model", "C99 for your firmware: a library with manifests and a self-test"),
    ("model.tflite", "int8 TensorFlow Lite, the same integers"),
    ("model_qdq.onnx", "ONNX with quantize / dequantize nodes"),
)


def picture(image: NDArray[np.float32]) -> Text:
    """A grey image [H, W] in [0, 1], two rows of pixels to a line of text (a character is twice as high as wide)."""
    grey = (image[::2] + image[1::2]) / 2
    shade = np.clip(np.rint(grey * (len(_SHADES) - 1)), 0, len(_SHADES) - 1).astype(int)
    return Text("\n".join("".join(_SHADES[level] for level in row) for row in shade.tolist()))


def pictures(
    images: NDArray[np.float32], answers: NDArray[np.float32], labels: NDArray[np.uint8], names: tuple[str, ...]
) -> RenderableType:
    """Images side by side, under each what the integers say, and what is right where they don't."""
    panels = []
    for image, logits, label in zip(images, answers.reshape(len(images), -1), labels.tolist(), strict=True):
        said = int(logits.argmax())
        verdict = Text(names[said], "bold green" if said == label else "bold red")
        if said != label:
            verdict.append(f" (is: {names[label]})", "dim")
        panels.append(Panel(Group(picture(image[0]), Text(""), verdict), expand=False, border_style="dim"))
    return Columns(panels)


def results_table(evaluation: Evaluation, profile: Profile, board: str | None) -> Table:
    """Accuracy, memory and work of the float network and of its integers."""
    table = Table(title="Float and integer", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("float32", justify="right")
    table.add_column("int8", justify="right", style="bold")
    table.add_column("", style="dim")
    table.add_row(
        "accuracy",
        f"{evaluation.float_accuracy:.2%}",
        f"{evaluation.integer_accuracy:.2%}",
        f"{evaluation.samples} test images, the C run on this computer",
    )
    table.add_row("agreement", "", f"{evaluation.agreement:.2%}", "images on which both give the same answer")
    table.add_row("SQNR", "", f"{evaluation.sqnr_db:.1f} dB", "signal to quantization noise of the logits")
    bound = profile.arena_lower_bound_bytes
    above = profile.arena_bytes / bound - 1 if bound else 0.0
    note = "the least that is possible" if profile.arena_bytes <= bound else f"{above:.1%} above the least possible"
    table.add_row("RAM", "", _kilobytes(profile.arena_bytes), f"activations, {note}")
    table.add_row("flash, weights", "", _kilobytes(profile.model_bytes), "constants of the network")
    if profile.code_bytes is not None:
        table.add_row("flash, code", "", _kilobytes(profile.code_bytes), "all of its C")
    if profile.instructions is not None and board is not None:
        table.add_row("instructions", "", f"{profile.instructions / 1e6:.2f} M", f"one image, emulated {board}")
    return table


def heaviest_table(profile: Profile, count: int = 5) -> Table:
    """The layers with most instructions (most multiplications, without an emulated core)."""
    counted = profile.instructions is not None
    layers = sorted(profile.layers, key=lambda row: row.instructions or 0 if counted else row.macs, reverse=True)
    table = Table(title="Heaviest layers", title_style="bold", show_edge=False, pad_edge=False)
    for heading in ("layer", "kernel"):
        table.add_column(heading)
    for heading in ("MACs", "instructions", "share") if counted else ("MACs",):
        table.add_column(heading, justify="right")
    for row in layers[:count]:
        cells = [row.source, row.kernel, f"{row.macs:,}"]
        if counted:
            mine = row.instructions or 0
            cells += [f"{mine:,}", f"{mine / max(profile.instructions or 1, 1):.0%}"]
        table.add_row(*cells)
    return table


def files_table(folder: Path) -> Table:
    """What lies in the folder that was written."""
    table = Table(title=f"Files in {folder}", title_style="bold", show_header=False, show_edge=False, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column(style="dim")
    for name, what in _FILES:
        if (folder / name).exists():
            table.add_row(f"{folder / name}", what)
    return table


def _kilobytes(size: int) -> str:
    return f"{size / 1024:.1f} KiB"
