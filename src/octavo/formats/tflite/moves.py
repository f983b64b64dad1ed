"""Readers of operators that move elements: reshapes, slices, padding, resizing, joining."""

from __future__ import annotations

import numpy as np

from octavo.formats.tflite.layers import with_clip
from octavo.formats.tflite.step import Step
from octavo.ops import Concat, Pad, Requantize, Reshape, ResizeBilinear, ResizeNearest, Slice, Transpose

__all__ = [
    "concatenation",
    "dequantize",
    "expand_dims",
    "pad",
    "quantize",
    "reshape",
    "resize",
    "slice_",
    "split",
    "split_v",
    "squeeze",
    "strided_slice",
    "transpose",
]

_ONE_BYTE = 128


def reshape(step: Step) -> None:
    """RESHAPE: the new shape is a constant input or an option."""
    if step.has(1):
        wanted = list(step.ints(1))
    else:
        option = step.operator.options.NewShapeAsNumpy() if step.operator.options is not None else 0
        given = np.atleast_1d(option)[:8] if isinstance(option, np.ndarray) else step.out().shape
        wanted = [int(d) for d in given]
    size = int(np.prod(step.shape(), dtype=np.int64))
    known = int(np.prod([d for d in wanted if d != -1], dtype=object))
    if wanted.count(-1) == 1 and known > 0:
        wanted[wanted.index(-1)] = size // known
    _reshape(step, tuple(wanted))


def _reshape(step: Step, shape: tuple[int, ...]) -> None:
    step.finish(Reshape(shape), [step.x()])


def squeeze(step: Step) -> None:
    """SQUEEZE: the named axes of size 1, or all but the batch."""
    shape = step.shape()
    option = step.operator.options.SqueezeDimsAsNumpy() if step.operator.options is not None else 0
    named = [int(d) for d in np.atleast_1d(option)[:8]] if isinstance(option, np.ndarray) else []
    axes = {d + len(shape) if d < 0 else d for d in named}
    if not axes:
        axes = {axis for axis, d in enumerate(shape) if d == 1 and axis > 0}
    if any(not 0 <= axis < len(shape) or shape[axis] != 1 for axis in axes):
        raise step.refuse(f"squeezes the axes {sorted(axes)} of the shape {list(shape)}")
    _reshape(step, tuple(d for axis, d in enumerate(shape) if axis not in axes))


def expand_dims(step: Step) -> None:
    """EXPAND_DIMS."""
    shape, axes = list(step.shape()), step.ints(1)
    if len(axes) != 1 or not -len(shape) - 1 <= axes[0] <= len(shape):
        raise step.refuse(f"inserts the axes {list(axes)} into the shape {shape}")
    axis = axes[0] + len(shape) + 1 if axes[0] < 0 else axes[0]
    _reshape(step, (*shape[:axis], 1, *shape[axis:]))


def transpose(step: Step) -> None:
    """TRANSPOSE."""
    step.finish(Transpose(step.ints(1)), [step.x()])


def pad(step: Step) -> None:
    """PAD (zeros) and PADV2 (a constant)."""
    pairs = np.array(step.ints(1)).reshape(-1, 2)
    value = float(step.real(2).reshape(-1)[0]) if step.has(2) else 0.0
    if not np.isfinite(value):
        raise step.refuse(f"pads with {value}", "Pad with a finite number.")
    step.finish(Pad(tuple(map(int, pairs[:, 0])), tuple(map(int, pairs[:, 1])), value), [step.x()])


