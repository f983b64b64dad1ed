"""Charts: well-formed, deterministic, every point inside the axes; and the pictures that the method pages show."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.report.chart import COLOURS, HEIGHT, WIDTH, Mark, Plot, Series, chart_svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
X = np.linspace(0.01, 5.0, 40)


def plots() -> list[Plot]:
    steps = Series("a <b> & c", np.arange(41.0), X**2, "steps")
    lines = [Series("rising", X, np.exp(X)), Series("dots", X, X - 2, "dots")]
    return [Plot("counts", "value", "count", [steps], [Mark("clip", 7.0)], log_y=True), Plot("two", "x", "y", lines)]


def test_charts_are_well_formed_and_the_same_every_time() -> None:
    text = chart_svg(plots())
    root = ElementTree.fromstring(text)
    assert root.get("width") == str(WIDTH) and root.get("height") == str(2 * HEIGHT)
    assert text == chart_svg(plots())
    words = "".join(root.itertext())
    assert "a <b> & c" in words and "clip" in words


def test_a_line_goes_through_its_points() -> None:
    text = chart_svg([Plot("t", "x", "y", [Series("s", np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0]))])])
    (walk,) = re.findall(r'class="line s0" d="M([^"]+)"', text)
    points = np.array([[float(v) for v in part.split()] for part in walk.split("L")])
    assert points[1, 0] == pytest.approx(points[[0, 2], 0].mean(), abs=0.1)
    assert points[1, 1] < points[2, 1] < points[0, 1], "up is up"
    assert (points[2, 1] - points[1, 1]) == pytest.approx(points[0, 1] - points[2, 1], abs=0.2)


def test_logarithms_leave_out_what_they_cannot_hold() -> None:
    y = np.array([-1.0, 0.0, np.nan, 1.0, 10.0, 100.0])
    text = chart_svg([Plot("t", "x", "y", [Series("s", np.arange(6.0), y)], log_y=True)])
    (walk,) = re.findall(r'class="line s0" d="M([^"]+)"', text)
    heights = [float(part.split()[1]) for part in walk.split("L")]
    assert len(heights) == 3
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(OctavoError, match="equal lengths"):
        Series("s", X, X[1:])
    with pytest.raises(OctavoError, match="no point"):
        chart_svg([Plot("t", "x", "y", [Series("s", X, -X)], log_y=True)])


@pytest.mark.parametrize("page", sorted((DOCS / "methods").glob("*.md")), ids=lambda page: page.stem)
def test_pages_of_methods_show_pictures_that_are_there(page: Path) -> None:
    text = page.read_text()
    assert "**Helps**" in text and "**Hurts**" in text, "a page says when its method helps and when it hurts"
    found = re.findall(r"!\[([^\]]+)\]\(([^)]+\.svg)\)", text)
    assert found
    for _, link in found:
        picture = page.parent / link
        assert picture.stat().st_size < 40_000
        ElementTree.parse(picture)


def many(count: int) -> list[Series]:
    return [Series(f"a layer with a long name, number {index}", X, X * index) for index in range(count)]


def test_many_lines_are_grey_and_have_tooltips() -> None:
    text = chart_svg([Plot("t", "x", "y", many(COLOURS), others=many(9)), Plot("u", "x", "y", many(1))])
    root = ElementTree.fromstring(text)
    grey = [path for path in root.iter(f"{SVG}path") if path.get("class") == "other"]
    assert len(grey) == 9 and ["".join(path.itertext()) for path in grey] == [s.label for s in many(9)]
    assert "9 others" in "".join(root.itertext())
    with pytest.raises(OctavoError, match="has 7 series"):
        Plot("t", "x", "y", many(7))


def test_a_long_legend_takes_rows_and_no_room_from_the_plot() -> None:
    root = ElementTree.fromstring(chart_svg([Plot("t", "x", "y", many(COLOURS)), Plot("u", "x", "y", many(1))]))
    rows = [element for element in root.iter(f"{SVG}text") if element.findall(f"{SVG}tspan")]
    assert [len(row.findall(f"{SVG}tspan")) for row in rows] == [2, 2, 2, 1]
    assert int(root.get("height", "0")) == 2 * HEIGHT + 2 * 16
    assert all(6.2 * len("".join(row.itertext())) < WIDTH - 62 for row in rows)


def test_a_band_lies_around_its_line_and_widens_the_axis() -> None:
    x, y = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    series = Series("s", x, y, band=(y - 0.5, y + 2.0))
    text = chart_svg([Plot("t", "x", "y", [series])])
    (band,) = re.findall(r'class="band s0" d="M([^"]+)z"', text)
    heights = [float(part.split()[1]) for part in band.split("L")]
    (walk,) = re.findall(r'class="line s0" d="M([^"]+)"', text)
    line = float(walk.split("L")[0].split()[1])
    assert heights[2] == heights[3] < line < heights[0] == heights[1] <= HEIGHT - 40
    with pytest.raises(OctavoError, match="another length"):
        Series("s", x, y, band=(y[:1], y))


def test_ticks_differ_and_counts_are_whole() -> None:
    def labels(plot: Plot, anchor: str) -> list[str]:
        return re.findall(rf'text-anchor="{anchor}">([\d.e-]+)</text>', chart_svg([plot]))

    near = Plot("t", "x", "y", [Series("s", np.array([0.0, 2.0]), np.array([1.60901, 1.60909]))], whole=True)
    assert labels(near, "middle") == ["0", "1", "2"]
    found = labels(near, "end")
    assert len(set(found)) == len(found) > 2


def test_shapes_have_the_last_word_over_colours() -> None:
    """A line that the dark scheme's colours fill is no line."""
    style = chart_svg(plots()).split("</style>")[0]
    assert style.index(".line{fill:none") > style.rindex(".s5{")
