"""Operators that only move elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from octavo.formats.onnx.call import Call, channels_first, channels_last, refuse_batch
from octavo.ops import Concat, Identity, Pad, Reshape, Slice, Transpose

__all__ = [
    "concat",
    "depth_to_space",
    "expand",
    "flatten",
    "gather",
    "pad",
    "reshape",
    "resolve_shape",
    "slice_",
    "slice_bounds",
    "space_to_depth",
    "split",
    "squeeze",
    "transpose",
    "unsqueeze",
]


def resolve_shape(shape: Sequence[int], wanted: Sequence[int], allow_zero: bool) -> tuple[int, ...]:
    """Target of an ONNX Reshape: 0 copies a dimension (unless ``allow_zero``), one -1 is inferred."""
    if len(wanted) > 16 or list(wanted).count(-1) > 1 or min(wanted, default=0) < -1:
        raise ValueError(f"shape {list(wanted)[:16]} is not legal")
    if not allow_zero and any(d == 0 and i >= len(shape) for i, d in enumerate(wanted)):
        raise ValueError(f"shape {list(wanted)} copies a dimension that {list(shape)} does not have")
    target = [shape[i] if d == 0 and not allow_zero else d for i, d in enumerate(wanted)]
    known = math.prod(d for d in target if d != -1)
    if -1 in target:
        if known == 0 or math.prod(shape) % known:
            raise ValueError(f"{list(shape)} does not reshape to {list(wanted)}")
        target[target.index(-1)] = math.prod(shape) // known
    if math.prod(target) != math.prod(shape):
        raise ValueError(f"{list(shape)} does not reshape to {list(wanted)}")
    return tuple(target)


def _to(call: Call, value: str, shape: Sequence[int], part: str = "") -> str:
    if tuple(shape[:1]) != (1,):
        raise refuse_batch(call)
    return call.add(Reshape(tuple(shape)), [value], part)


def reshape(call: Call) -> str:
    """Reshape that keeps the batch on axis 0."""
    wanted = call.whole(1, "shape") if call.given(1) else call.operation.integers("shape")
    if wanted is None:
        raise ValueError("has no shape")
    target = resolve_shape(call.shape(call.x()), wanted, bool(call.operation.integer("allowzero", 0)))
    return _to(call, call.x(), target)


def flatten(call: Call) -> str:
    """Flatten to two axes."""
    shape = call.shape(call.x())
    axis = call.operation.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise ValueError(f"axis {axis} is out of range for rank {len(shape)}")
    axis += len(shape) if axis < 0 else 0
    if axis == 0:
        raise refuse_batch(call)
    return _to(call, call.x(), (math.prod(shape[:axis]), math.prod(shape[axis:])))


def _axes(call: Call) -> tuple[int, ...] | None:
    return call.whole(1, "axes") if call.given(1) else call.operation.integers("axes")


def squeeze(call: Call) -> str:
    """Squeeze of named axes."""
    shape, axes = call.shape(call.x()), _axes(call)
    if axes is None:
        raise call.refuse("removes every axis of size 1, the batch included", "Name the axes to squeeze.")
    gone = {call.axis(axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError(f"axes {sorted(gone)} of {list(shape)} are not all of size 1")
    return _to(call, call.x(), [d for axis, d in enumerate(shape) if axis not in gone])


def unsqueeze(call: Call) -> str:
    """Unsqueeze behind the batch."""
    shape, axes = call.shape(call.x()), _axes(call) or ()
    rank = len(shape) + len(axes)
    if rank > 16:
        raise ValueError(f"rank {rank} is too large")
    new = {call.axis(axis, rank) for axis in axes}
    if len(new) != len(axes):
        raise ValueError(f"axes {list(axes)} name one axis twice")
    rest = iter(shape)
    return _to(call, call.x(), [1 if axis in new else next(rest) for axis in range(rank)])


def transpose(call: Call) -> str:
    """Transpose that leaves the batch in front."""
    rank = len(call.shape(call.x()))
    perm = call.operation.integers("perm", tuple(reversed(range(rank)))) or ()
    if sorted(perm) != list(range(rank)):
        raise ValueError(f"perm {list(perm)} is not a permutation of {rank} axes")
    if perm[0] != 0:
        raise refuse_batch(call)
    return call.add(Transpose(perm), [call.x()])


def concat(call: Call) -> str:
    """Concat along any axis but the batch."""
    rank = len(call.shape(call.x()))
    axis = call.axis(call.operation.integer("axis", 1), rank)
    values = [call.x(i) for i in range(len(call.operation.inputs)) if call.given(i)]
    if any(len(call.shape(v)) != rank or call.shape(v)[0] != 1 for v in values):
        raise ValueError("the inputs differ in rank or batch")
    return call.add(Identity(), values) if len(values) == 1 else call.add(Concat(axis), values)


def pad(call: Call) -> str:
    """Pad with a constant."""
    mode = call.operation.text("mode", "constant")
    if mode != "constant":
        raise call.refuse(f"pads by {mode!r}", "Only constant padding is supported.")
    x, shape = call.x(), call.shape(call.x())
    rank = len(shape)
    pads = call.whole(1, "pads") if call.given(1) else call.operation.integers("pads")
    axes = call.whole(3, "axes") or tuple(range(rank))
    value = call.optional(2, "value")
    fill = call.operation.number("value", 0.0) if value is None else float(value.reshape(-1)[0])
    if pads is None or len(pads) != 2 * len(axes) or min(pads, default=0) < 0 or not math.isfinite(fill):
        raise call.refuse("has missing, negative or not finite padding", "Use sizes of 0 or more, and Slice to crop.")
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        if not -rank <= axis < rank:
            raise ValueError(f"axis {axis} is out of range for rank {rank}")
        before[axis], after[axis] = pads[position], pads[position + len(axes)]
    if before[0] or after[0]:
        raise refuse_batch(call)
    if rank != 4:
        return call.add(Pad(tuple(before), tuple(after), fill), [x])
    perm = channels_last(4)
    op = Pad(tuple(before[a] for a in perm), tuple(after[a] for a in perm), fill)
    return call.transpose(call.add(op, [call.transpose(x, perm, "nhwc")], "padded"), channels_first(4))


def slice_bounds(size: int, start: int, end: int, step: int) -> tuple[int, int]:
    """Begin and end of a slice with a positive step, normalised and clipped as ONNX and Python do."""
    begin, stop, _ = slice(start, end, step).indices(size)
    return begin, stop


def _sliced(call: Call, bounds: dict[int, tuple[int, int, int]], part: str = "", name: str = "") -> str:
    x, shape = call.x(), call.shape(call.x())
    begin = [bounds.get(axis, (0, d, 1))[0] for axis, d in enumerate(shape)]
    end = [bounds.get(axis, (0, d, 1))[1] for axis, d in enumerate(shape)]
    step = [bounds.get(axis, (0, d, 1))[2] for axis, d in enumerate(shape)]
    if begin[0] != 0 or end[0] != 1:
        raise refuse_batch(call)
    op = Slice(tuple(begin), tuple(end), (1, *step[1:]))
    return call.builder.add(op, [x], name, call.operation.where) if name else call.add(op, [x], part)


def slice_(call: Call) -> str:
    """Slice with positive steps."""
    op, shape = call.operation, call.shape(call.x())
    starts = call.whole(1, "starts") if call.given(1) else op.integers("starts")
    ends = call.whole(2, "ends") if call.given(2) else op.integers("ends")
    if starts is None or ends is None:
        raise ValueError("has no starts or ends")
    axes = (call.whole(3, "axes") if call.given(3) else op.integers("axes")) or tuple(range(len(starts)))
    steps = call.whole(4, "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ValueError("starts, ends, axes and steps differ in length")
    if min(steps) < 1:
        raise call.refuse(f"has the steps {list(steps)}", "Use steps of 1 or more.")
    bounds: dict[int, tuple[int, int, int]] = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis {axis} is out of range for rank {len(shape)}")
        axis %= len(shape)
        bounds[axis] = (*slice_bounds(shape[axis], start, end, step), step)
    return _sliced(call, bounds)


def split(call: Call) -> list[str]:
    """Split into slices."""
    shape, outputs = call.shape(call.x()), call.operation.outputs
    axis = call.axis(call.operation.integer("axis", 0), len(shape))
    sizes = call.whole(1, "split") if call.given(1) else call.operation.integers("split")
    if sizes is None:
        part = -(-shape[axis] // len(outputs))
        sizes = tuple(min(part, shape[axis] - part * i) for i in range(len(outputs)))
    if len(sizes) != len(outputs) or sum(sizes) != shape[axis] or min(sizes) < 1:
        raise ValueError(f"split {list(sizes)} does not divide {shape[axis]} into {len(outputs)} parts")
    ends = np.cumsum(sizes).tolist()
    return [
        _sliced(call, {axis: (end - size, end, 1)}, name=name or f"{call.hint}.unused")
        for name, size, end in zip(outputs, sizes, ends, strict=True)
    ]


def gather(call: Call) -> str:
    """Gather of one constant index, or of indices in even steps: a slice."""
    indices, shape = call.const(1, "indices"), call.shape(call.x())
    axis = call.axis(call.operation.integer("axis", 0), len(shape))
    if indices.dtype.kind not in "iu" or indices.ndim > 1 or indices.size == 0:
        raise call.refuse(f"has indices of shape {list(indices.shape)}", "Use one index, or indices in even steps.")
    picked = [int(i) + (shape[axis] if i < 0 else 0) for i in indices.ravel()]
    step = picked[1] - picked[0] if len(picked) > 1 else 1
    if step < 1 or any(b - a != step for a, b in zip(picked, picked[1:], strict=False)):
        raise call.refuse("picks elements in uneven or falling steps", "Use one index, or indices in even steps.")
    bounds = {axis: (picked[0], picked[-1] + 1, step)}
    if indices.ndim == 1:
        return _sliced(call, bounds)
    one = _sliced(call, bounds, "one")
    return _to(call, one, [d for a, d in enumerate(shape) if a != axis])


def expand(call: Call) -> str:
    """Expand that changes nothing."""
    shape, wanted = call.shape(call.x()), call.whole(1, "shape") or ()
    if np.broadcast_shapes(shape, wanted) != shape:
        raise call.refuse("repeats a computed tensor", "Rely on broadcasting of Add, Sub, Mul and Div instead.")
    return call.add(Identity(), [call.x()])


def _blocks(call: Call) -> tuple[int, tuple[int, int, int, int]]:
    block, shape = call.operation.integer("blocksize", 0), call.shape(call.x())
    if block < 1 or len(shape) != 4:
        raise ValueError(f"blocksize {block} or input {list(shape)} is not legal")
    return block, (shape[0], shape[1], shape[2], shape[3])


def depth_to_space(call: Call) -> str:
    """DepthToSpace (DCR and CRD) in steps of at most five axes."""
    block, (_, channels, height, width) = _blocks(call)
    mode = call.operation.text("mode", "DCR")
    if channels % block**2 or mode not in ("DCR", "CRD"):
        raise ValueError(f"{channels} channels, blocksize {block} or mode {mode!r} is not legal")
    depth = channels // block**2
    x = call.transpose(call.x(), channels_last(4), "nhwc")
    if mode == "CRD":
        x = _to(call, x, (1, height * width, depth, block * block), "crd")
        x = call.transpose(x, (0, 1, 3, 2), "dcr")
    x = _to(call, x, (1, height, width, block, block * depth), "blocks")
    x = call.transpose(x, (0, 1, 3, 2, 4), "rows")
    x = _to(call, x, (1, height * block, width * block, depth), "space")
    return call.transpose(x, channels_first(4))


def space_to_depth(call: Call) -> str:
    """SpaceToDepth in steps of at most five axes."""
    block, (_, depth, height, width) = _blocks(call)
    if height % block or width % block:
        raise ValueError(f"image {height} x {width} is not divisible by blocksize {block}")
    rows, columns = height // block, width // block
    x = call.transpose(call.x(), channels_last(4), "nhwc")
    x = _to(call, x, (1, rows, block, columns, block * depth), "blocks")
    x = call.transpose(x, (0, 1, 3, 2, 4), "columns")
    x = _to(call, x, (1, rows, columns, block * block * depth), "depth")
    return call.transpose(x, channels_first(4))
