"""The picture of levels, read back as XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from octavo.report.levels import PLOT, Panel, levels_svg

COUNTS = np.array([1.0, 0.0, 9.0, 3.0])
SPACE = "{http://www.w3.org/2000/svg}"


def path(text: str, kind: str) -> list[tuple[float, float]]:
    """Starts of the lines of a class."""
    (element,) = [e for e in ElementTree.fromstring(text).iter(f"{SPACE}path") if kind in e.get("class", "").split()]
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)v", element.get("d", ""))]


def test_levels_stand_where_they_belong_and_inside_the_axis() -> None:
    levels = np.array([-9.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.001, 9.0])
    text = levels_svg("w", COUNTS, -2.0, 2.0, [Panel("int4", "note", levels)])
    xs = [x for x, _ in path(text, "coarse")]
    assert xs == pytest.approx([0, PLOT / 4, PLOT / 2, 3 * PLOT / 4, PLOT], abs=0.26)


def test_thousands_of_levels_stay_small_and_inside() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    text = levels_svg("w", COUNTS, -1.0, 3.0, [Panel("float16", "", halves[np.isfinite(halves)])])
    xs = [x for x, _ in path(text, "dense")]
    assert len(text) < 20_000 and len(xs) == len(set(xs)) > 500 and min(xs) >= 0 and max(xs) <= PLOT


def test_bars_are_the_counts() -> None:
    for log, heights in ((False, COUNTS), (True, np.log1p(COUNTS))):
        text = levels_svg("w", COUNTS, -2.0, 2.0, [], log)
        (bars,) = [e for e in ElementTree.fromstring(text).iter(f"{SPACE}path") if e.get("class") == "bars"]
        ys = [float(y) for y in re.findall(r"V([\d.]+)H", bars.get("d", ""))]
        base = float(re.findall(r"M0 ([\d.]+)", bars.get("d", ""))[0])
        assert (base - np.array(ys)) / base == pytest.approx(heights / heights.max(), abs=0.01)


def test_the_text_is_deterministic_escaped_and_knows_the_dark() -> None:
    panels = [Panel("<a & b>\x00", '"', np.arange(3.0), np.arange(3.0) / 4)]
    text = levels_svg("]]><w>" * 40, COUNTS, 0.0, 2.0, panels)
    assert text == levels_svg("]]><w>" * 40, COUNTS, 0.0, 2.0, panels)
    words = [e.text or "" for e in ElementTree.fromstring(text).iter(f"{SPACE}text")]
    assert "<a & b>?" in words and len(words[0]) <= 90 and "prefers-color-scheme:dark" in text
    assert len(path(text, "fine")) == 3


def test_an_empty_range_draws() -> None:
    text = levels_svg("zeros", np.zeros(4), 0.0, 0.0, [Panel("int8", "", np.array([0.0]))])
    assert [x for x, _ in path(text, "coarse")] == [PLOT / 2]
