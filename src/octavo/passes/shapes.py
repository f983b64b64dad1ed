"""Arithmetic of permutations and reshapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "axes_behind",
    "commuted_reshape",
    "gathered_axes",
    "inverse",
    "moves_only_ones",
    "permuted",
    "without_ones",
]


def permuted(items: Sequence[Any], perm: Sequence[int]) -> tuple[Any, ...]:
    """Item perm[i] at place i."""
    return tuple(items[axis] for axis in perm)


def inverse(perm: Sequence[int] | NDArray[np.int64]) -> tuple[int, ...]:
    """The permutation that undoes ``perm``."""
    return tuple(int(axis) for axis in np.argsort(np.asarray(perm)))


def moves_only_ones(shape: Sequence[int], perm: Sequence[int]) -> bool:
    """Whether a transpose leaves the elements in their order in memory."""
    kept = [axis for axis in perm if shape[axis] != 1]
    return kept == sorted(kept) and perm[0] == 0


def without_ones(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape without one axis."""
    return shape[:axis] + shape[axis + 1 :]


def axes_behind(seen: Sequence[int], wanted: Sequence[int]) -> list[int | None] | None:
    """For each axis of ``wanted`` the axis of ``seen`` that it is, None for ones.

    None altogether unless the two shapes differ only in axes of size one.
    """
    wide = [axis for axis, size in enumerate(seen) if size != 1]
    if [seen[axis] for axis in wide] != [size for size in wanted if size != 1]:
        return None
    places = iter(wide)
    return [None if size == 1 else next(places) for size in wanted]


def commuted_reshape(
    source: tuple[int, ...], perm: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """(shape', perm') with reshape(transpose(x, perm), shape) = transpose(reshape(x, shape'), perm').

    ``source`` is the shape of x. Exists when each axis (or run of axes) that the reshape splits or joins is a run of
    neighbours in x, too. Axis 0 stays.
    """
    groups = _groups(permuted(source, perm), shape)
    placed: list[tuple[int, list[int]]] = []
    wide = [axis for axis in range(1, len(source)) if source[axis] != 1]
    for before, after in groups:
        axes = [perm[axis] for axis in before]
        if not axes:
            placed.append((-1, after))
            continue
        first = wide.index(axes[0])
        if axes != wide[first : first + len(axes)]:
            return None
        placed.append((first, after))
    order = [0, *(axis for _, after in sorted(placed, key=lambda item: item[0]) for axis in after)]
    return permuted(shape, order), inverse(order)


def gathered_axes(source: tuple[int, ...], perm: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation of ``source`` that moves least and makes neighbours of the axes that the reshape joins."""
    runs = [[perm[axis] for axis in before] for before, _ in _groups(permuted(source, perm), shape) if before]
    wide = [axis for run in sorted(runs, key=min) for axis in run]
    ones = [axis for axis in range(1, len(source)) if source[axis] == 1]
    return (0, *wide, *ones)


def _groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes (without axis 0 and, in ``before``, without ones) with equal products.

    Ones of ``after`` belong to the run before them; leading ones are a run without source.
    """
    left = [axis for axis in range(1, len(before)) if before[axis] != 1]
    groups: list[tuple[list[int], list[int]]] = [([], [])]
    have = want = 1
    for axis in range(1, len(after)):
        size = after[axis]
        if size == 1:
            groups[-1][1].append(axis)
            continue
        if have == want:
            groups.append(([], []))
            have = want = 1
        groups[-1][1].append(axis)
        want *= size
        while have < want:
            taken = left.pop(0)
            groups[-1][0].append(taken)
            have *= before[taken]
    return [group for group in groups if group[1]]
