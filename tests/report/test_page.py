"""Pages: blocks become HTML in which nothing from outside is markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from octavo.errors import OctavoError
from octavo.report.blocks import Facts, Figure, Notes, Section, Table, Text
from octavo.report.page import page

HOSTILE = "<script>alert('x')</script>\x00\ud800\u202e&amp;\" onload=\""
SHOWN = "<script>alert('x')</script>???&amp;\" onload=\""


class Reader(HTMLParser):
    """Tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def test_everything_from_outside_is_text() -> None:
    blocks = [
        Text(HOSTILE),
        Facts([(HOSTILE, HOSTILE)]),
        Notes([HOSTILE]),
        Table(HOSTILE, (HOSTILE, "n"), [(HOSTILE, "1")]),
        Figure(HOSTILE, '<svg viewBox="0 0 1 1"><path d="M0 0h1"/></svg>'),
    ]
    text = page(HOSTILE, [Section("here", HOSTILE, blocks)], HOSTILE)
    found = read(text)
    assert "script" not in found.tags and not [name for name, _ in found.attributes if name.startswith("on")]
    # Title, heading, link, section, footer; a paragraph, two facts, a note, caption, column, cell, and the figure's.
    assert sum(SHOWN in part for part in found.texts) == 13
    assert ("aria-label", SHOWN) in found.attributes
    assert found.tags.count("svg") == 1
    text.encode("utf-8")


def test_the_same_sections_give_the_same_page() -> None:
    sections = [Section("a", "A", [Text("one")]), Section("b", "B", [Notes(["two"])])]
    assert page("t", sections, "by") == page("t", sections, "by")
    found = read(page("t", sections, "by"))
    links = [value for name, value in found.attributes if name == "href"]
    assert links == ["#a", "#b"] and [("id", "a") in found.attributes, ("id", "b") in found.attributes] == [True, True]


def test_rows_fill_their_table() -> None:
    with pytest.raises(OctavoError, match="rows of another length"):
        Table("t", ("a", "b"), [("1",)])
