"""Cross-layer equalization: channels of very different range are scaled alike, and the network computes the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Graph
from octavo.passes.links import by_channel, find_links, scale_links

__all__ = ["Equalization", "equalize"]

Vector = NDArray[np.float64]
_ROUNDS = 100
_TOLERANCE = 1e-3
_FAINT = 1 / 256


@dataclass(frozen=True)
class Equalization:
    """The graph, how many links were scaled, in how many rounds, and why others or single channels were not.

    ``left`` are (source of the first layer, reason).
    """

    graph: Graph
    links: int
    rounds: int
    left: tuple[tuple[str, str], ...] = ()


def equalize(graph: Graph) -> Equalization:
    """Scale channels so that weights on both sides of every link have the same range (Nagel et al. 2019, section 4.1).

    For positive s, f(s x) = s f(x): dividing output channel i of one layer by s_i and multiplying input channel i of
    the next by s_i changes nothing. With s_i = sqrt(r1_i / r2_i), r the largest magnitudes of the two layers' weights
    for that channel, both become sqrt(r1_i r2_i). Chains of several layers are iterated until no factor moves by more
    than 0.1 % (100 rounds at most). octavo.passes.links says which layers are linked.

    1. A clip whose bounds are not 0 or infinite (ReLU6) becomes a clip per channel: exact, where replacing it by a
       ReLU would change the network.
    2. Channels keep their scale whose r1_i r2_i, which no scaling changes, is below 1/256 of the link's largest: what
       they carry is less than a level of what the others do, and the factor that would lift them lifts their biases,
       too, and with them the range of the activation.
    """
    links, left = find_links(graph)
    sizes = {n.name: by_channel(graph, n, np.max) for link in links for n in (link.first, link.second)}
    factors = [np.ones(link.channels) for link in links]
    for link in links:
        carried = sizes[link.first.name].max(axis=1) * sizes[link.second.name].max(axis=0)
        if ((carried > 0) & ~_strong(carried)).any():
            left.append((link.first.source or link.first.name, "channels that are nearly dead keep their scale"))
    done = 0
    for done in range(1, _ROUNDS + 1):  # noqa: B007
        moved = 0.0
        for index, link in enumerate(links):
            step = _balance(sizes[link.first.name].max(axis=1), sizes[link.second.name].max(axis=0))
            sizes[link.first.name] = sizes[link.first.name] / step[:, None]
            sizes[link.second.name] = sizes[link.second.name] * step[None, :]
            factors[index] = factors[index] * step
            moved = max(moved, float(np.abs(np.log(step)).max()))
        if moved < _TOLERANCE:
            break
    if not links:
        return Equalization(graph, 0, 0, tuple(left))
    return Equalization(scale_links(graph, links, factors), len(links), done, tuple(left))


def _strong(carried: Vector) -> NDArray[np.bool_]:
    return np.asarray(carried > _FAINT * carried.max())


def _balance(first: Vector, second: Vector) -> Vector:
    usable = _strong(first * second)
    return np.asarray(np.sqrt(np.where(usable, first, 1.0) / np.where(usable, second, 1.0)))
