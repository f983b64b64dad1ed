"""Convolutions whose kernel, dilation, stride or groups a target does not have, as convolutions that it has."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Node
from octavo.npu.support import Support, kernel_of
from octavo.ops import (
    NONE,
    Add,
    AveragePool2D,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Pad,
    Reshape,
    Slice,
)
from octavo.passes.rewrite import Draft

__all__ = [
    "channels_filled",
    "depthwise_as_groups",
    "fill_dilation",
    "fill_groups",
    "fill_square",
    "fully_connected_as_convolution",
    "groups_apart",
    "kernel_in_parts",
    "stride_by_slice",
]

_Windowed = Conv2D | DepthwiseConv2D
# More convolutions than that cost more than multiplying with zeros.
MAX_PARTS = 16


def _weights(draft: Draft, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    found = draft.values(node.inputs[1:])
    return None if found is None else (found[0], found[1])


def _again(draft: Draft, node: Node, op: _Windowed, x: str, weights: NDArray[np.float64], bias: str) -> str:
    return draft.add(op, [x, draft.const(weights, node.inputs[1]), bias], node)


def kernel_in_parts(support: Support, draft: Draft, node: Node) -> str | None:
    """A kernel as a sum of smaller ones, each over its own part of the image."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, _Windowed) or (found := _weights(draft, node)) is None:
        return None
    weights, bias = found
    kernel = weights.shape[1:3]
    side = max(limits.square, default=math.inf)
    height = int(min(limits.kernel[0], side, limits.window))
    width = int(min(limits.kernel[1], side, limits.window // height))
    if kernel[0] <= height and kernel[1] <= width:
        return None
    blocks = [(i, j) for i in range(0, kernel[0], height) for j in range(0, kernel[1], width)]
    if len(blocks) > MAX_PARTS:
        return None
    parts = []
    for i, j in blocks:
        taps = weights[:, i : i + height, j : j + width]
        read = _window(draft, node, op, kernel, (i, j), taps.shape[1:3])
        if read is not None:
            parts.append((*read, taps))
    total = ""
    for index, (x, padding, taps) in enumerate(parts):
        begin = draft.const(bias if index == 0 else np.zeros_like(bias), node.inputs[2])
        alone = op.activation if len(parts) == 1 else NONE
        part = _again(draft, node, replace(op, padding=padding, activation=alone), x, taps, begin)
        last = op.activation if index == len(parts) - 1 else NONE
        total = part if index == 0 else draft.add(Add(last), [total, part], node)
    return total


def _window(
    draft: Draft, node: Node, op: _Windowed, kernel: tuple[int, ...], start: tuple[int, int], size: tuple[int, ...]
) -> tuple[str, tuple[int, int, int, int]] | None:
    """The part of the image that the taps from ``start`` on read, and its padding; None where they see only padding."""
    shape, sides, begin, end = draft.shape(node.inputs[0]), [], [0, 0], list(draft.shape(node.inputs[0])[1:3])
    for axis in (0, 1):
        step = op.dilation[axis]
        before = op.padding[2 * axis] - start[axis] * step
        after = op.padding[2 * axis + 1] - (kernel[axis] - start[axis] - size[axis]) * step
        begin[axis], end[axis] = max(-before, 0), end[axis] - max(-after, 0)
        sides += [max(before, 0), max(after, 0)]
    padding = (sides[0], sides[1], sides[2], sides[3])
    if begin[0] >= end[0] or begin[1] >= end[1]:
        return None
    if begin == [0, 0] and tuple(end) == shape[1:3]:
        return node.inputs[0], padding
    cut = Slice((0, *begin, 0), (1, *end, shape[3]), (1, 1, 1, 1))
    return draft.add(cut, [node.inputs[0]], node), padding


def fill_square(support: Support, draft: Draft, node: Node) -> str | None:
    """A kernel with rows and columns of zeros around it, up to a size that the target has (1 x k as k x k)."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not limits.square or not isinstance(op, _Windowed) or (found := _weights(draft, node)) is None:
        return None
    kernel = found[0].shape[1:3]
    sides = [side for side in sorted(limits.square) if side >= max(kernel)]
    if not sides or kernel == (sides[0], sides[0]):
        return None
    extra = [sides[0] - size for size in kernel]
    before = [count // 2 for count in extra]
    borders = [(first, count - first) for first, count in zip(before, extra, strict=True)]
    weights = np.pad(found[0], ((0, 0), *borders, (0, 0)))
    added = [count * op.dilation[axis] for axis in (0, 1) for count in borders[axis]]
    top, bottom, left, right = (old + more for old, more in zip(op.padding, added, strict=True))
    return _again(draft, node, replace(op, padding=(top, bottom, left, right)), node.inputs[0], weights, node.inputs[2])


def fill_dilation(support: Support, draft: Draft, node: Node) -> str | None:
    """A dilated kernel as a larger one with zeros between its taps."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, _Windowed) or (found := _weights(draft, node)) is None:
        return None
    wrong = [op.dilation[axis] > limits.dilation[axis] for axis in (0, 1)]
    if not any(wrong):
        return None
    steps = [op.dilation[axis] if wrong[axis] else 1 for axis in (0, 1)]
    old = found[0]
    sizes = [(old.shape[axis + 1] - 1) * steps[axis] + 1 for axis in (0, 1)]
    weights = np.zeros((old.shape[0], *sizes, old.shape[3]))
    weights[:, :: steps[0], :: steps[1]] = old
    dilation = (1 if wrong[0] else op.dilation[0], 1 if wrong[1] else op.dilation[1])
    return _again(draft, node, replace(op, dilation=dilation), node.inputs[0], weights, node.inputs[2])


def stride_by_slice(support: Support, draft: Draft, node: Node) -> str | None:
    """A stride that the target does not have: every so many results (or, of a 1 x 1 kernel, pixels) are taken."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, _Windowed | MaxPool2D | AveragePool2D):
        return None
    if all(op.stride[axis] <= limits.stride[axis] for axis in (0, 1)):
        return None
    x = node.inputs[0]
    kernel = kernel_of(op, [draft.type(value) for value in node.inputs])
    if kernel == (1, 1) and not any(op.padding):
        return draft.add(replace(op, stride=(1, 1)), [_every(draft, node, x, op.stride), *node.inputs[1:]], node)
    kept = [max(s for s in range(1, op.stride[axis] + 1) if op.stride[axis] % s == 0 and s <= limits.stride[axis])
            for axis in (0, 1)]  # fmt: skip
    dense = draft.add(replace(op, stride=(kept[0], kept[1])), list(node.inputs), node)
    return _every(draft, node, dense, (op.stride[0] // kept[0], op.stride[1] // kept[1]))


def _every(draft: Draft, node: Node, value: str, steps: tuple[int, int]) -> str:
    shape = draft.shape(value)
    return draft.add(Slice((0, 0, 0, 0), shape, (1, *steps, 1)), [value], node)


def groups_apart(support: Support, draft: Draft, node: Node) -> str | None:
    """A convolution of several groups as one a slice of the channels, joined again."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, Conv2D) or op.groups <= limits.groups:
        return None
    if not (support.has(Slice) and support.has(Concat)) or (found := _weights(draft, node)) is None:
        return None
    kept = max(count for count in range(1, limits.groups + 1) if op.groups % count == 0)
    parts = op.groups // kept
    if parts > MAX_PARTS:
        return None
    weights, bias = found
    shape, done = draft.shape(node.inputs[0]), []
    width, rows = shape[3] // parts, len(bias) // parts
    for part in range(parts):
        cut = Slice((0, 0, 0, part * width), (*shape[:3], (part + 1) * width), (1, 1, 1, 1))
        own = slice(part * rows, (part + 1) * rows)
        begin = draft.const(bias[own], node.inputs[2])
        x = draft.add(cut, [node.inputs[0]], node)
        done.append(_again(draft, node, replace(op, groups=kept), x, weights[own], begin))
    return draft.add(Concat(3), done, node)


def fill_groups(support: Support, draft: Draft, node: Node) -> str | None:
    """A convolution of several groups as one over all channels, with zeros between the groups."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, Conv2D) or op.groups <= limits.groups:
        return None
    if (found := _weights(draft, node)) is None:
        return None
    old = found[0]
    rows, width = old.shape[0] // op.groups, old.shape[3]
    weights = np.zeros((*old.shape[:3], width * op.groups))
    for group in range(op.groups):
        own = slice(group * rows, (group + 1) * rows)
        weights[own, :, :, group * width : (group + 1) * width] = old[own]
    return _again(draft, node, replace(op, groups=1), node.inputs[0], weights, node.inputs[2])


def depthwise_as_groups(support: Support, draft: Draft, node: Node) -> str | None:
    """A depthwise convolution as one of as many groups as channels, where the target has no depthwise for it."""
    op, limits = node.op, support.limits(node.kind)
    if not isinstance(op, DepthwiseConv2D) or not support.has(Conv2D) or (found := _weights(draft, node)) is None:
        return None
    channels = draft.shape(node.inputs[0])[3]
    if limits is not None and found[0].shape[3] // channels <= limits.multiplier:
        return None
    grouped = Conv2D(op.stride, op.padding, op.dilation, channels, op.activation)
    weights = draft.const(found[0].transpose(3, 1, 2, 0), node.inputs[1])
    return draft.add(grouped, [node.inputs[0], weights, node.inputs[2]], node)


def fully_connected_as_convolution(support: Support, draft: Draft, node: Node) -> str | None:
    """A fully connected layer as a 1 x 1 convolution over an image of its rows."""
    op, limits = node.op, support.limits(node.kind)
    if not isinstance(op, FullyConnected) or not (support.has(Conv2D) and support.has(Reshape)):
        return None
    shape = draft.shape(node.inputs[0])
    if (limits is not None and (not limits.ranks or len(shape) in limits.ranks)) or _weights(draft, node) is None:
        return None
    rows = math.prod(shape[1:-1])
    image = draft.add(Reshape((1, 1, rows, shape[-1])), [node.inputs[0]], node)
    weights = draft.value(node.inputs[1])
    assert weights is not None
    inner = draft.const(weights.reshape(weights.shape[0], 1, 1, -1), node.inputs[1])
    y = draft.add(Conv2D(activation=op.activation), [image, inner, node.inputs[2]], node)
    return draft.add(Reshape((*shape[:-1], weights.shape[0])), [y], node)


def channels_filled(support: Support, draft: Draft, node: Node) -> str | None:
    """Channels of zeros before and behind a layer, up to the multiple that the target takes; the latter are cut off."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, Conv2D | FullyConnected) or getattr(op, "groups", 1) != 1:
        return None
    found = _weights(draft, node)
    if limits.multiple == 1 or not (support.has(Pad) and support.has(Slice)) or found is None:
        return None
    weights, bias = found
    more = [-weights.shape[axis] % limits.multiple for axis in (0, -1)]
    if not any(more):
        return None
    (x, *_), shape = node.inputs, draft.shape(node.inputs[0])
    if more[1]:
        none = (0,) * (len(shape) - 1)
        x = draft.add(Pad((*none, 0), (*none, more[1])), [x], node)
    wide = np.pad(weights, ((0, more[0]), *((0, 0),) * (weights.ndim - 2), (0, more[1])))
    parameters = [draft.const(wide, node.inputs[1]), draft.const(np.pad(bias, (0, more[0])), node.inputs[2])]
    y = draft.add(op, [x, *parameters], node)
    if not more[0]:
        return y
    whole = draft.shape(y)
    cut = Slice((0,) * len(whole), (*whole[:-1], len(bias)), (1,) * len(whole))
    return draft.add(cut, [y], node)
