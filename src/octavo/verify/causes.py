"""From what was seen to what is likely: each rule is a function that speaks or is silent; the surest come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from octavo.ir.graph import Array
from octavo.verify.taps import Call, Place
from octavo.verify.walk import Seen, Stop

__all__ = ["Evidence", "likely_causes"]


@dataclass(frozen=True)
class Evidence:
    """What is known when a walk has stopped.

    ``arena`` is the device's whole arena at that moment. ``stale`` has the arrays of constants that are wrong, and
    whether their bytes are merely swapped. ``moved`` has, for each call, values that the folder's C places elsewhere
    than its plan: name, planned and real offset. ``plan_fault`` is what the planner's rules say against the plan,
    ``moved_fault`` against the places of the last call in the C. ``witness`` is the Divergence's.
    """

    stop: Stop
    calls: Sequence[Call]
    places: Mapping[str, Place]
    expected: Mapping[str, Array]
    arena: bytes
    stale: Mapping[str, bool]
    moved: Mapping[int, Sequence[tuple[str, int, int]]]
    altered: Sequence[str]
    plan_fault: str
    moved_fault: str
    stack_overflowed: bool
    witness: str

    @property
    def call(self) -> Call | None:
        """What ran right before the stop; None before the first."""
        return self.calls[self.stop.mark - 1] if self.stop.mark else None

    @property
    def where(self) -> str:
        """The call for people."""
        return "the start" if self.call is None else self.call.node.source or self.call.node.name


def likely_causes(evidence: Evidence) -> list[tuple[str, str]]:
    """(kind, text) of each rule that speaks, the likeliest first; never none."""
    rules = (_stack, _byte_order, _stale, _input, _overwritten, _misplaced, _plan, _witness)
    found = [cause for rule in rules if (cause := rule(evidence)) is not None]
    return found or [("unknown", f"{evidence.stop.seen.tap.value} differs after {evidence.where}")]


def _byte_order(e: Evidence) -> tuple[str, str] | None:
    seen = e.stop.seen
    if e.call is not None:
        swapped = [value for value in e.call.node.inputs if e.stale.get(value)]
        if swapped:
            return "byte order", f"the constants {', '.join(swapped)} lie in the device with their bytes swapped"
    expected = e.expected[seen.tap.value].reshape(seen.tap.shape)
    if np.dtype(seen.tap.dtype).itemsize > 1:
        turned = seen.tap.array(seen.data, ">")
        if np.array_equal(turned.view(turned.dtype.str.replace("f", "i")), expected.view(f"i{expected.itemsize}")):
            return "byte order", f"{seen.tap.value} is right but for the order of its bytes"
    return None


def _stale(e: Evidence) -> tuple[str, str] | None:
    if e.call is None:
        return None
    wrong = [value for value in e.call.node.inputs if value in e.stale and not e.stale[value]]
    if not wrong:
        return None
    return "stale weights", f"this layer's constants {', '.join(wrong)} are not those of the folder: flash them anew"


def _input(e: Evidence) -> tuple[str, str] | None:
    if e.stop.mark or e.stop.held:
        return None
    return "wrong input", f"{e.stop.seen.tap.value} is not what was sent: RAM that does not hold, or another writer"


def _overwritten(e: Evidence) -> tuple[str, str] | None:
    """Values that were right at the mark before: the call in between wrote over them."""
    if not e.stop.held or e.call is None:
        return None
    seen = e.stop.held[0]
    low, high = seen.wrong_bytes
    victim = f"{seen.tap.value} (bytes {seen.tap.offset:,} to {seen.tap.offset + seen.tap.extent - 1:,} of the arena)"
    text = f"{e.where} wrote over {victim}, which is still to be read: bytes {low:,} to {high - 1:,} changed"
    writers = [text_ for start, end, text_ in _written(e) if start < high and low < end]
    if writers:
        return "overlapping buffers", f"{text}; it writes {' and '.join(writers)}"
    return "overlapping buffers", f"{text}; nothing that it writes lies there by the plan: a kernel that writes too far"


def _written(e: Evidence) -> list[tuple[int, int, str]]:
    """(first byte, end, name with bytes) of what the last call writes: by plan, by code, by where it was found."""
    assert e.call is not None
    own = [place for place in e.places.values() if place.first == e.call.step and place.kind != "stream"]
    own += [p for p in e.places.values() if p.kind == "stream" and p.first <= e.call.step <= p.last]
    ranges = [(place.offset, place.end, place.text) for place in own]
    moved = {name: real for name, _, real in e.moved.get(e.stop.mark - 1, ())}
    found = _found(e)
    if found is not None:
        moved[found[0].tap.value] = found[1]
    for place in own:
        if place.name in moved:
            start = moved[place.name]
            real = replace(place, offset=start)
            ranges.append((start, real.end, f"{real.text}, by the plan from {place.offset:,} on"))
    return ranges


def _found(e: Evidence) -> tuple[Seen, int] | None:
    """A wrong value of this mark that lies, whole and right, elsewhere; short or dull ones prove nothing."""
    for seen in e.stop.made:
        data = np.ascontiguousarray(e.expected[seen.tap.value]).tobytes()
        if seen.tap.pixel == seen.tap.stride and len(data) >= 8 and len(set(data)) >= 4:
            place = e.arena.find(data)
            if place >= 0:
                return seen, place
    return None


def _stack(e: Evidence) -> tuple[str, str] | None:
    if not e.stack_overflowed:
        return None
    return "stack overflow", "the stack was used to its last byte; what lies below it may have been written over"


def _misplaced(e: Evidence) -> tuple[str, str] | None:
    if e.call is None:
        return None
    said = [
        f"the C of {e.where} has {name} at byte {real:,} of the arena, the plan at {planned:,}"
        for name, planned, real in e.moved.get(e.stop.mark - 1, ())
    ]
    found = _found(e)
    if found is not None and not said:
        said.append(f"{found[0].tap.value} lies right at byte {found[1]:,}, the plan says {found[0].tap.offset:,}")
    if not said:
        return None
    if e.moved_fault:
        said.append(f"placed so, {e.moved_fault}")
    kind = "overlapping buffers" if "overlap" in e.moved_fault else "misplaced value"
    return kind, "; ".join(said)


def _plan(e: Evidence) -> tuple[str, str] | None:
    return ("overlapping buffers", f"the plan itself is wrong: {e.plan_fault}") if e.plan_fault else None


def _witness(e: Evidence) -> tuple[str, str] | None:
    if e.stop.held or not e.stop.mark or e.call is None:
        return None
    right = "its inputs were right"
    if e.witness == "agrees":
        text = f"{right}, and the same C is right on this machine: the compiler, code for this core alone"
        return "miscompiled kernel", f"{text} ({e.call.kernel}), or the hardware"
    also = "" if e.witness == "none" else ", and the same C is wrong on this machine, too"
    changed = f"; changed since it was compiled: {', '.join(e.altered)}" if e.altered else ""
    return "broken kernel", f"{right}{also}: the kernel {e.call.kernel}, or the generated call of it{changed}"
