"""What the planner plans: buffers with a size and a life, and groups of buffers that share one offset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from octavo.errors import OctavoError

__all__ = ["Buffer", "Group", "live_bytes", "lower_bound"]


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes that must stay untouched from step ``first`` to step ``last``, both included."""

    name: str
    size: int
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.size < 0 or self.first < 0 or self.last < self.first:
            raise OctavoError(
                f"buffer {self.name}",
                f"size {self.size}, first {self.first}, last {self.last} are not a buffer's",
                "Sizes and steps are not negative, and a buffer's last step is not before its first.",
            )

    def meets(self, other: Buffer) -> bool:
        """Whether both are alive in some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Group:
    """Buffers at one common offset, and the names of all values that live in them.

    A group needs, in each step, the largest of its buffers alive then: a small result computed in place of a large
    input keeps only its own bytes once the input is dead.
    """

    values: tuple[str, ...]
    buffers: tuple[Buffer, ...]

    @property
    def first(self) -> int:
        """First step of any of its buffers."""
        return min(buffer.first for buffer in self.buffers)

    @property
    def last(self) -> int:
        """Last step of any of its buffers."""
        return max(buffer.last for buffer in self.buffers)

    @property
    def size(self) -> int:
        """Size of its largest buffer."""
        return max(buffer.size for buffer in self.buffers)


def live_bytes(groups: Sequence[Group], alignment: int = 1) -> list[int]:
    """Bytes that must be held in each step, from step 0 on.

    With an ``alignment``, offsets are multiples of it: every buffer but the topmost then takes its size rounded up,
    so the step needs the sum of the rounded sizes less the largest rounding.
    """
    steps = 1 + max((group.last for group in groups), default=-1)
    total = np.zeros(steps, dtype=np.int64)
    spared = np.zeros(steps, dtype=np.int64)
    for group in groups:
        low, high = group.first, group.last + 1
        profile = np.zeros(high - low, dtype=np.int64)
        for buffer in group.buffers:
            life = slice(buffer.first - low, buffer.last + 1 - low)
            np.maximum(profile[life], buffer.size, out=profile[life])
        rounded = -(-profile // alignment) * alignment
        total[low:high] += rounded
        np.maximum(spared[low:high], rounded - profile, out=spared[low:high])
    held: list[int] = (total - spared).tolist()
    return held


def lower_bound(groups: Iterable[Group], alignment: int = 1) -> int:
    """No plan of these groups is smaller: the most bytes that one step holds."""
    return max(live_bytes(tuple(groups), alignment), default=0)
