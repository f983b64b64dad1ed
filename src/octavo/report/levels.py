"""A picture of what number formats do to a tensor: its histogram, and over it the levels of each format, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["Panel", "levels_svg"]

Vector = NDArray[np.float64]

WIDTH, LEFT, TOP, TITLE = 680, 16, 44, 90
PLOT, BARS, TICKS, PANEL = WIDTH - 2 * LEFT, 64, 7, 118
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.note{font-size:11px;fill:#59636e}
.bars{fill:#a9c7f0}.coarse{stroke:#b3400f;stroke-opacity:.75;stroke-width:.7}.fine{stroke:#0b7a6e;stroke-width:.7}
.dense{stroke-opacity:.3}.axis{stroke:#818b98;stroke-width:1}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.bars{fill:#2f5a93}.coarse{stroke:#ff9d66}
.fine{stroke:#4fd1c0}}
""".strip()


@dataclass(frozen=True, eq=False)
class Panel:
    """A format: ``coarse`` are the levels where its step is largest, ``fine`` where it is smallest, if that differs."""

    title: str
    note: str
    coarse: Vector
    fine: Vector | None = None


def levels_svg(title: str, counts: Vector, low: float, high: float, panels: Sequence[Panel], log: bool = False) -> str:
    """An SVG document with a panel for each format.

    ``counts`` are those of equal bins over [low, high], the axis of every panel; levels outside it are not drawn, and
    those that fall on the same half pixel are drawn once. ``log`` takes the bars' heights from log(1 + count). The same
    arguments give the same text; colours follow the reader's light or dark scheme.
    """
    if not high > low:
        low, high = low - 1.0, high + 1.0
    heights = np.log1p(counts) if log else np.asarray(counts, np.float64)
    height = TOP + PANEL * len(panels) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<defs><path id="bars" class="bars" d="{_bars(heights)}"/></defs>',
        f'<text x="{LEFT}" y="16">{_text(title if len(title) <= TITLE else title[: TITLE - 3] + "...")}</text>',
        f'<text class="note" x="{LEFT}" y="32">{_text(_caption(panels, log))}</text>',
    ]
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({LEFT} {TOP + PANEL * index})">')
        parts += _drawn(panel, low, high)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _caption(panels: Sequence[Panel], log: bool) -> str:
    words = "bars: how often values occur" + (" (log)" if log else "") + "; lines: the levels"
    if any(panel.fine is not None for panel in panels):
        words += " where the step is largest; ticks below: where it is smallest"
    return words


def _drawn(panel: Panel, low: float, high: float) -> list[str]:
    """The elements of one panel, its upper left corner at (0, 0)."""
    base = 18 + BARS
    coarse = _lines(panel.coarse, low, high, 18, BARS)
    dense = " dense" if coarse.count("M") > PLOT / 2 else ""
    found = [
        f'<text x="0" y="12">{_text(panel.title)}</text>',
        f'<text class="note" x="{PLOT}" y="12" text-anchor="end">{_text(panel.note)}</text>',
        '<use href="#bars" y="18"/>',
        f'<path class="coarse{dense}" d="{coarse}"/>',
    ]
    if panel.fine is not None:
        found.append(f'<path class="fine" d="{_lines(panel.fine, low, high, base + 2, TICKS)}"/>')
    found.append(f'<path class="axis" d="M0 {base}h{PLOT}"/>')
    marks = [(low, "start"), (high, "end")]
    if low + 0.15 * (high - low) < 0 < high - 0.15 * (high - low):
        marks.insert(1, (0.0, "middle"))
    for value, anchor in marks:
        x = _number((value - low) / (high - low) * PLOT)
        found.append(f'<text class="note" x="{x}" y="{base + 21}" text-anchor="{anchor}">{value:.4g}</text>')
    return found


def _bars(heights: Vector) -> str:
    """One outline around all bars, in [0, PLOT] x [0, BARS]."""
    top = heights.max(initial=0.0)
    ys = BARS * (1 - heights / top) if top > 0 else np.full(len(heights), float(BARS))
    xs = PLOT * np.arange(1, len(heights) + 1) / len(heights)
    steps = (f"V{_number(y)}H{_number(x)}" for x, y in zip(xs, ys, strict=True))
    return f"M0 {BARS}{''.join(steps)}V{BARS}z"


def _lines(levels: Vector, low: float, high: float, top: int, length: int) -> str:
    """Vertical lines at the levels inside the axis."""
    inside = levels[(levels >= low) & (levels <= high)]
    halves = np.unique(np.rint(2 * PLOT * (inside - low) / (high - low)))
    return "".join(f"M{_number(half / 2)} {top}v{length}" for half in halves)


def _number(value: float) -> str:
    """One digit after the point, none where it is zero."""
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    """Escaped; what XML does not allow becomes a question mark."""
    return escape("".join(c if c.isprintable() else "?" for c in text))
