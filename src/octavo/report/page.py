"""A page of sections as one HTML file: no script, nothing from elsewhere, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from octavo.report.blocks import Section

__all__ = ["page"]

TEMPLATES = Path(__file__).parent / "templates"


def page(title: str, sections: Sequence[Section], made_by: str) -> str:
    """The HTML of a page. The same arguments give the same text; colours follow the reader's light or dark scheme."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup
    return environment.get_template("page.html").render(title=title, sections=sections, made_by=made_by)


def _shown(value: Any) -> Any:
    """Of texts that come from outside, what HTML does not allow or what turns lines around becomes a question mark."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "".join(c if c.isprintable() else "?" for c in value)
    return value
