"""A picture of the arena over time as SVG: which value lies at which bytes, from which step to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from xml.sax.saxutils import escape, quoteattr

from octavo.errors import OctavoError

__all__ = ["KINDS", "Box", "timeline_svg"]

KINDS = ("input", "value", "output", "scratch", "stream", "view")

LEFT, RIGHT, TOP, BOTTOM, PLOT, WIDTH = 76, 16, 48, 132, 420, 900
NARROWEST, WIDEST, LETTER, LINE = 44.0, 110.0, 6.2, 12.0
TITLE, STEP_NAME, NAME = 110, 20, 8
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.note{font-size:11px;fill:#59636e}.name{font-size:10px}
.axis{stroke:#818b98;fill:none}.grid{stroke:#818b98;stroke-opacity:.25;fill:none}
.box{stroke-width:1;fill-opacity:.25}.input{stroke:#0b7a6e;fill:#0b7a6e}.value{stroke:#2f6fb7;fill:#2f6fb7}
.output{stroke:#7d4cc2;fill:#7d4cc2}.scratch{stroke:#b3400f;fill:#b3400f}
.stream{stroke:#8a6100;fill:#8a6100}
.view{stroke:#1f2328;fill:none;stroke-dasharray:4 3}.shared{fill:url(#hatch);stroke:none}.hatch{stroke:#1f2328}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.input{stroke:#4fd1c0;fill:#4fd1c0}
.value{stroke:#79b0f0;fill:#79b0f0}.output{stroke:#c3a1ff;fill:#c3a1ff}.scratch{stroke:#ff9d66;fill:#ff9d66}.stream{stroke:#e3b341;fill:#e3b341}
.view{stroke:#f0f6fc;fill:none}.hatch{stroke:#f0f6fc}}
""".strip()
_WORDS = {
    "input": "inputs",
    "value": "values",
    "output": "outputs",
    "scratch": "working memory of a kernel",
    "stream": "streamed constants",
    "view": "other names for the same bytes",
}


@dataclass(frozen=True)
class Box:
    """A value: ``size`` bytes from ``offset`` on, alive from step ``first`` to step ``last``, both included."""

    name: str
    first: int
    last: int
    offset: int
    size: int
    kind: str = "value"

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not 0 <= self.first <= self.last or min(self.offset, self.size) < 0:
            raise OctavoError(f"box {self.name}", "has no place in a timeline", f"Use one of {', '.join(KINDS)}.")


