"""A pass through the float network that can, at each node, run what lies behind it with other values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from octavo.ir.extract import extract
from octavo.ir.graph import Array, Graph, Node
from octavo.run.float_run import float_run

__all__ = ["Walk"]


class Walk:
    """Where the pass stands: the float values that later nodes read, up to the node ``end`` that gives the logits."""

    def __init__(self, graph: Graph, inputs: Mapping[str, Array], logits: str) -> None:
        self.graph, self.target = graph, logits
        self.live = {name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in inputs.items()}
        self._last = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
        producer = graph.producers().get(logits)
        self.end = -1 if producer is None else graph.nodes.index(producer)

    def run(self, node: Node, constants: dict[str, torch.Tensor]) -> torch.Tensor:
        """One node, with other constants; its inputs must be live still."""
        part = extract(self.graph, [node]).with_(outputs=node.outputs)
        given = {name: self.live[name] for name in part.inputs}
        return float_run(part, given, lambda name, value: constants.get(name, value))[node.outputs[0]]

    def advance(self, node: Node) -> None:
        """Run a node in float."""
        self.live[node.outputs[0]] = self.run(node, {})

    def forget(self, index: int) -> None:
        """Drop what nothing behind a node reads."""
        self.live = {
            name: value for name, value in self.live.items() if self._last.get(name, -1) > index or name == self.target
        }

    def logits(self, index: int, changed: dict[str, torch.Tensor]) -> Array:
        """The logits when values made by node ``index`` are ``changed``."""
        if self.target in changed:
            return np.asarray(changed[self.target].flatten(1).numpy())
        rest = extract(self.graph, self.graph.nodes[index + 1 : self.end + 1]).with_(outputs=(self.target,))
        given = {**self.live, **changed}
        found = float_run(rest, {name: given[name] for name in rest.inputs})[self.target]
        return np.asarray(found.flatten(1).numpy())
