"""Places an operator above the transposes and reshapes of its inputs: op(T(x)) becomes T(op'(x)).

Notation: a node ``y = Transpose(perm)(x)`` has axis i of y = axis perm[i] of x. The order that everything tends to
is: operators, then reshapes, then transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from octavo.ir.graph import Node
from octavo.ops import (
    Add,
    BatchNorm,
    Concat,
    Div,
    FullyConnected,
    LogSoftmax,
    Maximum,
    Mean,
    Minimum,
    Mul,
    Op,
    Pad,
    Prelu,
    Reshape,
    Slice,
    Softmax,
    Sub,
    Sum,
    Transpose,
    Unary,
)
from octavo.passes import features
from octavo.passes.rewrite import Draft
from octavo.passes.shapes import (
    axes_behind,
    commuted_reshape,
    gathered_axes,
    inverse,
    moves_only_ones,
    permuted,
    without_ones,
)

__all__ = ["moved", "place"]


def place(draft: Draft, op: Op, inputs: Sequence[str], origin: Node) -> str:
    """Add ``op``, above the transposes and reshapes of its inputs as far as that is legal; returns its value."""
    value = _moved(draft, op, tuple(inputs), origin)
    return draft.add(op, inputs, origin) if value is None else value


def moved(draft: Draft, node: Node) -> str | None:
    """The rule for a sweep: None when the node stays as it is.

    1. Transpose: identities go, two compose, one that moves only axes of size one is a Reshape; one of a reshaped
       vector permutes the outputs of the fully connected layer before it.
    2. Reshape: no-ops go, two compose; one that keeps the moved axes apart moves above the Transpose. Boldly, one
       that joins some moved axes moves above the rest of the Transpose.
    3. Functions of one element move above anything.
    4. BatchNorm, Prelu, Softmax, LogSoftmax and FullyConnected move above a Transpose that leaves the last axis;
       the first two above a Reshape that does.
    5. Functions of two tensors move above when both are transposed or reshaped alike, or the other one is a
       constant or needs only a reshape.
    6. Concat, likewise; Mean, Sum, Pad and Slice with their axes renumbered.
    7. A FullyConnected behind a flatten of a transposed image reads the image flattened as it is, with the columns
       of its weights permuted.
    """
    return _moved(draft, node.op, node.inputs, node) if isinstance(node.op, Op) else None


def _moved(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    if isinstance(op, Transpose):
        return _transpose(draft, op, inputs[0], origin)
    if isinstance(op, Reshape):
        return _reshape(draft, op, inputs[0], origin)
    if isinstance(op, Unary):
        return _elementwise(draft, op, inputs, origin)
    for kinds, rules in _RULES:
        if isinstance(op, kinds):
            for rule in rules:
                value = rule(draft, op, inputs, origin)
                if value is not None:
                    return value
    return None


def _transposed(draft: Draft, value: str) -> tuple[str, tuple[int, ...]] | None:
    """(x, perm) when ``value`` is Transpose(perm)(x)."""
    node = draft.producer(value)
    if node is None or not isinstance(node.op, Transpose):
        return None
    return node.inputs[0], node.op.perm


def _reshaped(draft: Draft, value: str) -> str | None:
    """x when ``value`` is a Reshape of x."""
    node = draft.producer(value)
    return node.inputs[0] if node is not None and isinstance(node.op, Reshape) else None


def _transpose(draft: Draft, op: Transpose, x: str, origin: Node) -> str | None:
    shape = draft.shape(x)
    if op.perm == tuple(range(len(shape))):
        return x
    if draft.value(x) is not None:
        return None
    if moves_only_ones(shape, op.perm):
        return place(draft, Reshape(permuted(shape, op.perm)), [x], origin)
    above = _transposed(draft, x)
    if above is not None:
        source, perm = above
        return place(draft, Transpose(permuted(perm, op.perm)), [source], origin)
    vector = features.reordered_for(draft, x, op.perm)
    if vector is not None:
        return place(draft, Reshape(permuted(shape, op.perm)), [vector], origin)
    return None


def _reshape(draft: Draft, op: Reshape, x: str, origin: Node) -> str | None:
    if draft.shape(x) == op.shape:
        return x
    source = _reshaped(draft, x)
    if source is not None:
        return place(draft, op, [source], origin)
    above = _transposed(draft, x)
    if above is None:
        return None
    source, perm = above
    commuted = commuted_reshape(draft.shape(source), perm, op.shape)
    if commuted is None and draft.bold:
        return _split_transpose(draft, op, source, perm, origin)
    if commuted is None:
        return None
    shape, then = commuted
    return place(draft, Transpose(then), [place(draft, Reshape(shape), [source], origin)], origin)


def _split_transpose(draft: Draft, op: Reshape, x: str, perm: tuple[int, ...], origin: Node) -> str | None:
    """Reshape of Transpose(perm)(x) as Transpose(then)(Reshape(Transpose(first)(x))), if neither does everything."""
    first = gathered_axes(draft.shape(x), perm, op.shape)
    commuted = commuted_reshape(permuted(draft.shape(x), first), permuted(inverse(first), perm), op.shape)
    if commuted is None or moves_only_ones(op.shape, inverse(commuted[1])):
        return None
    shape, then = commuted
    joined = place(draft, Reshape(shape), [place(draft, Transpose(first), [x], origin)], origin)
    return place(draft, Transpose(then), [joined], origin)


def _elementwise(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    x, *parameters = inputs
    above = _transposed(draft, x)
    if above is not None:
        return place(draft, Transpose(above[1]), [place(draft, op, [above[0], *parameters], origin)], origin)
    source = _reshaped(draft, x)
    if source is not None:
        return place(draft, Reshape(draft.shape(x)), [place(draft, op, [source, *parameters], origin)], origin)
    return None


def _on_last_axis(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    """Operators of the last axis above a Transpose that leaves it where it is."""
    above = _transposed(draft, inputs[0])
    if above is None or above[1][-1] != len(above[1]) - 1:
        return None
    return place(draft, Transpose(above[1]), [place(draft, op, [above[0], *inputs[1:]], origin)], origin)


def _per_channel(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    """BatchNorm and Prelu above a Reshape that leaves the last axis whole."""
    source = _reshaped(draft, inputs[0])
    if source is None or draft.shape(source)[-1:] != draft.shape(inputs[0])[-1:] or len(draft.shape(source)) < 2:
        return None
    return _elementwise(draft, op, inputs, origin)


def _binary_transposed(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    for value in inputs:
        above = _transposed(draft, value)
        sources = _all_transposed(draft, inputs, above[1], origin) if above is not None else None
        if above is not None and sources is not None:
            return place(draft, Transpose(above[1]), [place(draft, op, sources, origin)], origin)
    return None


def _all_transposed(draft: Draft, values: Sequence[str], perm: tuple[int, ...], origin: Node) -> list[str] | None:
    """The values that give ``values`` when transposed by ``perm``, where that takes no new transpose."""
    back = inverse(perm)
    sources = []
    for value in values:
        above, constant = _transposed(draft, value), draft.value(value)
        if above is not None and above[1] == perm:
            sources.append(above[0])
        elif constant is not None:
            sources.append(draft.const(constant.transpose(back), value))
        elif moves_only_ones(draft.shape(value), back):
            sources.append(place(draft, Transpose(back), [value], origin))
        else:
            return None
    return sources


def _binary_reshaped(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    sources = [_reshaped(draft, value) for value in inputs]
    out = op.infer([draft.type(value) for value in inputs])[0].shape
    left, right = sources
    if left is not None and right is not None and draft.shape(inputs[0]) == draft.shape(inputs[1]):
        if draft.shape(left) == draft.shape(right):
            return place(draft, Reshape(out), [place(draft, op, [left, right], origin)], origin)
    for index, source in enumerate(sources):
        other = inputs[1 - index]
        if source is None or out != draft.shape(inputs[index]):
            continue
        operand = _reprojected(draft, other, draft.shape(inputs[index]), draft.shape(source))
        if operand is not None:
            pair = [source, operand] if index == 0 else [operand, source]
            return place(draft, Reshape(out), [place(draft, op, pair, origin)], origin)
    return None


def _reprojected(draft: Draft, operand: str, seen: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    """``operand``, which broadcasts over ``seen``, as it broadcasts over ``wanted``: same axes, other ones."""
    axes = axes_behind(seen, wanted)
    shape = draft.shape(operand)
    if axes is None or len(shape) != len(seen):
        return None
    target = tuple(1 if axis is None else shape[axis] for axis in axes)
    constant, source = draft.value(operand), _reshaped(draft, operand)
    if constant is not None:
        return draft.const(constant.reshape(target), operand)
    return source if source is not None and draft.shape(source) == target else None


def _concat_transposed(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    assert isinstance(op, Concat)
    for value in inputs:
        above = _transposed(draft, value)
        sources = _all_transposed(draft, inputs, above[1], origin) if above is not None else None
        if above is not None and sources is not None:
            joined = place(draft, Concat(above[1][op.axis]), sources, origin)
            return place(draft, Transpose(above[1]), [joined], origin)
    return None


def _concat_reshaped(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    """Concat of values that each lost their axis 1, of size one (the height of a 1-D convolution)."""
    assert isinstance(op, Concat)
    sources = [_reshaped(draft, value) for value in inputs]
    shapes = [draft.shape(source) if source is not None else () for source in sources]
    if any(
        len(s) < 3 or s[1] != 1 or without_ones(s, 1) != draft.shape(v) for s, v in zip(shapes, inputs, strict=True)
    ):
        return None
    joined = place(draft, Concat(op.axis + 1), [source for source in sources if source is not None], origin)
    return place(draft, Reshape(without_ones(draft.shape(joined), 1)), [joined], origin)


def _reduction(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    assert isinstance(op, Mean | Sum)
    above = _transposed(draft, inputs[0])
    if above is None:
        return None
    source, perm = above
    axes = tuple(sorted(perm[axis] for axis in op.axes))
    reduced = place(draft, type(op)(axes=axes, keepdims=op.keepdims), [source], origin)
    if op.keepdims:
        return place(draft, Transpose(perm), [reduced], origin)
    left = [axis for axis in range(len(perm)) if axis not in axes]
    order = tuple(left.index(axis) for axis in perm if axis not in axes)
    return place(draft, Transpose(order), [reduced], origin)


def _pad(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    assert isinstance(op, Pad)
    above = _transposed(draft, inputs[0])
    if above is None:
        return None
    back = inverse(above[1])
    padded = Pad(permuted(op.before, back), permuted(op.after, back), op.value)
    return place(draft, Transpose(above[1]), [place(draft, padded, [above[0]], origin)], origin)


def _slice(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    assert isinstance(op, Slice)
    above = _transposed(draft, inputs[0])
    if above is None:
        return None
    back = inverse(above[1])
    sliced = Slice(permuted(op.begin, back), permuted(op.end, back), permuted(op.stride, back))
    return place(draft, Transpose(above[1]), [place(draft, sliced, [above[0]], origin)], origin)


def _flattened(draft: Draft, op: Op, inputs: tuple[str, ...], origin: Node) -> str | None:
    """FullyConnected of a flattened transposed image."""
    assert isinstance(op, FullyConnected)
    weights = draft.value(inputs[1])
    found = features.in_memory_order(draft, inputs[0]) if weights is not None else None
    if found is None or weights is None:
        return None
    vector, index = found
    columns = weights[:, inverse(index)]
    return place(draft, op, [vector, draft.const(columns, inputs[1]), inputs[2]], origin)


_Rule = Callable[[Draft, Any, tuple[str, ...], Node], str | None]

_RULES: tuple[tuple[tuple[type, ...], tuple[_Rule, ...]], ...] = (
    ((BatchNorm, Prelu), (_on_last_axis, _per_channel)),
    ((Softmax, LogSoftmax), (_on_last_axis,)),
    ((FullyConnected,), (_on_last_axis, _flattened)),
    ((Add, Sub, Mul, Div, Maximum, Minimum), (_binary_transposed, _binary_reshaped)),
    ((Concat,), (_concat_transposed, _concat_reshaped)),
    ((Mean, Sum), (_reduction,)),
    ((Pad,), (_pad,)),
    ((Slice,), (_slice,)),
)
