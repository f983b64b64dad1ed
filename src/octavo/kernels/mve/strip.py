"""The pixels that csrc/mve/strip.h reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from octavo.kernels.access import new_rows
from octavo.memory import Spans

__all__ = ["strip_pixels"]


def strip_pixels(op: Any) -> Spans:
    """Pixels that each row of the output reads: of rows that none before it has read, as far as windows go."""
    fresh, end = new_rows(op.in_h, op.out_h, op.kernel_h, op.stride_h, op.pad_top)
    beyond = max(op.in_w + op.pad_left - op.strip_w, 0)
    some = (end > fresh) & (beyond < op.in_w)
    return fresh * op.in_w, np.where(some, end * op.in_w - beyond, 0)
