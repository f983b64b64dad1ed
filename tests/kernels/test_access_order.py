"""The distances of convolutions and fully connected layers, against their C loops written out element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from octavo.kernels.specialize import specialize
from octavo.lower.lower import IntegerModel
from octavo.memory import Distance
from octavo.targets import load_target
from tests.networks.half_layers import in_half
from tests.networks.integer_layers import (
    Layer,
    apart,
    convolution,
    depthwise,
    fully_connected,
    in_int4,
    in_log2,
    side_by_side,
)
from tests.networks.integer_layers16 import in_int16, pointwise
from tests.oracles.access_order import Step, safe_shifts

Loop = Callable[[Any], Iterator[Step]]


def span(first: int, count: int) -> set[int]:
    return set(range(first, first + count))


def pixels(image_w: int, channels: int, y: int, columns: range, start: int, count: int) -> set[int]:
    """Elements of some channels of the pixels of a row."""
    return {(y * image_w + x) * channels + start + c for x in columns for c in range(count)}


def window(p: Any, oy: int, ox: int, channels: int, start: int, count: int) -> set[int]:
    """Elements of some channels of the taps that are inside the image."""
    taps = [
        (oy * p.stride_h - p.pad_top + ky * p.dilation_h, ox * p.stride_w - p.pad_left + kx * p.dilation_w)
        for ky in range(p.kernel_h)
        for kx in range(p.kernel_w)
    ]
    inside = [(y, x) for y, x in taps if 0 <= y < p.in_h and 0 <= x < p.in_w]
    return {(y * p.in_w + x) * channels + start + c for y, x in inside for c in range(count)}


def conv2d_s8(p: Any) -> Iterator[Step]:
    for oy in range(p.out_h):
        for ox in range(p.out_w):
            for oc in range(p.out_c):
                yield window(p, oy, ox, p.in_c, 0, p.in_c), {(oy * p.out_w + ox) * p.out_c + oc}


def depthwise_conv2d_s8(p: Any) -> Iterator[Step]:
    for oy in range(p.out_h):
        for ox in range(p.out_w):
            for first in range(0, p.out_c, 32):
                n = min(32, p.out_c - first)
                yield window(p, oy, ox, p.in_c, first, n), span((oy * p.out_w + ox) * p.out_c + first, n)


def fully_connected_s8(p: Any) -> Iterator[Step]:
    for row in range(p.rows):
        for o in range(p.out_features):
            yield span(row * p.in_features, p.in_features), {row * p.out_features + o}


def blocks(p: Any, block: int) -> Iterator[Step]:
    """Pixels of pointwise_s8_dsp, pointwise_s8_mve and pointwise_s8_scalar."""
    rest = p.pixels % block
    order = [(i, block) for i in range(0, p.pixels - rest, block)] + ([(p.pixels - rest, rest)] if rest else [])
    for first, n in reversed(order) if p.backward else order:
        yield span(first * p.in_c, n * p.in_c), span(first * p.out_c, n * p.out_c)


def pointwise_s16_dsp(p: Any) -> Iterator[Step]:
    for read, written in blocks(p, p.block):
        first, n = min(written) // p.out_c, len(written) // p.out_c
        for o in range(0, p.out_c, 2):
            yield read, pixels(1, p.out_c, first, range(n), o, min(2, p.out_c - o))


def ring(p: Any, step: int) -> Iterator[Step]:
    """Rows of conv2d_s8_dsp, ``step`` of them at a time."""
    following = -p.pad_top
    for oy in range(0, p.out_h, step):
        read: set[int] = set()
        rows = min(step, p.out_h - oy)
        top = oy * p.stride_h - p.pad_top
        following = max(following, top)
        while following < top + (rows - 1) * p.stride_h + p.kernel_h:
            if 0 <= following < p.in_h:
                read |= span(following * p.in_w * p.in_c, p.in_w * p.in_c)
            following += 1
        yield read, span(oy * p.out_w * p.out_c, rows * p.out_w * p.out_c)


def conv2d_s8_dsp(p: Any) -> Iterator[Step]:
    yield from ring(p, 1)


def conv2d_apart_dsp(p: Any) -> Iterator[Step]:
    """Rows of a kernel as high as the ring."""
    yield from ring(replace(p, kernel_h=p.ring_h), 1)


def conv2d_log2_dsp(p: Any) -> Iterator[Step]:
    """The ring has room for as many rows more as the last of them needs."""
    yield from ring(p, 1 + (p.ring_h - p.kernel_h) // p.stride_h)


def conv2d_w4_shifts(p: Any) -> Iterator[Step]:
    for pixel in range(0, p.out_h * p.out_w, 2):
        both = range(pixel, min(pixel + 2, p.out_h * p.out_w))
        read = [window(p, *divmod(i, p.out_w), p.in_c, 0, p.in_c) for i in both]
        yield set().union(*read), pixels(1, p.out_c, pixel, range(len(both)), 0, p.out_c)


def strip_row(p: Any, y: int, channels: int, start: int, count: int) -> set[int]:
    left = min(p.pad_left, p.strip_w)
    inside = min(p.strip_w - left, p.in_w)
    return pixels(p.in_w, channels, y, range(inside), start, count) if 0 <= y < p.in_h else set()


def strip(p: Any, in_c: int, out_c: int, start: int, count: int, written: int) -> Iterator[Step]:
    """Rows of conv2d_s8_mve, and of four channels of depthwise_conv2d_s8_mve."""
    following = -p.pad_top
    for oy in range(p.out_h):
        read: set[int] = set()
        top = oy * p.stride_h - p.pad_top
        following = max(following, top)
        while following < top + p.kernel_h:
            read |= strip_row(p, following, in_c, start, count)
            following += 1
        yield read, pixels(p.out_w, out_c, oy, range(p.out_w), start, written)


def depthwise_conv2d_s8_mve(p: Any) -> Iterator[Step]:
    for first in range(0, p.channels, 4):
        lanes = min(4, p.channels - first)
        yield from strip(p, p.channels, p.channels, first, lanes, lanes)


def depthwise_conv2d_dsp(p: Any, group: int) -> Iterator[Step]:
    carried = p.kernel_h - p.stride_h
    for channel in range(0, p.channels, group):
        n = min(group, p.channels - channel)
        for first in range(0, p.out_h, p.band_out):
            rows = min(p.band_out, p.out_h - first)
            top = first * p.stride_h - p.pad_top
            have = carried if first > 0 and carried > 0 else 0
            needed = range(top + have, top + (rows - 1) * p.stride_h + p.kernel_h)
            read = [pixels(p.in_w, p.channels, y, range(p.in_w), channel, n) for y in needed if 0 <= y < p.in_h]
            write = [pixels(p.out_w, p.channels, first + i, range(p.out_w), channel, n) for i in range(rows)]
            yield set().union(*read), set().union(*write)


def fully_connected_s8_dsp(p: Any) -> Iterator[Step]:
    for row in range(p.rows):
        for o in range(0, p.out_features, 4):
            read = span(row * p.in_features, p.in_features)
            yield read, span(row * p.out_features + o, min(4, p.out_features - o))


def fully_connected_s8_mve(p: Any) -> Iterator[Step]:
    for row in range(0, p.rows, 2):
        both = range(row, min(row + 2, p.rows))
        for o in range(0, p.out_features, 4):
            n = min(4, p.out_features - o)
            read = set().union(*(span(r * p.in_features, p.in_features) for r in both))
            yield read, set().union(*(span(r * p.out_features + o, n) for r in both))


def fully_connected_s8_scalar(p: Any) -> Iterator[Step]:
    whole = p.out_features - p.out_features % 4
    for row in range(p.rows):
        for o in [*range(0, whole, 4), *range(whole, p.out_features)]:
            written = span(row * p.out_features + o, 4 if o < whole else 1)
            yield span(row * p.in_features, p.in_features), written


def in_eights(out_c: int) -> Iterator[range]:
    """Output channels that float16 kernels sum at once."""
    yield from (range(first, min(first + 8, out_c)) for first in range(0, out_c, 8))


def conv2d_f16(p: Any) -> Iterator[Step]:
    for oy in range(p.out_h):
        for first in range(0, p.out_w, 2):
            two = range(first, min(first + 2, p.out_w))
            for channels in in_eights(p.out_c):
                read = set().union(*(window(p, oy, ox, p.in_c, 0, p.in_c) for ox in two))
                yield read, pixels(p.out_w, p.out_c, oy, two, channels.start, len(channels))


def depthwise_conv2d_f16(p: Any) -> Iterator[Step]:
    for oy in range(p.out_h):
        for ox in range(p.out_w):
            for channels in in_eights(p.out_c):
                at = (oy * p.out_w + ox) * p.out_c + channels.start
                yield window(p, oy, ox, p.in_c, channels.start, len(channels)), span(at, len(channels))


def fully_connected_f16(p: Any) -> Iterator[Step]:
    for row in range(p.rows):
        for channels in in_eights(p.out_features):
            read = span(row * p.in_features, p.in_features)
            yield read, span(row * p.out_features + channels.start, len(channels))


LOOPS: dict[str, Loop] = {
    "conv2d_s8": conv2d_s8,
    "conv2d_s8_dsp": conv2d_s8_dsp,
    "conv2d_s8_mve": lambda p: strip(p, p.in_c, p.out_c, 0, p.in_c, p.out_c),
    "conv2d_s8_scalar": conv2d_s8_dsp,
    "depthwise_conv2d_s8": depthwise_conv2d_s8,
    "depthwise_conv2d_s8_dsp": lambda p: depthwise_conv2d_dsp(p, 1),
    "depthwise_conv2d_s8_mve": depthwise_conv2d_s8_mve,
    "depthwise_conv2d_s8_scalar": lambda p: depthwise_conv2d_dsp(p, 1),
    "fully_connected_s8": fully_connected_s8,
    "fully_connected_s8_dsp": fully_connected_s8_dsp,
    "fully_connected_s8_mve": fully_connected_s8_mve,
    "fully_connected_s8_scalar": fully_connected_s8_scalar,
    "pointwise_s8_dsp": lambda p: blocks(p, p.block),
    "pointwise_s8_mve": lambda p: blocks(p, 2),
    "conv2d_apart_dsp": conv2d_apart_dsp,
    "conv2d_log2_dsp": conv2d_log2_dsp,
    "conv2d_w4_dsp": conv2d_s8_dsp,
    "conv2d_w4_mve": lambda p: strip(p, p.in_c, p.out_c, 0, p.in_c, p.out_c),
    "conv2d_w4_shifts": conv2d_w4_shifts,
    "depthwise_conv2d_log2_dsp": lambda p: depthwise_conv2d_dsp(p, 1),
    "fully_connected_log2_dsp": fully_connected_s8_dsp,
    "fully_connected_w4_dsp": fully_connected_s8_dsp,
    "fully_connected_w4_mve": fully_connected_s8_mve,
    "pointwise_log2_dsp": lambda p: blocks(p, p.block),
    "pointwise_w4_dsp": lambda p: blocks(p, p.block),
    "pointwise_w4_mve": lambda p: blocks(p, 2),
    "pointwise_s8_scalar": lambda p: blocks(p, 4),
    "conv2d_s16": conv2d_s8,
    "conv2d_s16_dsp": conv2d_s8_dsp,
    "depthwise_conv2d_s16": depthwise_conv2d_s8,
    "depthwise_conv2d_s16_dsp": lambda p: depthwise_conv2d_dsp(p, 2),
    "fully_connected_s16": fully_connected_s8,
    "fully_connected_s16_dsp": fully_connected_s8_dsp,
    "pointwise_s16_dsp": pointwise_s16_dsp,
    "conv2d_s16_mve": lambda p: strip(p, p.in_c, p.out_c, 0, p.in_c, p.out_c),
    "depthwise_conv2d_s16_mve": depthwise_conv2d_s8_mve,
    "fully_connected_s16_mve": fully_connected_s8_mve,
    "pointwise_s16_mve": lambda p: blocks(p, 2),
    "conv2d_f16": conv2d_f16,
    "conv2d_f16_mve": lambda p: strip(p, p.in_c, p.out_c, 0, p.in_c, p.out_c),
    "depthwise_conv2d_f16": depthwise_conv2d_f16,
    "depthwise_conv2d_f16_mve": depthwise_conv2d_f16,
    "fully_connected_f16": fully_connected_f16,
    "fully_connected_f16_mve": fully_connected_f16,
}


def convolution16(rng: np.random.Generator, kernel: tuple[int, int] | None = None) -> Layer:
    """Every second one pointwise with channels in fours."""
    return pointwise(rng) if kernel else in_int16(rng, convolution(rng))


def depthwise16(rng: np.random.Generator) -> Layer:
    return in_int16(rng, depthwise(rng))


def fully_connected16(rng: np.random.Generator) -> Layer:
    return in_int16(rng, fully_connected(rng))


def coded(weights: Callable[..., Layer], kind: Callable[..., Layer]) -> Callable[..., Layer]:
    """The kind's layers with such weights."""

    def made(rng: np.random.Generator, *kernel: tuple[int, int]) -> Layer:
        return weights(rng, kind(rng, *kernel))

    made.__name__ = f"{kind.__name__}_{weights.__name__}"
    return made


