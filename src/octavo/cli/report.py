"""The report of a compiled folder as a file."""

from __future__ import annotations

from pathlib import Path

from octavo.build import Build
from octavo.cli import tables
from octavo.cli.document import emit
from octavo.files import replace_file
from octavo.pages import report_page

__all__ = ["report_folder"]


def report_folder(folder: Path, output: Path, json: bool) -> None:
    """Write one HTML file, whole or not at all."""
    build = Build.open(folder)
    text = report_page(build)
    replace_file(output, lambda aside: aside.write_text(text, encoding="utf-8"))
    if json:
        emit({"report": str(output), "bytes": len(text.encode())})
    else:
        tables.reported(output)
