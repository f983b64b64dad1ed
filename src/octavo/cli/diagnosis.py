"""A diagnosis for people: the answer first, then how it was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from octavo.diagnosis import Diagnosis

__all__ = ["diagnosis"]

# Names come from the user's files and may hold brackets and colons: nothing in a text is a style.
_CONSOLE = Console(markup=False, emoji=False, highlight=False)
_ROWS = 8
_MARKS = {True: "ok", False: "!!", None: "--"}


def diagnosis(found: Diagnosis) -> None:
    """The answer, the remedies, the forks, the worst quantizers, the other causes."""
    _CONSOLE.print(found.answer)
    if found.remedies:
        table = _table("remedy", "what to type", "gain dB", "gain points", title="Remedies")
        for remedy in found.remedies[:_ROWS]:
            gains = (_signed(remedy.gain_db), _signed(remedy.gain_points)) if remedy.tried else ("not tried", "")
            table.add_row(remedy.sentence, remedy.command, *gains)
        _show(table)
    table = _table("", "question", "answer", title="What was asked")
    for fork in found.forks:
        table.add_row(_MARKS[fork.passed], fork.question, fork.answer)
    _show(table)
    if found.culprits:
        table = _table("tensor", "layer", "share", "alone dB", "its own dB", "gain without", title="What loses most")
        for row in found.culprits[:_ROWS]:
            numbers = (_number(row.alone_db), _number(row.local_db), _signed(row.without_gain_db))
            table.add_row(f"{row.kind} {row.tensor}", row.source, f"{row.share:.0%}", *numbers)
        _show(table)
    if len(found.causes) > 1:
        table = _table("cause", "share", "sure", "evidence", title="Causes")
        for cause in found.causes[:_ROWS]:
            table.add_row(cause.kind, f"{cause.share:.0%}", f"{cause.confidence:.0%}", cause.sentence)
        _show(table)
    for note in found.notes:
        _CONSOLE.print(f"note: {note}")


def _table(*columns: str, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    numbers = {"share", "sure", "alone dB", "its own dB", "gain without", "gain dB", "gain points"}
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def _show(table: Table) -> None:
    _CONSOLE.print()
    _CONSOLE.print(table)


def _number(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "-"


def _signed(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:+.1f}"
