"""How many binary places an integer kernel rounds to before it rounds to integers (docs/numerics.md)."""

from __future__ import annotations

import torch

from octavo.ir.graph import Graph, Node
from octavo.num.qparams import QParams
from octavo.ops import AveragePool2D, Mean
from octavo.ops.integer import mean_parameters
from octavo.train.fake import Rounding, most_places

__all__ = ["plain_rounding", "rounding_of"]


def rounding_of(multiplier: torch.Tensor, limits: tuple[int, int]) -> Rounding:
    """Of real multipliers [C]: f 2^-n with f in [1/2, 1) is rounded to n places first, none if n is negative."""
    places = -torch.frexp(multiplier).exponent.clamp(-most_places(limits), 0)
    return Rounding(places.to(multiplier.dtype))


def plain_rounding(graph: Graph, node: Node, x: QParams, y: QParams, device: torch.device) -> Rounding:
    """Of nodes without weights: int8 means round twice, average pools divide integers with the zero point in them."""
    if isinstance(node.op, AveragePool2D):
        return Rounding(raw=True)
    if not isinstance(node.op, Mean) or y.dtype != "int8":
        return Rounding()
    count = graph.types[node.inputs[0]].size // graph.types[node.outputs[0]].size
    places = min(max(-mean_parameters(x, y, count)["shift"], 0), most_places(y.limits))
    return Rounding(torch.tensor([float(places)], device=device))
