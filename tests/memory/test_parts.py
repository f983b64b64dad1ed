"""Parts of one memory against an exhaustive search, and the laws that every placement keeps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.memory import place_parts

ALIGNMENT = 2


@st.composite
def problems(draw: st.DrawFn, most: int, bytes_: int) -> tuple[dict[str, int], list[frozenset[str]], dict[str, int]]:
    names = "abcdefghijkl"[: draw(st.integers(1, most))]
    sizes = {name: draw(st.integers(0, bytes_)) for name in names}
    group = st.frozensets(st.sampled_from(names), min_size=min(2, len(names)), max_size=3)
    together = draw(st.lists(group, max_size=4))
    return sizes, together, {name: draw(st.sampled_from((1, ALIGNMENT, 4))) for name in names}


def sound(
    offsets: Mapping[str, int], sizes: Mapping[str, int], together: list[frozenset[str]], alignments: Mapping[str, int]
) -> bool:
    apart = all(
        offsets[one] + sizes[one] <= offsets[other] or offsets[other] + sizes[other] <= offsets[one]
        for group in together
        for one, other in combinations(sorted(group), 2)
        if sizes[one] and sizes[other]
    )
    return apart and all(offset % alignments[name] == 0 for name, offset in offsets.items())


def end(offsets: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    return max(offsets[name] + sizes[name] for name in sizes)


@settings(deadline=None, max_examples=60)
@given(problems(4, 4))
def test_no_sound_placement_is_smaller(problem: tuple[dict[str, int], list[frozenset[str]], dict[str, int]]) -> None:
    sizes, together, alignments = problem
    offsets = place_parts(sizes, together, alignments)
    assert list(offsets) == list(sizes) and sound(offsets, sizes, together, alignments)
    reached = end(offsets, sizes)
    places = [range(0, max(reached - size, 0) + 1) for size in sizes.values()]
    smaller = (dict(zip(sizes, where, strict=True)) for where in product(*places))
    assert not [p for p in smaller if end(p, sizes) < reached and sound(p, sizes, together, alignments)]


@settings(deadline=None, max_examples=60)
@given(problems(12, 1000))
def test_many_users_are_placed_soundly(problem: tuple[dict[str, int], list[frozenset[str]], dict[str, int]]) -> None:
    sizes, together, alignments = problem
    offsets = place_parts(sizes, together, alignments)
    assert sound(offsets, sizes, together, alignments) and offsets == place_parts(sizes, together, alignments)
    if not together:
        assert end(offsets, sizes) == max(sizes.values())
