"""What must be said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from octavo.ir.plan import QuantPlan
from octavo.report.blocks import Notes, Section, Text

__all__ = ["notes"]


def notes(manifest: Mapping[str, Any], plan: QuantPlan) -> Section:
    """Those of the plan, and the files that could not be written."""
    lines = [*plan.notes, *(f"{path} was not written: {why}" for path, why in manifest["not_written"].items())]
    return Section("notes", "Notes", [Notes(lines) if lines else Text("None.")])
