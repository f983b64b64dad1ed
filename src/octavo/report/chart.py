"""Small charts as SVG: lines, dots and steps over two axes, with marks; deterministic, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError

__all__ = ["COLOURS", "Mark", "Plot", "Series", "chart_svg"]

Vector = NDArray[np.float64]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 680, 250, 62, 14, 42, 40
COLOURS = 6
LETTER, LABEL, ROW = 6.2, 40, 16
_KINDS = ("line", "dots", "steps")
# Shapes after colours: what a shape says of fill and stroke holds in the dark, too.
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.note{font-size:11px;fill:#59636e}.axis{stroke:#818b98;fill:none}
.s0{stroke:#2f6fb7;fill:#2f6fb7}.s1{stroke:#b3400f;fill:#b3400f}.s2{stroke:#0b7a6e;fill:#0b7a6e}
.s3{stroke:#7d4cc2;fill:#7d4cc2}.s4{stroke:#8a6100;fill:#8a6100}.s5{stroke:#b02a6b;fill:#b02a6b}
.other{stroke:#818b98;stroke-width:.7;stroke-opacity:.7;fill:none}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.s0{stroke:#79b0f0;fill:#79b0f0}
.s1{stroke:#ff9d66;fill:#ff9d66}.s2{stroke:#4fd1c0;fill:#4fd1c0}.s3{stroke:#c3a1ff;fill:#c3a1ff}
.s4{stroke:#e3b341;fill:#e3b341}.s5{stroke:#f58ac0;fill:#f58ac0}}
.line{fill:none;stroke-width:1.6}.dots{stroke:none;fill-opacity:.7}.steps{fill-opacity:.25;stroke-width:.8}
.band{stroke:none;fill-opacity:.15}.mark{stroke-width:1.2;stroke-dasharray:4 3;fill:none}tspan[class]{stroke:none}
""".strip()


@dataclass(frozen=True, eq=False)
class Series:
    """Points x, y [N], drawn as a line, dots, or steps (y[i] from x[i] to x[i + 1], x one longer).

    A ``band`` is the lowest and the highest y at each x, shaded.
    """

    label: str
    x: Vector
    y: Vector
    kind: str = "line"
    band: tuple[Vector, Vector] | None = None

    def __post_init__(self) -> None:
        extra = 1 if self.kind == "steps" else 0
        if self.kind not in _KINDS or len(self.x) != len(self.y) + extra or not len(self.y):
            raise OctavoError(
                f"series {self.label}", f"is no {self.kind}", f"Use {', '.join(_KINDS)} of equal lengths."
            )
        if self.band is not None and any(len(edge) != len(self.x) for edge in self.band):
            raise OctavoError(f"series {self.label}", "has a band of another length", "Give an edge for every point.")


@dataclass(frozen=True)
class Mark:
    """A dashed line at ``at`` on the horizontal axis, in the colour of a series."""

    label: str
    at: float
    colour: int = 1


@dataclass(frozen=True, eq=False)
class Plot:
    """One pair of axes. ``log_x`` and ``log_y`` take logarithms; what is not positive is then left out.

    There are colours for six ``series``; ``others`` are thin grey lines behind them, named by tooltips. ``whole`` is
    for counts across: ticks at integers.
    """

    title: str
    across: str
    up: str
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    log_x: bool = False
    log_y: bool = False
    others: Sequence[Series] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        if len(self.series) > COLOURS:
            raise OctavoError(
                f"plot {self.title}", f"has {len(self.series)} series", f"Give {COLOURS} at most, the rest as others."
            )


