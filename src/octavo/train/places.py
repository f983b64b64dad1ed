"""How many binary places an integer kernel rounds to before it rounds to integers (docs/numerics.md)."""

from __future__ import annotations

import torch

from octavo.ir.graph import Graph, Node
from octavo.num.qparams import QParams
from octavo.ops import AveragePool2D, Mean
from octavo.ops.integer import mean_parameters
from octavo.train.fake import PLACES, Rounding

__all__ = ["few", "places_of_multiplier", "plain_rounding"]

_FEW = 10


def places_of_multiplier(multiplier: torch.Tensor) -> torch.Tensor:
    """Of real multipliers [C]: f 2^-n with f in [1/2, 1) is rounded to n places, none if n is negative."""
    return -torch.frexp(multiplier).exponent.clamp(-PLACES, 0).to(multiplier.dtype)


def few(places: torch.Tensor) -> Rounding:
    """Rounding to these places first, where some are so few that it is seen."""
    return Rounding(places) if int(places.min()) <= _FEW else Rounding()


def plain_rounding(graph: Graph, node: Node, x: QParams, y: QParams, device: torch.device) -> Rounding:
    """Of nodes without weights: int8 means round twice, average pools divide integers with the zero point in them."""
    if isinstance(node.op, AveragePool2D):
        return Rounding(raw=True)
    if not isinstance(node.op, Mean) or y.dtype != "int8":
        return Rounding()
    count = graph.types[node.inputs[0]].size // graph.types[node.outputs[0]].size
    places = min(max(-mean_parameters(x, y, count)["shift"], 0), PLACES)
    return few(torch.tensor([float(places)], device=device))