def resize(step: Step, kind: type[ResizeBilinear] | type[ResizeNearest]) -> None:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR."""
    size = step.ints(1)
    if len(size) != 2:
        raise step.refuse(f"has the size {list(size)}")
    corners, centers = bool(step.option("AlignCorners")), bool(step.option("HalfPixelCenters"))
    step.finish(kind((size[0], size[1]), corners, centers), [step.x()])


def concatenation(step: Step) -> None:
    """CONCATENATION."""
    axis, rank = step.option("Axis"), len(step.shape(0))
    inputs = [step.x(position) for position in range(len(step.operator.inputs))]
    with_clip(step, Concat(axis + rank if axis < 0 else axis), inputs)


def slice_(step: Step) -> None:
    """SLICE: begin and size, -1 meaning to the end."""
    shape, begin, size = step.shape(), step.ints(1), step.ints(2)
    if not len(begin) == len(size) == len(shape):
        raise step.refuse(f"slices {list(begin)}, {list(size)} of the shape {list(shape)}")
    end = tuple(d if s == -1 else b + s for b, s, d in zip(begin, size, shape, strict=True))
    step.finish(Slice(begin, end, (1,) * len(shape)), [step.x()])


def strided_slice(step: Step) -> None:
    """STRIDED_SLICE with positive strides; axes may be dropped."""
    shape, begin, end, stride = step.shape(), step.ints(1), step.ints(2), step.ints(3)
    if step.option("EllipsisMask") or step.option("NewAxisMask") or min(stride, default=0) < 1:
        raise step.refuse("uses an ellipsis, a new axis or a negative stride", "Write it with plain positive slices.")
    if not len(begin) == len(end) == len(stride) <= len(shape):
        raise step.refuse(f"slices {list(begin)} to {list(end)} of the shape {list(shape)}")
    parts, kept = [], []
    for axis, size in enumerate(shape):
        if axis >= len(begin):
            parts.append((0, size, 1))
            kept.append(size)
            continue
        bit = 1 << axis
        first = None if step.option("BeginMask") & bit else begin[axis]
        last = None if step.option("EndMask") & bit else end[axis]
        if step.option("ShrinkAxisMask") & bit:
            first = begin[axis] + size if begin[axis] < 0 else begin[axis]
            parts.append((first, first + 1, 1))
            continue
        parts.append(slice(first, last, stride[axis]).indices(size))
        kept.append(len(range(*parts[-1])))
    x = step.x()
    starts, stops, steps = zip(*parts, strict=True)
    if len(kept) < len(shape):
        step.finish(Reshape(tuple(kept)), [step.emit(Slice(starts, stops, steps), [x], x)])
    else:
        step.finish(Slice(starts, stops, steps), [x])


def split(step: Step) -> None:
    """SPLIT into equal parts: axis, then the tensor."""
    count, shape, axis = len(step.operator.outputs), step.shape(1), _axis(step, 0, len(step.shape(1)))
    if shape[axis] % count:
        raise step.refuse(f"splits {shape[axis]} elements into {count} parts")
    _parts(step, 1, axis, [shape[axis] // count] * count)


def split_v(step: Step) -> None:
    """SPLIT_V into given sizes: the tensor, sizes, axis."""
    shape, sizes, axis = step.shape(0), list(step.ints(1)), _axis(step, 2, len(step.shape(0)))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(size for size in sizes if size != -1)
    if len(sizes) != len(step.operator.outputs) or sum(sizes) != shape[axis]:
        raise step.refuse(f"splits {shape[axis]} elements into {sizes}")
    _parts(step, 0, axis, sizes)


def _axis(step: Step, position: int, rank: int) -> int:
    axes = step.ints(position)
    if len(axes) != 1 or not -rank <= axes[0] < rank:
        raise step.refuse(f"has the axis {list(axes)} of {rank}")
    return axes[0] % rank


def _parts(step: Step, position: int, axis: int, sizes: list[int]) -> None:
    x, shape, start = step.x(position), step.shape(position), 0
    for output, size in enumerate(sizes):
        begin = tuple(start if a == axis else 0 for a in range(len(shape)))
        end = tuple(start + size if a == axis else d for a, d in enumerate(shape))
        step.finish(Slice(begin, end, (1,) * len(shape)), [x], output)
        start += size


def quantize(step: Step) -> None:
    """QUANTIZE: at the edges it is stripped, between integers it is a Requantize."""
    reading, x = step.reading, step.raw()
    source, target = step.tensor(0), step.out()
    known = reading.qparams.get(x)
    if target.type == "UINT8" and known is not None:
        if (
            target.scale.size != 1
            or target.scale[0] != known.scale[0]
            or (int(target.zero_point[0]) - _ONE_BYTE != int(known.zero_point[0]))
        ):
            raise step.refuse("changes the scale on the way to uint8", "Convert the model with int8 outputs.")
        step.bind(x)
        return
    params = step.out_encoding()
    if params is None:
        raise step.refuse("quantizes inside a float model", "Import the float model or the fully quantized one.")
    if source.type == "UINT8" and (
        source.scale.size != 1
        or source.scale[0] != params.scale[0]
        or int(source.zero_point[0]) - _ONE_BYTE != int(params.zero_point[0])
    ):
        raise step.refuse("changes the scale of a uint8 input", "Convert the model with int8 inputs.")
    if known is None:
        reading.qparams[x] = params
    if reading.qparams[x] == params:
        step.bind(x)
    else:
        step.finish(Requantize(), [x])


def dequantize(step: Step) -> None:
    """DEQUANTIZE of a computed tensor: the integers themselves are the model's output."""
    if not step.reading.quantized:
        raise step.refuse("dequantizes a computed tensor of a float model", "Import the float model.")
    if step.tensor(0).type != "INT8" or step.raw() not in step.reading.qparams:
        raise step.refuse(f"dequantizes {step.tensor(0).type}", "Convert the model with int8 activations.")
    step.bind(step.raw())