convolution_int4, fully_connected_int4 = coded(in_int4, convolution), coded(in_int4, fully_connected)
convolution_log2, fully_connected_log2 = coded(in_log2, convolution), coded(in_log2, fully_connected)
depthwise_log2 = coded(in_log2, depthwise)


def half(kind: Callable[..., Layer]) -> Callable[..., Layer]:
    """Layers of a kind in float16."""
    return lambda rng, *kernel: in_half(rng, kind(rng, *kernel))


def in_bytes(steps: Iterator[Step], size: int) -> Iterator[Step]:
    """The bytes of elements that have ``size``."""
    for step in steps:
        yield tuple({size * i + byte for i in part for byte in range(size)} for part in step)  # type: ignore[misc]


def small(kind: Callable[..., Any], rng: np.random.Generator) -> Any:
    """A random layer whose bytes can be looked at one by one."""
    convolutions = (convolution, convolution_int4, convolution_log2, convolution16)
    while True:
        layer = kind(rng, (1, 1)) if kind in convolutions and rng.integers(0, 2) else kind(rng)
        if max(np.prod(layer[1][0].shape), np.prod(layer[3])) <= 400:
            return layer


def program(kind: Callable[..., Any], variant: str) -> IntegerModel:
    """Forty random layers with the kernels of a variant."""
    rng = np.random.default_rng(6)
    model = side_by_side([small(kind, rng) for _ in range(40)])
    features = () if variant == "portable" else (variant,)
    return specialize(model, replace(load_target("cortex-m4"), features=features))


