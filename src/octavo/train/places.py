"""How many binary places an integer kernel rounds to before it rounds to integers (docs/numerics.md)."""

from __future__ import annotations

import torch

from octavo.ir.graph import Graph, Node
from octavo.num.qparams import QParams
from octavo.ops import AveragePool2D, Mean
from octavo.ops.integer import mean_parameters
from octavo.train.fake import PLACES

__all__ = ["few", "fixed_places", "places_of_multiplier"]

_FEW = 7


def places_of_multiplier(multiplier: torch.Tensor) -> torch.Tensor:
    """Of real multipliers [C]: f 2^-n with f in [1/2, 1) is rounded to n places, none if n is negative."""
    return -torch.frexp(multiplier).exponent.clamp(-PLACES, 0).to(multiplier.dtype)


def few(places: torch.Tensor) -> torch.Tensor | None:
    """The places where some are so few that the first rounding is seen."""
    return places if int(places.min()) <= _FEW else None


def fixed_places(graph: Graph, node: Node, x: QParams, y: QParams) -> int | None:
    """Of nodes without weights: a mean's; an average pool divides exactly and rounds half away from zero, once."""
    if isinstance(node.op, AveragePool2D):
        return PLACES
    if isinstance(node.op, Mean):
        count = graph.types[node.inputs[0]].size // graph.types[node.outputs[0]].size
        return min(-mean_parameters(x, y, count)["shift"], PLACES)
    return None
