"""What a verification finds, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cause", "Divergence", "Layer", "Verification"]


@dataclass(frozen=True)
class Cause:
    """A likely cause: its ``kind`` for programs, what speaks for it, for people."""

    kind: str
    text: str


@dataclass(frozen=True)
class Divergence:
    """The first place where the device leaves the integers.

    ``layer`` is the call after which it was seen, ``value`` what is wrong, ``element`` the first wrong index of it, in
    the order that the device has (channels last). ``witness`` says how the same C behaves on this machine up to there:
    agrees, differs, differs earlier, or none.
    """

    sample: int
    layer: str
    source: str
    kernel: str
    value: str
    element: tuple[int, ...]
    expected: int | float
    found: int | float
    different: int
    elements: int
    witness: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Layer:
    """A kernel call: ``state`` is agrees, differs or not reached; ``ticks`` of the last sample, by the device's
    counter."""

    name: str
    source: str
    kernel: str
    state: str
    ticks: int


@dataclass(frozen=True)
class Verification:
    """``compared`` counts comparisons of whole values, ``hidden`` names values that never exist as a whole and why.

    ``stale`` names constants that are not the folder's. ``stack_bytes`` of ``stack_size`` were used; both are 0 where
    the firmware does not know. ``repeated`` messages had to be sent again.
    """

    on: str
    samples: int
    layers: tuple[Layer, ...]
    compared: int
    hidden: dict[str, str]
    divergence: Divergence | None
    stale: tuple[str, ...]
    stack_bytes: int
    stack_size: int
    repeated: int
    notes: tuple[str, ...]

    @property
    def stack_overflowed(self) -> bool:
        """Whether the last bytes of the stack were used: nobody knows what was written below them."""
        return 0 < self.stack_size <= self.stack_bytes

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the device."""
        return self.divergence is None and not self.stale and not self.stack_overflowed
