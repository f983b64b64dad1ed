"""Takes a device from mark to mark and compares what it holds, until something differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from octavo.device.monitor import ARENA, Monitor
from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.verify.taps import Call, Tap

__all__ = ["Seen", "Stop", "Walk", "byte_order"]


@dataclass(frozen=True)
class Seen:
    """A value that is not what it should be: the bytes of the device, and which elements differ."""

    tap: Tap
    data: bytes
    wrong: Array

    @property
    def first(self) -> tuple[int, ...]:
        """The index of the first wrong element, without the batch axis."""
        return tuple(int(part) for part in np.argwhere(self.wrong)[0][1:])

    @property
    def wrong_bytes(self) -> tuple[int, int]:
        """The first wrong byte of the arena and the one behind the last, to an element."""
        size = np.dtype(self.tap.dtype).itemsize
        elements = np.flatnonzero(self.wrong)
        low, high = (self._byte(int(elements[at])) for at in (0, -1))
        return low, high + size

    def _byte(self, element: int) -> int:
        pixel, inside = divmod(element * np.dtype(self.tap.dtype).itemsize, self.tap.pixel)
        return self.tap.offset + pixel * self.tap.stride + inside


@dataclass(frozen=True)
class Stop:
    """Where a walk ended: at mark ``mark``, ``made`` there came out wrong and ``held`` were right before."""

    mark: int
    made: tuple[Seen, ...]
    held: tuple[Seen, ...]

    @property
    def seen(self) -> Seen:
        """What is reported: what was right is the surer sign."""
        return (self.held or self.made)[0]


@dataclass(frozen=True)
class Walk:
    """The program as it is walked: its calls, and what is compared."""

    calls: Sequence[Call]
    taps: Sequence[Tap]
    inputs: Sequence[str]

    def run(
        self,
        monitor: Monitor,
        expected: Mapping[str, Array],
        at: Callable[[int, int, int], None] = lambda mark, ticks, compared: None,
        last: int | None = None,
    ) -> Stop | None:
        """One sample from mark to mark, up to ``last``. ``at(mark, ticks, compared)`` is called at each."""
        offsets = {tap.value: tap.offset for tap in self.taps}
        order = byte_order(monitor)
        monitor.start({offsets[name]: _bytes(expected[name], order) for name in self.inputs})
        for mark in range((len(self.calls) if last is None else last) + 1):
            try:
                ticks = monitor.run_to(mark)
            except OctavoError as error:
                call = self.calls[max(mark - 1, 0)].node
                where = f"{error.where}, in {call.source or call.name}"
                raise OctavoError(where, error.why, error.remedy) from error
            due = [tap for tap in self.taps if tap.made <= mark <= tap.until]
            wrong = [seen for tap in due if (seen := compare(monitor, tap, expected[tap.value])) is not None]
            at(mark, ticks, len(due))
            if wrong:
                made = tuple(seen for seen in wrong if seen.tap.made == mark)
                return Stop(mark, made, tuple(seen for seen in wrong if seen.tap.made < mark))
        return None


def byte_order(monitor: Monitor) -> Literal["<", ">"]:
    """How numpy writes the device's order of bytes."""
    return ">" if monitor.greeting.order == "big" else "<"


def compare(monitor: Monitor, tap: Tap, expected: Array) -> Seen | None:
    """None when the device holds the value. Only what is wrong, or lies among others' bytes, crosses the line."""
    order = byte_order(monitor)
    if tap.pixel == tap.stride and monitor.equals(ARENA, tap.offset, _bytes(expected, order)):
        return None
    data = monitor.read(ARENA, tap.offset, tap.extent)
    wrong = _bits(tap.array(data, order)) != _bits(expected.reshape(tap.shape))
    return Seen(tap, data, wrong) if wrong.any() else None


def _bytes(array: Array, order: Literal["<", ">"]) -> bytes:
    return np.ascontiguousarray(array, array.dtype.newbyteorder(order)).tobytes()


def _bits(array: Array) -> Array:
    """Integers that are equal where all bits are: NaN is not equal to itself."""
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return native.view(np.int16) if native.dtype == np.float16 else native
