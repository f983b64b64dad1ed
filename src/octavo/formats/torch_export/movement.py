"""Operators that only move elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from octavo.formats.torch_export.call import Call, Value, channels_first, channels_last, refuse_batch
from octavo.ops import Concat, Identity, Pad, Reshape, Slice, Transpose

__all__ = ["cat", "chunk", "expand", "expand_as", "flatten", "pad", "permute", "pixel_shuffle", "reshape", "select",
           "slice_", "split", "squeeze", "stack", "swap", "unbind", "unflatten", "unsqueeze"]  # fmt: skip


def _to(call: Call, value: str, shape: Sequence[int], part: str = "") -> str:
    known = math.prod(d for d in shape if d != -1)
    total = math.prod(call.shape(value))
    target = tuple(total // known if d == -1 else int(d) for d in shape) if known else tuple(shape)
    if target[:1] != (1,):
        raise refuse_batch(call)
    return call.add(Reshape(target), [value], part)


def reshape(call: Call) -> str:
    """view, reshape."""
    return _to(call, call.x(), [int(d) for d in (call.arg("size") or call.arg("shape"))])


def flatten(call: Call) -> str:
    """flatten of a range of axes behind the batch."""
    shape = call.shape(call.x())
    start, end = (int(call.arg(n, d)) % len(shape) for n, d in (("start_dim", 0), ("end_dim", -1)))
    if start == 0 and end > 0:
        raise refuse_batch(call)
    return _to(call, call.x(), [*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]])


def unflatten(call: Call) -> str:
    """unflatten of one axis."""
    shape = call.shape(call.x())
    axis = call.axis(int(call.arg("dim")), len(shape))
    return _to(call, call.x(), [*shape[:axis], *(int(d) for d in call.arg("sizes")), *shape[axis + 1 :]])


def squeeze(call: Call) -> str:
    """squeeze of named axes."""
    shape, dims = call.shape(call.x()), call.arg("dim")
    if dims is None:
        raise call.refuse("removes every axis of size 1, the batch included", "Name the axes to squeeze.")
    axes = {call.axis(int(d), len(shape)) for d in ([dims] if isinstance(dims, int) else dims)}
    return _to(call, call.x(), [d for a, d in enumerate(shape) if a not in axes or d != 1])


def unsqueeze(call: Call) -> str:
    """unsqueeze behind the batch."""
    shape = list(call.shape(call.x()))
    shape.insert(call.axis(int(call.arg("dim")), len(shape) + 1), 1)
    return _to(call, call.x(), shape)


def permute(call: Call) -> str:
    """permute that leaves the batch in front."""
    rank = len(call.shape(call.x()))
    perm = tuple(int(d) % rank for d in call.arg("dims"))
    if perm[0] != 0:
        raise refuse_batch(call)
    return call.add(Transpose(perm), [call.x()])


def swap(call: Call) -> str:
    """transpose of two axes."""
    rank = len(call.shape(call.x()))
    first, second = call.axis(int(call.arg("dim0")), rank), call.axis(int(call.arg("dim1")), rank)
    perm = list(range(rank))
    perm[first], perm[second] = second, first
    return call.add(Transpose(tuple(perm)), [call.x()])


def cat(call: Call) -> str:
    """cat along any axis but the batch."""
    tensors: list[Any] = list(call.arg("tensors"))
    values = [t.name if isinstance(t, Value) else call.constant(t.numpy()) for t in tensors]
    axis = call.axis(int(call.arg("dim", 0)), len(call.shape(values[0])))
    return call.add(Identity(), values) if len(values) == 1 else call.add(Concat(axis), values)


def stack(call: Call) -> str:
    """stack: cat along a new axis."""
    tensors: list[Any] = list(call.arg("tensors"))
    values = [t.name if isinstance(t, Value) else call.constant(t.numpy()) for t in tensors]
    shape = list(call.shape(values[0]))
    axis = call.axis(int(call.arg("dim", 0)), len(shape) + 1)
    shape.insert(axis, 1)
    parts = [_to(call, value, shape, f"item{i}") for i, value in enumerate(values)]
    return parts[0] if len(parts) == 1 else call.add(Concat(axis), parts)


def expand(call: Call) -> Value:
    """expand of axes of size 1: left to the broadcasting of the arithmetic that reads it."""
    return _expanded(call, [int(d) for d in call.arg("size")])


def expand_as(call: Call) -> Value:
    """expand to the shape of another tensor."""
    other = call.arg("other")
    return _expanded(call, call.shape(other.name) if isinstance(other, Value) else other.shape)


def _expanded(call: Call, sizes: Sequence[int]) -> Value:
    x = call.x()
    shape = call.shape(x)
    if len(sizes) != len(shape):
        raise call.refuse("adds axes to a computed tensor", "Reshape it to the full rank first.")
    wanted = tuple(s if d == -1 else int(d) for s, d in zip(shape, sizes, strict=True))
    if wanted[0] != 1:
        raise refuse_batch(call)
    if any(s not in (1, d) for s, d in zip(shape, wanted, strict=True)):
        raise ValueError(f"{list(shape)} can't be expanded to {list(wanted)}")
    return Value(x, wanted if wanted != shape else ())


def pad(call: Call) -> str:
    """pad and constant_pad_nd with a constant."""
    if call.arg("mode", "constant") != "constant":
        raise call.refuse(f"pads by {call.arg('mode')!r}", "Only constant padding is supported.")
    x, sizes, fill = call.x(), [int(p) for p in call.arg("pad")], call.number("value", 0.0)
    rank = len(call.shape(x))
    if min(sizes, default=0) < 0 or not math.isfinite(fill):
        raise call.refuse("has negative or not finite padding", "Use sizes of 0 or more, and slices to crop.")
    before, after = [0] * rank, [0] * rank
    for i in range(len(sizes) // 2):
        before[rank - 1 - i], after[rank - 1 - i] = sizes[2 * i], sizes[2 * i + 1]
    if before[0] or after[0]:
        raise refuse_batch(call)
    if rank != 4:
        return call.add(Pad(tuple(before), tuple(after), fill), [x])
    perm = channels_last(4)
    op = Pad(tuple(before[a] for a in perm), tuple(after[a] for a in perm), fill)
    return call.transpose(call.add(op, [call.transpose(x, perm, "nhwc")], "padded"), channels_first(4))


def _cut(call: Call, axis: int, begin: int, end: int, step: int = 1, part: str = "") -> str:
    x, shape = call.x(), call.shape(call.x())
    b, e, s = [0] * len(shape), list(shape), [1] * len(shape)
    b[axis], e[axis], s[axis] = begin, end, step
    return call.add(Slice(tuple(b), tuple(e), tuple(s)), [x], part)


def slice_(call: Call) -> str:
    """slice with a positive step."""
    shape = call.shape(call.x())
    axis, step = int(call.arg("dim", 0)) % len(shape), int(call.arg("step", 1))
    begin, end, _ = slice(call.arg("start"), call.arg("end"), step).indices(shape[axis])
    if axis == 0:
        if (begin, end) != (0, 1):
            raise refuse_batch(call)
        return call.add(Identity(), [call.x()])
    return _cut(call, axis, begin, end, step)


def select(call: Call) -> str:
    """select of one index: the axis goes."""
    shape = call.shape(call.x())
    axis = call.axis(int(call.arg("dim")), len(shape))
    index = int(call.arg("index", 0)) % shape[axis]
    return _to(call, _cut(call, axis, index, index + 1, 1, "one"), [d for a, d in enumerate(shape) if a != axis])


def _parts(call: Call, axis: int, sizes: Sequence[int]) -> list[str]:
    outputs, begin = [], 0
    for i, size in enumerate(sizes):
        outputs.append(_cut(call, axis, begin, begin + size, 1, f"part{i}"))
        begin += size
    return outputs


def _even(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def split(call: Call) -> list[str]:
    """split by a size or by sizes."""
    shape = call.shape(call.x())
    axis = call.axis(int(call.arg("dim", 0)), len(shape))
    sizes = call.arg("split_sizes") or call.arg("split_size")
    return _parts(call, axis, _even(shape[axis], sizes) if isinstance(sizes, int) else [int(s) for s in sizes])


def chunk(call: Call) -> list[str]:
    """chunk."""
    shape = call.shape(call.x())
    axis = call.axis(int(call.arg("dim", 0)), len(shape))
    return _parts(call, axis, _even(shape[axis], -(-shape[axis] // int(call.arg("chunks")))))


def unbind(call: Call) -> list[str]:
    """unbind: one output an index."""
    shape = call.shape(call.x())
    axis = call.axis(int(call.arg("dim", 0)), len(shape))
    rest = [d for a, d in enumerate(shape) if a != axis]
    return [_to(call, part, rest, f"item{i}") for i, part in enumerate(_parts(call, axis, [1] * shape[axis]))]


def pixel_shuffle(call: Call) -> str:
    """pixel_shuffle in steps of at most five axes."""
    _, channels, height, width = call.shape(call.x())
    block = int(call.arg("upscale_factor"))
    depth = channels // block**2
    x = call.transpose(call.x(), channels_last(4), "nhwc")
    x = _to(call, x, (1, height * width, depth, block * block), "crd")
    x = _to(call, call.transpose(x, (0, 1, 3, 2), "dcr"), (1, height, width, block, block * depth), "blocks")
    x = _to(call, call.transpose(x, (0, 1, 3, 2, 4), "rows"), (1, height * block, width * block, depth), "space")
    return call.transpose(x, channels_first(4))
