"""Samples between whose two best classes a network can hardly decide: the least noise changes its answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Graph
from octavo.quant.observe import as_inputs
from octavo.run.float_run import float_run

__all__ = ["undecided"]


def undecided(graph: Graph, samples: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The ``count`` samples [N, ...] with the least gap between the two largest outputs, and the float answers."""
    outputs = float_run(graph, as_inputs(graph, samples))[graph.outputs[0]].numpy().reshape(len(samples), -1)
    order = np.sort(outputs, axis=1)
    places = np.sort(np.argsort(order[:, -1] - order[:, -2])[:count])
    return samples[places], outputs[places].argmax(1)
