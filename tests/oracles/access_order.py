"""Brute force: which shifts of an output against its input an order of reads and writes survives."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Step", "safe_shifts"]

Step = tuple[Iterable[int], Iterable[int]]
"""Bytes of the input that a step reads, bytes of the output that it writes."""


def safe_shifts(steps: Iterable[Step], reach: int, reads_first: bool = True) -> set[int]:
    """Shifts from -reach to reach at which no step reads a byte that the output has overwritten."""
    parts = [(frozenset(read), frozenset(written)) for read, written in steps]
    return {shift for shift in range(-reach, reach + 1) if _survives(parts, shift, reads_first)}


def _survives(steps: list[tuple[frozenset[int], frozenset[int]]], shift: int, reads_first: bool) -> bool:
    lost: set[int] = set()
    for read, written in steps:
        overwritten = {byte + shift for byte in written}
        if not reads_first:
            lost |= overwritten
        if lost & read:
            return False
        lost |= overwritten
    return True
