"""Pools, reductions and resizing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from octavo.formats.onnx.call import Call, channels_first, channels_last, refuse_batch, spatial
from octavo.formats.onnx.convolution import window_padding, window_pairs
from octavo.ir.graph import Array
from octavo.ops import (
    AveragePool2D,
    Identity,
    MaxPool2D,
    Mean,
    Op,
    ResizeBilinear,
    ResizeNearest,
    Sum,
)
from octavo.ops.window import Pair, Quad

__all__ = [
    "average_pool",
    "global_average_pool",
    "global_max_pool",
    "max_pool",
    "reduce_mean",
    "reduce_sum",
    "resize",
    "upsample",
]

_MAX_SIDE = 2**16


def _ceil_extension(size: int, kernel: int, stride: int, before: int, after: int) -> int:
    """Pixels to add at the end so that the floor formula gives ONNX's ceil_mode size."""
    out = -(-(size + before + after - kernel) // stride) + 1
    if (out - 1) * stride >= size + before:
        out -= 1
    return max((out - 1) * stride + kernel - size - before - after, 0)


def _pool_window(call: Call) -> tuple[Pair, Pair, Quad, bool]:
    """Kernel, stride, padding, and whether ceil_mode extended the padding."""
    shape = call.shape(call.x())
    rank = len(shape) - 2
    if rank not in (1, 2):
        raise call.refuse(f"its input has rank {len(shape)}", "Only 1-D and 2-D pools are supported.")
    if not call.operation.has("kernel_shape"):
        raise ValueError("attribute kernel_shape is missing")
    kernel, stride = window_pairs(call, "kernel_shape", rank), window_pairs(call, "strides", rank)
    if window_pairs(call, "dilations", rank) != (1, 1):
        raise call.refuse("is dilated", "Use a pool without dilations.")
    size = (1, shape[2]) if rank == 1 else (shape[2], shape[3])
    padding = window_padding(call, size, kernel, stride, (1, 1), rank)
    if padding[0] >= kernel[0] or padding[2] >= kernel[1] or padding[1] >= kernel[0] or padding[3] >= kernel[1]:
        raise ValueError(f"padding {padding} is not smaller than the window {kernel}")
    if not call.operation.integer("ceil_mode", 0) or call.operation.text("auto_pad", "NOTSET") != "NOTSET":
        return kernel, stride, padding, False
    top, bottom, left, right = padding
    below = _ceil_extension(size[0], kernel[0], stride[0], top, bottom)
    beside = _ceil_extension(size[1], kernel[1], stride[1], left, right)
    return kernel, stride, (top, bottom + below, left, right + beside), bool(below or beside)


def max_pool(call: Call) -> str:
    """MaxPool."""
    if len([name for name in call.operation.outputs if name]) > 1:
        raise call.refuse("returns indices", "Use a max pool with one output.")
    kernel, stride, padding, _ = _pool_window(call)
    return spatial(call, call.x(), lambda i: call.add(MaxPool2D(kernel, stride, padding), [i], "pool"))


def average_pool(call: Call) -> str:
    """AveragePool; ceil_mode's last partial window only without count_include_pad."""
    kernel, stride, padding, extended = _pool_window(call)
    counted = bool(call.operation.integer("count_include_pad", 0)) and any(padding)
    if extended and counted:
        raise call.refuse(
            "combines ceil_mode with count_include_pad", "Use ceil_mode = 0, or count_include_pad = 0 (its default)."
        )
    op = AveragePool2D(kernel, stride, padding, counted)
    return spatial(call, call.x(), lambda i: call.add(op, [i], "pool"))


def global_average_pool(call: Call) -> str:
    """GlobalAveragePool as a mean."""
    x = call.x()
    rank = len(call.shape(x))
    if rank < 3:
        raise ValueError(f"input {list(call.shape(x))} has no spatial axes")
    image = call.transpose(x, channels_last(rank), "nhwc")
    return call.transpose(call.add(Mean(tuple(range(1, rank - 1)), True), [image], "mean"), channels_first(rank))


def global_max_pool(call: Call) -> str:
    """GlobalMaxPool as one window."""
    x = call.x()

    def pool(image: str) -> str:
        _, height, width, _ = call.shape(image)
        return call.add(MaxPool2D((height, width), (height, width)), [image], "pool")

    return spatial(call, x, pool)


def _reduced_axes(call: Call, rank: int) -> tuple[int, ...] | None:
    """Normalised axes; None when nothing is reduced."""
    axes = call.whole(1, "axes") if call.given(1) else call.operation.integers("axes")
    if not axes:
        if call.operation.integer("noop_with_empty_axes", 0):
            return None
        raise refuse_batch(call)
    return tuple(sorted({call.axis(axis, rank) for axis in axes}))


def _reduce(call: Call, kind: type[Mean] | type[Sum]) -> str:
    x = call.x()
    rank, keep = len(call.shape(x)), bool(call.operation.integer("keepdims", 1))
    axes = _reduced_axes(call, rank)
    if axes is None:
        return call.add(Identity(), [x])
    if rank < 3 or axes != tuple(range(2, rank)):
        return call.add(kind(axes, keep), [x])
    image, spatial_axes = call.transpose(x, channels_last(rank), "nhwc"), tuple(range(1, rank - 1))
    if not keep:
        return call.add(kind(spatial_axes, False), [image])
    return call.transpose(call.add(kind(spatial_axes, True), [image], "reduced"), channels_first(rank))


def reduce_mean(call: Call) -> str:
    """ReduceMean over axes other than the batch."""
    return _reduce(call, Mean)


def reduce_sum(call: Call) -> str:
    """ReduceSum over axes other than the batch."""
    return _reduce(call, Sum)


def _positions(mode: str, source: int, target: int, scale: float) -> Array:
    """Where ONNX reads for each output pixel, in source pixels."""
    steps = np.arange(target, dtype=np.float64)
    if mode == "asymmetric":
        return steps / scale
    if mode == "align_corners":
        return steps * ((source - 1) / (target - 1)) if target > 1 else steps * 0
    if mode == "pytorch_half_pixel" and target == 1:
        return steps * 0
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (steps + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = target / (scale * source)
        return source / 2 * (1 - adjustment) + (steps + 0.5) / scale - 0.5
    raise ValueError(f"coordinate_transformation_mode {mode!r} is not supported")


def _rounded(positions: Array, rule: str) -> Array:
    if rule not in _ROUNDING:
        raise ValueError(f"nearest_mode is {rule!r}")
    # A tie (or a whole number) may be missed by the last bit of the division.
    near = np.rint(positions * 2) / 2
    positions = np.where(np.abs(positions - near) < 1e-6, near, positions)
    return np.asarray(_ROUNDING[rule](positions))


_ROUNDING: Mapping[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda p: np.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: np.floor(p + 0.5),
}

_FORMS = ((False, False), (False, True), (True, False))


def _our_positions(source: int, target: int, align_corners: bool, half_pixel: bool, nearest: bool) -> Array:
    """Where ResizeNearest and ResizeBilinear read."""
    mode = "align_corners" if align_corners and target > 1 else "half_pixel" if half_pixel else "asymmetric"
    positions = _positions(mode, source, target, target / source)
    if nearest:
        return _rounded(positions, "floor" if mode == "asymmetric" else "round_prefer_ceil")
    return positions


def _sizes(call: Call, shape: Sequence[int]) -> tuple[list[int], list[float]]:
    """Target size and scale of each axis."""
    scales_at, sizes_at = (1, 3) if call.opset < 11 else (2, 3)
    axes = call.operation.integers("axes") or tuple(range(len(shape)))
    scales, sizes = call.optional(scales_at, "scales"), None
    if scales is not None and scales.size == 0:
        scales = None
    if scales is None:
        sizes = call.whole(sizes_at, "sizes")
    if call.operation.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ValueError("keep_aspect_ratio_policy is not 'stretch'")
    given: Sequence[float] = scales.ravel().astype(np.float64).tolist() if scales is not None else (sizes or ())
    if len(given) != len(axes) or len({a % len(shape) for a in axes}) != len(axes):
        raise ValueError(f"scales or sizes have {len(given)} entries for {len(axes)} axes")
    target, factor = list(shape), [1.0] * len(shape)
    for axis, value in zip(axes, given, strict=True):
        axis %= len(shape)
        if not 0 < value <= _MAX_SIDE:
            raise ValueError(f"scale or size {value} is out of range")
        target[axis] = int(np.floor(np.float32(shape[axis]) * np.float32(value))) if sizes is None else int(value)
        factor[axis] = float(value) if sizes is None else target[axis] / shape[axis]
        if not 0 < target[axis] <= _MAX_SIDE:
            raise ValueError(f"the size {target[axis]} is out of range")
    return target, factor


def resize(call: Call) -> str:
    """Resize whose source pixels are those of one of TFLite's forms."""
    mode = call.operation.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")
    rule = call.operation.text("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")
    if call.operation.integer("antialias", 0) or call.operation.integer("exclude_outside", 0):
        raise call.refuse("uses antialias or exclude_outside", "Export the resize without them.")
    return _resize(call, mode, rule)


def upsample(call: Call) -> str:
    """Upsample, the predecessor of Resize."""
    return _resize(call, "asymmetric", "floor")


def _resize(call: Call, mode: str, rule: str) -> str:
    interpolation = call.operation.text("mode", "nearest")
    shape = call.shape(call.x())
    if interpolation not in ("nearest", "linear"):
        raise call.refuse(f"interpolates by {interpolation!r}", "Use mode 'nearest' or 'linear'.")
    target, factor = _sizes(call, shape)
    if len(shape) not in (3, 4) or target[:2] != list(shape[:2]):
        raise call.refuse("resizes the batch, the channels or more than two axes", "Resize height and width only.")
    nearest = interpolation == "nearest"
    for align_corners, half_pixel in _FORMS:
        if all(
            _agree(mode, rule, shape[a], target[a], factor[a], align_corners, half_pixel, nearest)
            for a in range(2, len(shape))
        ):
            size = (1, target[2]) if len(shape) == 3 else (target[2], target[3])
            if nearest:
                return _resized(call, ResizeNearest(size, align_corners, half_pixel))
            return _resized(call, ResizeBilinear(size, align_corners, half_pixel))
    raise call.refuse(
        f"reads pixels by {mode!r}, {rule!r} and scales {factor[2:]} as no device kernel does",
        "Use nearest with asymmetric + floor, or linear with half_pixel, align_corners or asymmetric, and exact sizes.",
    )


def _resized(call: Call, op: Op) -> str:
    return spatial(call, call.x(), lambda image: call.add(op, [image], "resized"))


def _agree(
    mode: str, rule: str, source: int, target: int, scale: float, align: bool, half: bool, nearest: bool
) -> bool:
    theirs, ours = _positions(mode, source, target, scale), _our_positions(source, target, align, half, nearest)
    theirs = _rounded(theirs, rule) if nearest else theirs
    limit = source - 1
    return bool(np.abs(np.clip(theirs, 0, limit) - np.clip(ours, 0, limit)).max() < (0.5 if nearest else 1e-5))