def timeline_svg(title: str, steps: Sequence[str], size: int, boxes: Sequence[Box]) -> str:
    """An SVG document: across are the ``steps``, upward the ``size`` bytes of the arena, each value a box.

    Bytes that two values hold in the same step are hatched, unless one is a view: that is other names for the same
    bytes, drawn dashed. The same arguments give the same text; colours follow the reader's light or dark scheme.
    OctavoError when a box lies outside.
    """
    for box in boxes:
        if box.last >= len(steps) or box.offset + box.size > size:
            raise OctavoError(f"box {box.name}", "lies outside the timeline", "Give all steps and the whole arena.")
    column = min(max((WIDTH - LEFT - RIGHT) / max(len(steps), 1), NARROWEST), WIDEST)
    grid = _Grid(column, size)
    width, height = round(LEFT + column * len(steps) + RIGHT), TOP + PLOT + BOTTOM
    legend, end = _legend(boxes)
    width = max(width, WIDTH // 2, round(end))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>",
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<path class="hatch" d="M0 6L6 0" stroke-width=".8"/></pattern></defs>',
        f'<text x="{LEFT}" y="16">{_text(_short(title, TITLE))}</text>',
        *legend,
        *_axes(grid, steps),
        *(_rectangle(grid, f"box {box.kind}", box, _said(box)) for box in boxes),
        *(_rectangle(grid, "shared", box, f"in both {box.name}") for box in _shared(boxes)),
        *(line for box in boxes for line in _label(grid, box, boxes)),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


@dataclass(frozen=True)
class _Grid:
    """From steps and bytes to pixels; byte 0 is at the bottom."""

    column: float
    size: int

    def x(self, step: int) -> float:
        return LEFT + self.column * step

    def y(self, byte: float) -> float:
        return TOP + PLOT * (1 - byte / max(self.size, 1))


def _said(box: Box) -> str:
    when = f"step {box.first}" if box.first == box.last else f"steps {box.first} to {box.last}"
    return f"{box.name}: {box.size:,} bytes at {box.offset:,}, {when}"


def _rectangle(grid: _Grid, kind: str, box: Box, said: str) -> str:
    x, top = grid.x(box.first), grid.y(box.offset + box.size)
    width, height = grid.column * (box.last - box.first + 1), max(grid.y(box.offset) - top, 0.8)
    place = f'x="{_number(x + 1)}" y="{_number(top)}" width="{_number(width - 2)}" height="{_number(height)}"'
    return f'<rect class="{kind}" data-name={quoteattr(_clean(box.name))} {place}><title>{_text(said)}</title></rect>'


def _label(grid: _Grid, box: Box, boxes: Sequence[Box]) -> Iterator[str]:
    """Name (its end, which tells more) and size inside the box, as far as there is room; the tooltip has all of it."""
    first, last = _alone(box, boxes, round(2 * LINE / PLOT * grid.size))
    letters = int((grid.column * (last - first + 1) - 6) / LETTER)
    # A view lies on the whole: its name goes below that of the whole.
    below = 2 * LINE if box.kind == "view" else 0.0
    x, y = grid.x(first) + 4, grid.y(box.offset + box.size) + below
    high = grid.y(box.offset) - y
    size = f"{box.size:,}"
    # A few letters of a name say nothing, and a part of a number is wrong: what does not fit runs down the box.
    upright = letters < min(len(box.name), NAME)
    fits = letters >= len(size)
    lines = [size] if upright else [box.name, size] if high >= 2 * LINE else [f"{box.name} {size}"]
    if fits and high >= LINE * len(lines):
        for index, line in enumerate(lines):
            place = f'x="{_number(x)}" y="{_number(y + LINE * (index + 0.85))}"'
            yield f'<text class="name" {place}>{_text(_end(line, letters))}</text>'
    down = int((high - 2 * LINE) / LETTER)
    if (upright or not fits) and down >= NAME:
        name = box.name if fits else f"{box.name} {size}"
        place = f"translate({_number(x + 3)} {_number(y + 1.5 * LINE)})rotate(90)"
        yield f'<text class="name" transform="{place}">{_text(_end(name, down))}</text>'


def _alone(box: Box, boxes: Sequence[Box], bytes_: int) -> tuple[int, int]:
    """The most steps in a row in which no other value lies in the box's upper ``bytes_``, for a label; or the first."""
    top = box.offset + box.size
    low = max(box.offset, top - bytes_)
    near = [
        other
        for other in boxes
        if other is not box and other.kind != "view" and max(low, other.offset) < min(top, other.offset + other.size)
    ]

    def free(step: int) -> bool:
        return not any(other.first <= step <= other.last for other in near)

    best, start = (box.first, box.first - 1), box.first
    for step in range(box.first, box.last + 1):
        if not free(step):
            start = step + 1
        elif step - start > best[1] - best[0]:
            best = (start, step)
    return best if best[1] >= best[0] else (box.first, box.first)


def _shared(boxes: Sequence[Box]) -> Iterator[Box]:
    """Bytes and steps that two values have in common, neither being a view."""
    real = [box for box in boxes if box.kind != "view"]
    for one, other in combinations(real, 2):
        first, last = max(one.first, other.first), min(one.last, other.last)
        low = max(one.offset, other.offset)
        high = min(one.offset + one.size, other.offset + other.size)
        if first <= last and low < high:
            yield Box(f"{one.name} and {other.name}", first, last, low, high - low)


def _legend(boxes: Sequence[Box]) -> tuple[list[str], float]:
    """The kinds that occur, and where that ends."""
    entries = [(f"box {kind}", _WORDS[kind]) for kind in KINDS if any(box.kind == kind for box in boxes)]
    if any(True for _ in _shared(boxes)):
        entries.append(("shared", "bytes of two values at once"))
    x, found = float(LEFT), []
    for kind, words in entries:
        found.append(f'<rect class="{kind}" x="{_number(x)}" y="26" width="10" height="10"/>')
        found.append(f'<text class="note" x="{_number(x + 15)}" y="35">{words}</text>')
        x += 30 + LETTER * len(words)
    return found, x


def _axes(grid: _Grid, steps: Sequence[str]) -> Iterator[str]:
    right, base = grid.x(len(steps)), TOP + PLOT
    for byte in _ticks(grid.size):
        y = _number(grid.y(byte))
        yield f'<path class="grid" d="M{LEFT} {y}H{_number(right)}"/>'
        yield f'<text class="note" x="{LEFT - 7}" y="{_number(grid.y(byte) + 4)}" text-anchor="end">{byte:,}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{base}H{_number(right)}"/>'
    for index, name in enumerate(steps):
        x = grid.x(index) + grid.column / 2
        yield f'<path class="grid" d="M{_number(grid.x(index))} {TOP}V{base}"/>'
        label = _text(_short(f"{index} {name}", STEP_NAME))
        place = f"translate({_number(x + 3)} {base + 8})rotate(-60)"
        yield f'<text class="note" transform="{place}" text-anchor="end">{label}</text>'
    yield f'<text class="note" x="{LEFT - 7}" y="{base + 30}" text-anchor="end">bytes, step</text>'


def _ticks(size: int) -> list[int]:
    """Round numbers of bytes, six at most, and the size itself."""
    step = next(step for step in (m * 10**e for e in range(12) for m in (1, 2, 5)) if size <= 6 * step)
    return [*(at for at in range(0, size, step) if size - at > step // 2), size]


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(letters - 1, 1)] + "…"


def _end(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[len(text) - max(letters - 1, 1) :]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _clean(text: str) -> str:
    """What XML does not allow becomes a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _text(text: str) -> str:
    return escape(_clean(text))