@pytest.mark.parametrize(
    ("kind", "kernel"),
    [
        (convolution, "pointwise_s8_dsp"),
        (convolution, "pointwise_s8_mve"),
        (convolution_log2, "pointwise_log2_dsp"),
        (convolution, "pointwise_s8_scalar"),
        (convolution16, "pointwise_s16_dsp"),
        (convolution16, "pointwise_s16_mve"),
    ],
)
def test_pointwise_convolutions_of_both_directions_are_among_them(kind: Callable[..., Any], kernel: str) -> None:
    ops = [node.op for node in program(kind, kernel.rsplit("_", 1)[1]).graph.nodes]
    assert {op.backward for op in ops if op.kernel == kernel} == {0, 1}


NARROW = (convolution, depthwise, fully_connected)
INT4 = (convolution_int4, fully_connected_int4)
LOG2 = (convolution_log2, depthwise_log2, fully_connected_log2)
WIDE = (convolution16, depthwise16, fully_connected16)
HALF = tuple(half(kind) for kind in NARROW)


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        *product(NARROW, ("portable", "dsp", "mve", "scalar")),
        *product(WIDE, ("portable", "dsp", "mve")),
        *product((*INT4, *LOG2, apart), ("dsp",)),
        *product(INT4, ("mve",)),
        (convolution_log2, "shifts"),
        *product(HALF, ("portable", "mve")),
    ],
)
def test_the_distances_are_those_of_the_loops(kind: Callable[..., Any], variant: str) -> None:
    model = program(kind, variant)
    for node in model.graph.nodes:
        found: Distance = node.op.overlaps()[0]
        reach = 2 + max(model.graph.types[value].nbytes for value in (node.inputs[0], node.outputs[0]))
        steps = in_bytes(LOOPS[node.op.kernel](node.op), np.dtype(node.op.dtype).itemsize)
        safe = safe_shifts(steps, reach)
        allowed = {shift for shift in range(-reach, reach + 1) if found.allows(shift)}
        assert allowed <= safe, node.op
        nearer = {1 - found.below, found.above - 1} - ({0} if found.same else set())
        assert not safe & nearer or len(safe) == 2 * reach + 1, node.op
        if node.op.kernel.startswith("depthwise") and variant != "portable":
            assert found.allows(0) == (0 in safe), node.op
