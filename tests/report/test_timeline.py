"""The picture of the arena, read back as XML."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from octavo.errors import OctavoError
from octavo.report.timeline import KINDS, PLOT, TOP, Box, timeline_svg

SPACE = "{http://www.w3.org/2000/svg}"
STEPS = ["conv <1> & more", "relu", "dense", "outputs"]
BOXES = [
    Box("image", 0, 0, 0, 300, "input"),
    Box("conv", 0, 1, 250, 600),
    Box("conv:scratch", 0, 0, 850, 150, "scratch"),
    Box("flat", 1, 2, 250, 600, "view"),
    Box("a & <b>", 2, 3, 0, 10, "output"),
]


def rectangles(text: str, kind: str) -> dict[str, tuple[float, float, float, float]]:
    """(x, y, width, height) by name of the boxes of a class."""
    found = {}
    for element in ElementTree.fromstring(text).iter(f"{SPACE}rect"):
        if kind in element.get("class", "").split() and element.get("data-name"):
            x, y, width, height = (float(element.get(key, "nan")) for key in ("x", "y", "width", "height"))
            found[element.get("data-name", "")] = (x, y, width, height)
    return found


def test_every_value_lies_where_it_lives() -> None:
    text = timeline_svg("arena", STEPS, 1000, BOXES)
    assert text == timeline_svg("arena", STEPS, 1000, BOXES)
    found = rectangles(text, "box")
    assert set(found) == {box.name for box in BOXES}
    column = found["conv:scratch"][2] + 2
    for box in BOXES:
        x, y, width, height = found[box.name]
        assert x - 1 == pytest.approx(found["image"][0] - 1 + column * box.first, abs=0.3)
        assert width + 2 == pytest.approx(column * (box.last - box.first + 1), abs=0.3)
        assert y == pytest.approx(TOP + PLOT * (1 - (box.offset + box.size) / 1000), abs=0.1)
        assert height == pytest.approx(PLOT * box.size / 1000, abs=0.1)
    words = "".join(ElementTree.fromstring(text).itertext())
    assert "a & <b>: 10 bytes at 0, steps 2 to 3" in words and "conv:scratch: 150 bytes at 850, step 0" in words
    assert "0 conv <1> & more" in words and "1,000" in words


def test_bytes_of_two_values_are_hatched_and_views_are_not() -> None:
    shared = rectangles(timeline_svg("arena", STEPS, 1000, BOXES), "shared")
    (name,) = shared
    assert name == "image and conv"
    assert shared[name][3] == pytest.approx(PLOT * 50 / 1000, abs=0.1)
    assert shared[name][1] == pytest.approx(TOP + PLOT * (1 - 0.3), abs=0.1)
    apart = [box for box in BOXES if box.name != "image"]
    assert not rectangles(timeline_svg("arena", STEPS, 1000, apart), "shared")


def test_names_and_sizes_stand_in_boxes_with_room() -> None:
    labels = [e.text for e in ElementTree.fromstring(timeline_svg("arena", STEPS, 1000, BOXES)).iter(f"{SPACE}text")]
    for word in ("image", "300", "conv", "600", "flat", "conv:scratch", "150"):
        assert word in labels, word
    assert "10" not in labels, "ten bytes of a thousand are too thin for a word"


def test_no_number_is_cut_where_boxes_are_narrow() -> None:
    boxes = [Box(f"model/activation_{i}/Relu", i, i, 0, 12_345_678 - i) for i in range(60)]
    text = timeline_svg("arena", ["step"] * 60, 12_345_678, boxes)
    labels = [e.text or "" for e in ElementTree.fromstring(text).iter(f"{SPACE}text") if e.get("class") == "name"]
    assert labels == [f"{box.name} {box.size:,}" for box in boxes]


@pytest.mark.parametrize("box", [Box("late", 0, 4, 0, 1), Box("high", 0, 0, 900, 101)])
def test_what_lies_outside_is_refused(box: Box) -> None:
    with pytest.raises(OctavoError, match="outside"):
        timeline_svg("arena", STEPS, 1000, [box])


@pytest.mark.parametrize("values", [(2, 1, 0, 1, "value"), (0, 0, -1, 1, "value"), (0, 0, 0, 1, "thing")])
def test_a_box_has_a_place_and_a_kind(values: tuple[int, int, int, int, str]) -> None:
    with pytest.raises(OctavoError, match="no place"):
        Box("x", *values)


def test_the_legend_has_room_in_narrow_pictures() -> None:
    boxes = [Box(kind, 0, 0, 10 * at, 15, kind) for at, kind in enumerate(KINDS)]
    root = ElementTree.fromstring(timeline_svg("t", ["one"], 100, boxes))
    ends = [float(e.get("x", "0")) + 6.2 * len("".join(e.itertext())) for e in root.iter() if e.get("y") == "35"]
    assert len(ends) == len(KINDS) + 1 and max(ends) <= float(root.get("width", "0"))
