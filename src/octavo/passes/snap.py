"""Channel scales that make an activation's best scale a power of two."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from octavo.ir.graph import Graph
from octavo.passes.equalize import Equalization
from octavo.passes.links import find_links, scale_links

__all__ = ["snap"]


def snap(graph: Graph, scales: Mapping[str, float]) -> Equalization:
    """Divide each linked activation by the factor that turns its scale into the nearest power of two.

    ``scales`` are the best free symmetric scales by value. A power-of-two format must otherwise round them up or down,
    which costs up to a bit of an activation's resolution, or clips it; a factor between 0.7 and 1.4, moved into the
    weights of the two layers around it, costs nothing. The network computes the same. Values outside links (residual
    sums, inputs, outputs) keep their scales.
    """
    links, left = find_links(graph)
    factors = []
    for link in links:
        scale = scales[link.second.inputs[0]]
        factor = scale / 2.0 ** np.round(np.log2(scale)) if scale > 0 else 1.0
        factors.append(np.full(link.channels, factor))
    if not links:
        return Equalization(graph, 0, 0, tuple(left))
    return Equalization(scale_links(graph, links, factors), len(links), 1, tuple(left))
