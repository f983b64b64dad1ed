"""Integer operators for some rows of their output: what running a network strip by strip needs of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from octavo.ops.base import RowForm

__all__ = ["flat_rows", "sliding_rows"]


def sliding_rows(op: Any, rows: int, outside: int | None) -> RowForm:
    """A sliding operator for some rows of its output; ``outside`` is what it pads with, None where it pads nothing."""
    reach = getattr(op, "dilation_h", 1) * (op.kernel_h - 1) + 1
    part = replace(op, in_h=(rows - 1) * op.stride_h + reach, out_h=rows, pad_top=0)
    return RowForm(part, reach, op.stride_h, op.pad_top, outside)


def flat_rows(op: Any, rows: int, height: int) -> RowForm:
    """An operator that takes ``size`` elements one by one, for some of so many rows."""
    return RowForm(replace(op, size=op.size // height * rows))
