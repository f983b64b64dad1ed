"""Distances that follow from an order of access, against a byte-by-byte simulation of every shift."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from octavo.memory import Distance, distance
from tests.oracles.access_order import Step, safe_shifts

SIZE = 8


@st.composite
def orders(draw: st.DrawFn) -> list[Step]:
    """A few steps that read and write spans of at most eight bytes, some of them empty."""

    def spans(draw: st.DrawFn) -> range:
        first = draw(st.integers(0, SIZE))
        return range(first, draw(st.integers(first, SIZE)))

    return [(spans(draw), spans(draw)) for _ in range(draw(st.integers(1, 5)))]


def of(steps: list[Step], reads_first: bool) -> Distance:
    bounds = [
        (np.array([span.start for span in spans]), np.array([span.stop for span in spans]))
        for spans in zip(*steps, strict=True)
    ]
    return distance(bounds[0], bounds[1], reads_first=reads_first)


@given(orders(), st.booleans())
def test_all_shifts_up_to_the_distances_are_safe_and_the_next_is_not(steps: list[Step], reads_first: bool) -> None:
    found, safe = of(steps, reads_first), safe_shifts(steps, 3 * SIZE, reads_first)
    assert safe >= {shift for shift in range(-3 * SIZE, 3 * SIZE + 1) if found.allows(shift)}
    if len(safe) < 6 * SIZE + 1:
        assert 1 - found.below not in safe
        assert found.above - 1 not in safe
    else:
        assert all(found.allows(shift) for shift in safe)


def test_the_example() -> None:
    start = np.arange(3)
    assert distance((2 * start, 2 * start + 2), (4 * start, 4 * start + 4)) == Distance(below=4, above=6)


def test_the_same_place_is_allowed_by_distance_or_by_itself() -> None:
    assert Distance(0, 9).allows(0)
    assert Distance(9, 0).allows(0)
    assert not Distance(1, 1).allows(0)
    assert Distance(1, 1, same=True).allows(0)
    assert not Distance(2, 2, same=True).allows(1)
