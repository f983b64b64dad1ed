"""Affine functions of each channel, however they are written: x * scale + shift over the last axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Moments, Node
from octavo.ops import NONE, Add, BatchNorm, Clip, Mul, Neg, Sub
from octavo.passes.rewrite import Draft

__all__ = ["Affine", "affine_chain", "affine_of"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """activation(x * scale + shift), scale and shift float64 [channels].

    ``moments`` are mean and standard deviation of x * scale + shift where a batch norm tells them.
    """

    x: str
    scale: Vector
    shift: Vector
    activation: Clip = NONE
    moments: Moments | None = None

    def after(self, inner: Affine) -> Affine:
        """This function of what ``inner``, which has no activation, gives."""
        scale, shift = inner.scale * self.scale, inner.shift * self.scale + self.shift
        return Affine(inner.x, scale, shift, self.activation, self.moments or self.moved(inner.moments))

    def moved(self, moments: Moments | None) -> Moments | None:
        """Moments of x * scale + shift from those of x, or None."""
        return None if moments is None else (moments[0] * self.scale + self.shift, moments[1] * np.abs(self.scale))


def affine_of(draft: Draft, node: Node | None) -> Affine | None:
    """The affine function that ``node`` computes, or None.

    1. BatchNorm. 2. Mul, Add or Sub with a constant per channel (or one for all) that broadcasts nothing else.
    3. Neg. Scales and shifts that float32 cannot hold are refused.
    """
    if node is None:
        return None
    affine = _batch_norm(draft, node) if isinstance(node.op, BatchNorm) else _arithmetic(draft, node)
    if affine is None or not (_held(affine.scale) and _held(affine.shift)):
        return None
    return affine


def affine_chain(draft: Draft, affine: Affine) -> Affine:
    """The function together with the affine functions before it that only it reads; itself if there are none."""
    while draft.read_once(affine.x):
        inner = affine_of(draft, draft.producer(affine.x))
        if inner is None or not inner.activation.is_none:
            break
        affine = affine.after(inner)
    return affine


def _batch_norm(draft: Draft, node: Node) -> Affine | None:
    parameters = draft.values(node.inputs[1:])
    if parameters is None or not isinstance(node.op, BatchNorm):
        return None
    gamma, beta, mean, variance = parameters
    if (variance + node.op.epsilon <= 0.0).any():
        raise OctavoError(
            node.source or node.name,
            "batch normalization with a variance plus epsilon that is not positive",
            "Repair the running variance of this layer or give it a positive epsilon.",
        )
    scale = gamma / np.sqrt(variance + node.op.epsilon)
    deviation = np.abs(scale) * np.sqrt(np.maximum(variance, 0.0))
    return Affine(node.inputs[0], scale, beta - mean * scale, moments=(beta, deviation))


def _arithmetic(draft: Draft, node: Node) -> Affine | None:
    op = node.op
    channels = draft.shape(node.inputs[0])[-1] if node.inputs and draft.shape(node.inputs[0]) else 0
    if isinstance(op, Neg):
        return Affine(node.inputs[0], -np.ones(channels), np.zeros(channels))
    if not isinstance(op, Add | Sub | Mul):
        return None
    for index in (1, 0):
        x, operand = node.inputs[1 - index], node.inputs[index]
        constant = _per_channel(draft, operand, draft.shape(x))
        if constant is None or draft.value(x) is not None:
            continue
        ones, zeros = np.ones_like(constant), np.zeros_like(constant)
        if isinstance(op, Mul):
            return Affine(x, constant, zeros, op.activation)
        if isinstance(op, Add):
            return Affine(x, ones, constant, op.activation)
        return Affine(x, ones, -constant, op.activation) if index == 1 else Affine(x, -ones, constant, op.activation)
    return None


def _per_channel(draft: Draft, operand: str, shape: tuple[int, ...]) -> Vector | None:
    """A constant as one number for each of the channels of a value of ``shape``."""
    constant = draft.value(operand)
    if constant is None or constant.ndim != len(shape) or any(size != 1 for size in constant.shape[:-1]):
        return None
    if constant.shape[-1] not in (1, shape[-1]):
        return None
    return np.broadcast_to(constant.astype(np.float64).reshape(-1), (shape[-1],))


def _held(values: Vector) -> bool:
    return bool((np.abs(values) <= np.finfo(np.float32).max).all())
