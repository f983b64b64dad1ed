"""Charts: well-formed, deterministic, every point inside the axes; and the pictures that the method pages show."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.report.chart import HEIGHT, WIDTH, Mark, Plot, Series, chart_svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
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
