"""Numbers and encodings as a reader wants them."""

from __future__ import annotations

from octavo.num.levels import Grouped, PowersOfTwo
from octavo.num.qparams import QParams

__all__ = ["activations", "count", "granularity", "numbers", "part", "scale_range", "share"]


def count(value: int | float | None) -> str:
    """With commas; a dash where there is none."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """In percent."""
    return "–" if value is None else f"{value:.2%}"


def part(bytes_: int, limit: int) -> str:
    """Bytes of those that there are."""
    return f"{bytes_:,} bytes, {bytes_ / limit:.1%} of {limit:,}" if limit else f"{bytes_:,} bytes"


def numbers(encoding: QParams) -> str:
    """The kind of number, by its bits."""
    bits = encoding.levels.bits
    if isinstance(encoding.levels, PowersOfTwo):
        return f"log2 in {bits} bits"
    return encoding.dtype if bits is None or encoding.dtype == "float16" else f"int{bits}"


def activations(encoding: QParams) -> str:
    """The kind of number, and its zero point if it has one."""
    zero = int(encoding.zero_point[0])
    return f"{numbers(encoding)}, zero point {zero}" if zero else numbers(encoding)


def granularity(encoding: QParams) -> str:
    """What has a scale of its own."""
    if isinstance(encoding.levels, Grouped):
        return f"per group of {encoding.levels.size}"
    return f"per channel, {encoding.scale.size}" if encoding.per_channel else "per tensor"


def scale_range(encoding: QParams) -> str:
    """The scale, or the smallest and the largest."""
    if encoding.dtype == "float16":
        return "–"
    low, high = float(encoding.scale.min()), float(encoding.scale.max())
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
