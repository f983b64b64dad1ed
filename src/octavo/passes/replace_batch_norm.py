"""Gives the affine functions that could not be folded an operator with an integer form."""

from __future__ import annotations

import numpy as np

from octavo.ir.graph import Graph, Node
from octavo.ops import NONE, Add, BatchNorm, DepthwiseConv2D, Mul
from octavo.passes.affine import Affine, affine_chain, affine_of
from octavo.passes.rewrite import Draft, sweep

__all__ = ["replace_batch_norm"]


def replace_batch_norm(graph: Graph) -> Graph:
    """Replace what fold_batch_norm left.

    1. A BatchNorm, or several affine functions in a row (all but the last without activation and read once), of an
       image becomes a DepthwiseConv2D of one pixel: one rounding on the device.
    2. Of other shapes it becomes a Mul and an Add (without the Mul by ones or Add of zeros).
    3. What follows such a new DepthwiseConv2D is left for fold_batch_norm.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    affine = affine_of(draft, node)
    if affine is None:
        return None
    rank = len(draft.shape(affine.x))
    if rank != 4:
        return _multiply_add(draft, node, affine, rank) if isinstance(node.op, BatchNorm) else None
    chain = affine_chain(draft, affine)
    made = draft.producer(chain.x)
    if made is not None and isinstance(made.op, DepthwiseConv2D) and made.op.activation.is_none:
        if draft.read_once(chain.x):
            return None
    return _depthwise(draft, node, chain) if chain is not affine or isinstance(node.op, BatchNorm) else None


def _depthwise(draft: Draft, node: Node, affine: Affine) -> str | None:
    weights = draft.const(affine.scale.reshape(1, 1, 1, -1), f"{node.name}.scale")
    bias = draft.const(affine.shift, f"{node.name}.shift")
    if affine.moments is not None:
        draft.set_moments(bias, affine.moments)
    return draft.add(DepthwiseConv2D(activation=affine.activation), [affine.x, weights, bias], node)


def _multiply_add(draft: Draft, node: Node, affine: Affine, rank: int) -> str | None:
    shape = (1,) * (rank - 1) + (-1,)
    value = affine.x
    if not np.array_equal(affine.scale, np.ones_like(affine.scale)):
        value = draft.add(Mul(), [value, draft.const(affine.scale.reshape(shape), f"{node.name}.scale")], node)
    if affine.shift.any():
        value = draft.add(Add(), [value, draft.const(affine.shift.reshape(shape), f"{node.name}.shift")], node)
    return (
        value if affine.activation is NONE or affine.activation.is_none else draft.add(affine.activation, [value], node)
    )
