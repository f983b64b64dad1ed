"""Pools, reductions and resizes."""

from __future__ import annotations

import math

from octavo.formats.torch_export.call import Call, channels_first, channels_last, pair, refuse_batch, spatial
from octavo.ops import AveragePool2D, Identity, MaxPool2D, Mean, Op, Reshape, ResizeBilinear, ResizeNearest, Sum
from octavo.ops.window import Pair, Quad

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "amax", "average_pool", "bilinear", "max_pool", "mean",
           "nearest", "nearest_exact", "sum_"]  # fmt: skip


def _size(call: Call) -> tuple[Pair, int]:
    """(height, width) of the input, and how many spatial axes it has."""
    shape = call.shape(call.x())
    if len(shape) not in (3, 4):
        raise call.refuse(f"its input has rank {len(shape)}", "Give inputs [N, C, L] or [N, C, H, W].")
    return ((1, shape[2]), 1) if len(shape) == 3 else ((shape[2], shape[3]), 2)


def _extension(size: int, kernel: int, stride: int, margin: int) -> int:
    """How many pixels ceil_mode adds at the end; a window that starts in the padding at the end is left out."""
    out = -(-(size + 2 * margin - kernel) // stride) + 1
    if (out - 1) * stride >= size + margin:
        out -= 1
    return max((out - 1) * stride + kernel - size - 2 * margin, 0)


def _window(call: Call) -> tuple[Pair, Pair, Quad, bool]:
    """Kernel, stride, padding, and whether ceil_mode extended the padding."""
    size, rank = _size(call)
    kernel = pair(call.arg("kernel_size"), rank)
    stride = pair(call.arg("stride", ()) or call.arg("kernel_size"), rank)
    rows, columns = pair(call.arg("padding", 0), rank)
    rows = 0 if rank == 1 else rows
    if pair(call.arg("dilation", 1), rank) != (1, 1):
        raise call.refuse("is dilated", "Use a pool with dilation = 1.")
    if not call.arg("ceil_mode", False):
        return kernel, stride, (rows, rows, columns, columns), False
    below = _extension(size[0], kernel[0], stride[0], rows)
    beside = _extension(size[1], kernel[1], stride[1], columns)
    if rows + below >= kernel[0] or columns + beside >= kernel[1]:
        raise call.refuse("its ceil_mode adds a window's width of padding", "Use ceil_mode = False.")
    return kernel, stride, (rows, rows + below, columns, columns + beside), bool(below or beside)


def _pool(call: Call, op: Op) -> str:
    return spatial(call, call.x(), lambda image: call.add(op, [image], "pool"))


def max_pool(call: Call) -> str:
    """max_pool1d, max_pool2d."""
    kernel, stride, padding, _ = _window(call)
    return _pool(call, MaxPool2D(kernel, stride, padding))


def average_pool(call: Call) -> str:
    """avg_pool1d, avg_pool2d; ceil_mode's last partial window only without padding that counts."""
    kernel, stride, padding, extended = _window(call)
    if call.given("divisor_override"):
        raise call.refuse("overrides its divisor", "Use divisor_override = None and a multiplication.")
    counted = bool(call.arg("count_include_pad", True)) and any(padding[::2])
    if extended and counted:
        raise call.refuse("combines ceil_mode with count_include_pad", "Use ceil_mode = False or no padding.")
    return _pool(call, AveragePool2D(kernel, stride, padding, counted))


def adaptive_average_pool(call: Call) -> str:
    """adaptive_avg_pool1d, adaptive_avg_pool2d where the output divides the input."""
    size, rank = _size(call)
    target = _target(call, size, rank)
    if target == (1, 1):
        x = call.x()
        image = call.transpose(x, channels_last(rank + 2), "nhwc")
        reduced = call.add(Mean(tuple(range(1, rank + 1)), True), [image], "mean")
        return call.transpose(reduced, channels_first(rank + 2))
    if size[0] % target[0] or size[1] % target[1]:
        raise call.refuse(
            f"pools {list(size)} to {list(target)}, which needs windows of different sizes",
            "Use an output size that divides the input size.",
        )
    kernel = (size[0] // target[0], size[1] // target[1])
    return _pool(call, AveragePool2D(kernel, kernel))


def _target(call: Call, size: Pair, rank: int) -> Pair:
    wanted = call.arg("output_size")
    entries = [wanted] if isinstance(wanted, int) else list(wanted)
    entries = entries * rank if len(entries) == 1 else entries
    entries = [s if e is None else int(e) for e, s in zip(entries, size[-rank:], strict=True)]
    return pair(entries, rank)


def adaptive_max_pool(call: Call) -> str:
    """adaptive_max_pool1d, adaptive_max_pool2d where the output divides the input."""
    size, rank = _size(call)
    target = _target(call, size, rank)
    if size[0] % target[0] or size[1] % target[1]:
        raise call.refuse(f"pools {list(size)} to {list(target)}", "Use an output size that divides the input size.")
    kernel = (size[0] // target[0], size[1] // target[1])
    return _pool(call, MaxPool2D(kernel, kernel))


def _reduce(call: Call, kind: type[Mean] | type[Sum]) -> str:
    x = call.x()
    rank, keep = len(call.shape(x)), bool(call.arg("keepdim", False))
    wanted = call.arg("dim")
    wanted = [wanted] if isinstance(wanted, int) else wanted
    if not wanted:
        raise refuse_batch(call)
    axes = tuple(sorted({call.axis(int(axis), rank) for axis in wanted}))
    if rank < 3 or axes != tuple(range(2, rank)):
        return call.add(kind(axes, keep), [x])
    image, inner = call.transpose(x, channels_last(rank), "nhwc"), tuple(range(1, rank - 1))
    if not keep:
        return call.add(kind(inner, False), [image])
    return call.transpose(call.add(kind(inner, True), [image], "reduced"), channels_first(rank))


def mean(call: Call) -> str:
    """mean over axes other than the batch."""
    return _reduce(call, Mean)


def sum_(call: Call) -> str:
    """sum over axes other than the batch."""
    return _reduce(call, Sum)


def amax(call: Call) -> str:
    """amax over all spatial axes: a max pool over the whole image."""
    x = call.x()
    shape, wanted = call.shape(x), call.arg("dim")
    axes = {call.axis(int(a), len(shape)) for a in ([wanted] if isinstance(wanted, int) else wanted or [0])}
    if len(shape) not in (3, 4) or axes != set(range(2, len(shape))):
        raise call.refuse("is not over all spatial axes", "Use amax over (2, 3) of an image, or over 2 of a signal.")
    window = (1, shape[2]) if len(shape) == 3 else (shape[2], shape[3])
    pooled = spatial(call, x, lambda image: call.add(MaxPool2D(window, window), [image], "pool"))
    return pooled if call.arg("keepdim", False) else call.add(Reshape(shape[:2]), [pooled], "flat")


def _resized_to(call: Call) -> Pair:
    size, rank = _size(call)
    factors = call.arg("scale_factors")
    if factors is None:
        factors = [s for s in (call.arg("scales_h"), call.arg("scales_w"), call.arg("scales")) if s is not None]
    wanted = call.arg("output_size")
    factors = [float(f) for f in factors]
    if wanted is None:
        wanted = [math.floor(s * f) for s, f in zip(size[-rank:], factors, strict=True)]
    target = pair([int(w) for w in wanted], rank)
    for source, out, factor in zip(size[-rank:], target[-rank:], factors, strict=False):
        if abs(out / source - factor) > 1e-6 * factor:
            raise call.refuse(
                f"scales {source} by {factor}, which is not a whole number of pixels",
                "Use a scale that gives whole sizes, give `size` instead, or set recompute_scale_factor=True.",
            )
    return target


def nearest(call: Call, half_pixel: bool = False) -> str:
    """upsample_nearest1d, upsample_nearest2d."""
    target = _resized_to(call)
    if target == _size(call)[0]:
        return call.add(Identity(), [call.x()])
    return spatial(call, call.x(), lambda image: call.add(ResizeNearest(target, False, half_pixel), [image], "resized"))


def nearest_exact(call: Call) -> str:
    """interpolate(mode="nearest-exact"): pixel centres at half steps."""
    return nearest(call, True)


def bilinear(call: Call) -> str:
    """upsample_bilinear2d, upsample_linear1d with or without align_corners."""
    align = bool(call.arg("align_corners", False))
    op = ResizeBilinear(_resized_to(call), align, not align)
    return spatial(call, call.x(), lambda image: call.add(op, [image], "resized"))