@dataclass(frozen=True)
class _Axis:
    """From numbers to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    whole: bool = False

    def at(self, values: Vector) -> Vector:
        scaled = np.log10(values) if self.log else values
        return np.asarray(self.start + (scaled - self.low) / (self.high - self.low) * (self.end - self.start))

    def ticks(self) -> list[float]:
        if self.log:
            powers = np.arange(np.ceil(self.low - 1e-9), np.floor(self.high + 1e-9) + 1)
            return [float(10.0**p) for p in powers[:: max(1, len(powers) // 6)]]
        step = 10.0 ** np.floor(np.log10((self.high - self.low) / 3))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * step) <= 7)
        step = max(step, 1.0) if self.whole else step
        first = np.ceil(self.low / step - 1e-9)
        return [float((first + i) * step) for i in range(9) if (first + i) * step <= self.high + 1e-9 * step]


def chart_svg(plots: Sequence[Plot]) -> str:
    """An SVG document with the plots one under the other. The same arguments give the same text."""
    legends = [_legend(plot) for plot in plots]
    extra = [ROW * (len(legend) - 1) for legend in legends]
    height = HEIGHT * len(plots) + sum(extra)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{_STYLE}</style>",
    ]
    top = 0
    for plot, legend, more in zip(plots, legends, extra, strict=True):
        parts.append(f'<g transform="translate(0 {top})">')
        parts += [f'<text x="{LEFT}" y="15">{_text(plot.title)}</text>', *legend]
        parts += [f'<g transform="translate(0 {more})">', *_drawn(plot), "</g>"] if more else _drawn(plot)
        parts.append("</g>")
        top += HEIGHT + more
    return "\n".join([*parts, "</svg>", ""])


def _drawn(plot: Plot) -> list[str]:
    """Everything below the legend."""
    every = [*plot.others, *plot.series]
    xs = [np.asarray(s.x, np.float64) for s in every] + [np.array([m.at for m in plot.marks], np.float64)]
    ys = [np.asarray(part, np.float64) for s in every for part in (s.y, *(s.band or ()))]
    across = _axis(xs, LEFT, WIDTH - RIGHT, plot.log_x, 0.0, plot.whole)
    up = _axis(ys, HEIGHT - BOTTOM, TOP, plot.log_y, 0.06)
    found = []
    for tick, label in _labelled(across.ticks()):
        x = _number(float(across.at(np.array([tick]))[0]))
        found.append(f'<path class="axis" d="M{x} {HEIGHT - BOTTOM}v4"/>')
        found.append(f'<text class="note" x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>')
    for tick, label in _labelled(up.ticks()):
        y = float(up.at(np.array([tick]))[0])
        found.append(f'<path class="axis" d="M{LEFT - 4} {_number(y)}h4"/>')
        found.append(f'<text class="note" x="{LEFT - 7}" y="{_number(y + 4)}" text-anchor="end">{label}</text>')
    found.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    for series in plot.others:
        walk = _walk(*_points(series.x, series.y, across, up))
        found.append(f'<path class="other" d="M{walk}"><title>{_text(series.label)}</title></path>')
    for index, series in enumerate(plot.series):
        if series.band is not None:
            low, high = (_points(series.x, edge, across, up) for edge in series.band)
            there, back = _walk(*low), _walk(high[0][::-1], high[1][::-1])
            found.append(f'<path class="band s{index}" d="M{there}L{back}z"/>')
        found.append(_shape(series, index, across, up))
    for mark in plot.marks:
        x = _number(float(across.at(np.array([mark.at]))[0]))
        found.append(f'<path class="mark s{mark.colour}" d="M{x} {TOP}V{HEIGHT - BOTTOM}"/>')
    found.append(
        f'<text class="note" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{_text(plot.across)}</text>'
    )
    return found


def _labelled(ticks: Sequence[float]) -> list[tuple[float, str]]:
    """Ticks with four digits, or with so many that they differ."""
    written = ([f"{tick:.{digits}g}" for tick in ticks] for digits in range(4, 17))
    labels = next((labels for labels in written if len(set(labels)) == len(ticks)), [f"{tick:.4g}" for tick in ticks])
    return list(zip(ticks, labels, strict=True))


def _legend(plot: Plot) -> list[str]:
    """What is on the vertical axis, and the names of series and marks in their colours; in as many rows as need be."""
    entries = [(s.label, f"s{index}") for index, s in enumerate(plot.series)]
    entries += [(m.label, f"s{m.colour}") for m in plot.marks]
    entries += [(f"{len(plot.others)} others", "note")] if plot.others else []
    rows, taken = [_text(plot.up) + ":"], LETTER * len(plot.up)
    for label, kind in entries:
        # Names of layers differ at their ends.
        label = label if len(label) <= LABEL else "…" + label[-LABEL + 1 :]
        needs = 10 + LETTER * len(label)
        if taken + needs > WIDTH - LEFT - RIGHT:
            rows, taken = [*rows, ""], 0.0
        gap = ' dx="10"' if rows[-1] else ""
        rows[-1] += f'<tspan class="{kind}"{gap}>{_text(label)}</tspan>'
        taken += needs
    return [f'<text class="note" x="{LEFT}" y="{32 + ROW * at}">{row}</text>' for at, row in enumerate(rows)]


def _axis(parts: Sequence[Vector], start: float, end: float, log: bool, slack: float, whole: bool = False) -> _Axis:
    values = np.concatenate([part.ravel() for part in parts])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        raise OctavoError("chart", "has no point that its axes can hold", "Draw finite numbers, positive on log axes.")
    scaled = np.log10(values) if log else values
    low, high = float(scaled.min()), float(scaled.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    room = slack * (high - low)
    return _Axis(low - room, high + room, start, end, log, whole)


def _shape(series: Series, index: int, across: _Axis, up: _Axis) -> str:
    x, y = np.asarray(series.x, np.float64), np.asarray(series.y, np.float64)
    if series.kind == "steps":
        floor = HEIGHT - BOTTOM
        with np.errstate(divide="ignore"):
            tops = np.where((y > 0) | (not up.log), np.nan_to_num(up.at(y), neginf=floor, posinf=floor), floor)
        edges = across.at(x)
        walk = "".join(f"V{_number(t)}H{_number(e)}" for t, e in zip(tops, edges[1:], strict=True))
        return f'<path class="steps s{index}" d="M{_number(float(edges[0]))} {floor}{walk}V{floor}z"/>'
    points = _points(x, y, across, up)
    if series.kind == "line":
        return f'<path class="line s{index}" d="M{_walk(*points)}"/>'
    dots = "".join(
        f"M{_number(float(a) - 1.7)} {_number(float(b))}a1.7 1.7 0 1 0 3.4 0a1.7 1.7 0 1 0 -3.4 0"
        for a, b in zip(*points, strict=True)
    )
    return f'<path class="dots s{index}" d="{dots}"/>'


def _points(x: Vector, y: Vector, across: _Axis, up: _Axis) -> tuple[Vector, Vector]:
    """In pixels, those that the axes can hold."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    usable = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not across.log)) & ((y > 0) | (not up.log))
    return across.at(x[usable]), up.at(y[usable])


def _walk(xs: Vector, ys: Vector) -> str:
    return "L".join(f"{_number(float(a))} {_number(float(b))}" for a, b in zip(xs, ys, strict=True))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape("".join(c if c.isprintable() else "?" for c in text))
