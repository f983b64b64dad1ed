"""What sections of a report are made of, as plain data; templates of the same names make them HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from octavo.errors import OctavoError

__all__ = ["Block", "Facts", "Figure", "Notes", "Section", "Table", "Text"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    template: ClassVar[str] = "text.html"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what there is to say of them."""

    template: ClassVar[str] = "facts.html"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Notes:
    """A list of sentences."""

    template: ClassVar[str] = "notes.html"
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first ``words`` columns are words, the others numbers. ``strong`` rows stand out."""

    template: ClassVar[str] = "table.html"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    strong: Sequence[int] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise OctavoError(f"table {self.caption}", "has rows of another length", "Give a text for every column.")


@dataclass(frozen=True)
class Figure:
    """A picture: the text of an SVG document in which names are escaped, as those of octavo.report are.

    A ``wide`` one is not made as small as a phone, where it scrolls.
    """

    template: ClassVar[str] = "figure.html"
    caption: str
    svg: str
    wide: bool = False


Block = Text | Facts | Notes | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of a report; ``anchor`` is its place in the page's address."""

    anchor: str
    title: str
    blocks: Sequence[Block]
