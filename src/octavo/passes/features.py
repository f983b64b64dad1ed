"""Vectors of features that a transpose has shuffled: the shuffle goes into the weights around them.

A flatten of a transposed image is the image flattened in memory order, shuffled by a fixed permutation. Functions of
one element do not care, per-feature constants are shuffled once, and a fully connected layer takes the permutation
into its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Node
from octavo.ops import (
    Add,
    BatchNorm,
    Concat,
    FullyConnected,
    Maximum,
    Minimum,
    Mul,
    Prelu,
    Reshape,
    Sub,
    Transpose,
    Unary,
)
from octavo.passes.rewrite import Draft

__all__ = ["in_memory_order", "reordered_for"]

Index = NDArray[np.int64]

_BINARY = Add | Sub | Mul | Maximum | Minimum


def in_memory_order(draft: Draft, value: str) -> tuple[str, Index] | None:
    """(x, index) with value[..., i] = x[..., index[i]] and x free of the transposes that ``value`` depends on.

    1. Reshape of a Transpose to a vector. 2. Functions of one element. 3. BatchNorm, Prelu. 4. Functions of such a
    vector and a constant, or of two such vectors. 5. Concat of vectors of which at least one is such.
    """
    return _found(draft, value, {})


_Found = tuple[str, Index] | None


def _found(draft: Draft, value: str, known: dict[str, _Found]) -> _Found:
    """``in_memory_order``; what is ``known`` is not computed (nor emitted) again."""
    if value not in known:
        node, shape = draft.producer(value), draft.shape(value)
        known[value] = None if node is None or max(shape[:-1], default=1) != 1 else _of_node(draft, node, shape, known)
    return known[value]


def _of_node(draft: Draft, node: Node, shape: tuple[int, ...], known: dict[str, _Found]) -> _Found:
    if isinstance(node.op, Reshape):
        return _flattened(draft, node, shape)
    if isinstance(node.op, Concat):
        return _joined(draft, node, known) if node.op.axis == len(shape) - 1 else None
    if isinstance(node.op, _BINARY):
        return _combined(draft, node, known)
    if not isinstance(node.op, Unary | BatchNorm | Prelu):
        return None
    found = _found(draft, node.inputs[0], known)
    if found is None:
        return None
    x, index = found
    parameters = _shuffled_constants(draft, node.inputs[1:], np.argsort(index))
    return None if parameters is None else (draft.add(node.op, [x, *parameters], node), index)


def _flattened(draft: Draft, node: Node, shape: tuple[int, ...]) -> _Found:
    above = draft.producer(node.inputs[0])
    if above is None or not isinstance(above.op, Transpose):
        return None
    source = draft.shape(above.inputs[0])
    index = np.arange(shape[-1]).reshape(source).transpose(above.op.perm).ravel()
    return draft.add(Reshape(shape), [above.inputs[0]], node), index


def _joined(draft: Draft, node: Node, known: dict[str, _Found]) -> _Found:
    values: list[str] = []
    indices: list[Index] = []
    offset, any_found = 0, False
    for value in node.inputs:
        size = draft.shape(value)[-1]
        found = _found(draft, value, known)
        any_found = any_found or found is not None
        x, index = found if found is not None else (value, np.arange(size))
        values.append(x)
        indices.append(index + offset)
        offset += size
    return (draft.add(node.op, values, node), np.concatenate(indices)) if any_found else None


def _combined(draft: Draft, node: Node, known: dict[str, _Found]) -> _Found:
    found = [_found(draft, value, known) for value in node.inputs]
    first = next((pair for pair in found if pair is not None), None)
    if first is None or first[1].size != draft.shape(node.outputs[0])[-1]:
        return None
    index = first[1]
    operands: list[str] = []
    for value, pair in zip(node.inputs, found, strict=True):
        if pair is not None and np.array_equal(pair[1], index):
            operands.append(pair[0])
            continue
        constants = _shuffled_constants(draft, [value], np.argsort(index))
        if constants is None:
            return None
        operands += constants
    return draft.add(node.op, operands, node), index


def reordered_for(draft: Draft, value: str, perm: Sequence[int]) -> str | None:
    """A vector whose reshape is Transpose(perm)(value), when ``value`` is a reshaped vector of a FullyConnected."""
    node = draft.producer(value)
    if node is None or not isinstance(node.op, Reshape):
        return None
    vector = node.inputs[0]
    shape = draft.shape(vector)
    if len(shape) < 2 or max(shape[:-1]) != 1 or not draft.read_once(value):
        return None
    return _reordered(draft, vector, np.arange(shape[-1]).reshape(draft.shape(value)).transpose(perm).ravel())


def _reordered(draft: Draft, value: str, index: Index) -> str | None:
    """x with x[..., i] = value[..., index[i]]."""
    node = draft.producer(value)
    if node is None or not draft.read_once(value) or draft.shape(value)[-1] != index.size:
        return None
    if isinstance(node.op, FullyConnected):
        weights, bias = draft.value(node.inputs[1]), draft.value(node.inputs[2])
        if weights is None or bias is None:
            return None
        rows = [draft.const(weights[index], node.inputs[1]), draft.const(bias[index], node.inputs[2])]
        moments = draft.moments(node.inputs[2])
        if moments is not None:
            draft.set_moments(rows[1], (moments[0][index], moments[1][index]))
        return draft.add(node.op, [node.inputs[0], *rows], node)
    if not isinstance(node.op, Unary | BatchNorm | Prelu | _BINARY):
        return None
    operands: list[str] = []
    for operand in node.inputs:
        constants = _shuffled_constants(draft, [operand], index)
        x = constants[0] if constants is not None else _reordered(draft, operand, index)
        if x is None:
            return None
        operands.append(x)
    return draft.add(node.op, operands, node)


def _shuffled_constants(draft: Draft, names: Sequence[str], index: Index) -> list[str] | None:
    """These constants with their last axis in the order ``index`` (unless of size one); None if one is none."""
    shuffled = []
    for name in names:
        array = draft.value(name)
        if array is None:
            return None
        shuffled.append(name if array.shape[-1] == 1 else draft.const(array[..., index], name))
    return shuffled
