"""What the planner plans: values with a size and a life, and the two reasons for which values may share bytes."""

from __future__ import annotations

from dataclasses import dataclass

from octavo.errors import OctavoError

__all__ = ["Buffer", "Overlap", "View"]


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes that must stay untouched from step ``first`` to step ``last``, both included.

    A value lives from the step that writes it to the last step that reads it; a step's scratch memory lives in that
    step alone.
    """

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
class View:
    """``part`` lies inside ``whole``, ``offset`` bytes after its start, and is never anywhere else.

    A reshape is a view of the whole at offset 0, a slice one of a part, and a concatenation that copies nothing makes
    each of its inputs a view of its output.
    """

    part: str
    whole: str
    offset: int = 0


@dataclass(frozen=True)
class Overlap:
    """How near ``output`` may come to ``input`` in ``step``, which writes the one and reads the other.

    With the output at offset o and the input at offset i, the step is right whenever ``o <= i - below`` or
    ``o >= i + above``. Without a rule the two are disjoint, which is ``below`` = the output's size and ``above`` = the
    input's. A kernel that runs forward and needs nothing of the input behind the place that it writes has a smaller
    ``below``: 0 when it runs element by element, negative when the output may start even after the input; ``above``
    is smaller for a kernel that runs backward. With ``same`` the step is also right at o = i, whatever is between:
    a kernel that takes channel after channel of each pixel reads and writes the same places. Sizes may differ in any
    way.

    The rule counts only where nothing reads the input after ``step`` and nothing needs the output's bytes before it.
    """

    output: str
    input: str
    step: int
    below: int
    above: int
    same: bool = False
