"""The result of quantization as plain data: an encoding for every value, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.qparams import QParams

__all__ = ["QuantPlan", "Quantized", "bias_names", "graph_digest", "make_plan"]


def graph_digest(graph: Graph) -> str:
    """SHA-256 of the graph's structure and constants."""
    digest = hashlib.sha256()
    structure = (graph.inputs, graph.outputs, [(n.name, repr(n.op), n.inputs, n.outputs) for n in graph.nodes])
    digest.update(repr(structure).encode())
    for name in sorted(graph.consts):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(graph.consts[name]).tobytes())
    return digest.hexdigest()


def bias_names(graph: Graph) -> set[str]:
    """Constants that are biases: their encoding follows from the input's and the weight's."""
    names = set()
    for node in graph.nodes:
        index = getattr(node.op, "bias", None)
        if index is not None:
            names.add(node.inputs[index])
    return names


@dataclass(frozen=True)
class QuantPlan:
    """Encodings of all activations and of all constants but biases.

    ``groups`` maps each activation to the value whose encoding it shares; ``reasons`` says in words why a value has
    the encoding it has; ``graph_digest`` binds the plan to its graph; ``target`` names the device it was made for.

    ``integers`` are learned integers of weights, in place of the nearest ones; ``biases`` are corrected biases (float,
    one a channel), in place of the graph's. The graph itself stays the float network that was given.

    ``trail`` lists what was tried (plain data, a row a rung), ``verdict`` how it ended, ``notes`` what must be
    said aloud.
    """

    qparams: Mapping[str, QParams]
    groups: Mapping[str, str]
    graph_digest: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    integers: Mapping[str, Array] = field(default_factory=dict)
    biases: Mapping[str, Array] = field(default_factory=dict)
    trail: tuple[Mapping[str, Any], ...] = ()
    verdict: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for attribute in ("qparams", "groups", "reasons", "integers", "biases"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))

    def __reduce__(self) -> Any:
        values = (getattr(self, field.name) for field in fields(self))
        return QuantPlan, tuple(dict(value) if isinstance(value, Mapping) else value for value in values)


def make_plan(
    graph: Graph,
    qparams: Mapping[str, QParams],
    groups: Mapping[str, str] | None = None,
    reasons: Mapping[str, str] | None = None,
    target: str = "",
) -> QuantPlan:
    """A plan for exactly this graph."""
    return QuantPlan(qparams, groups or {}, graph_digest(graph), reasons or {}, target)


@dataclass(frozen=True)
class Quantized:
    """A float graph with the plan that makes it integer. Nothing else holds quantization state."""

    graph: Graph
    plan: QuantPlan

    def __post_init__(self) -> None:
        if self.plan.graph_digest != graph_digest(self.graph):
            raise OctavoError(
                f"plan of {self.graph.name}",
                "was made for another graph",
                "Quantize the graph again after changing it.",
            )
        needed = {*self.graph.activations(), *self.graph.consts} - bias_names(self.graph)
        missing = sorted(needed - set(self.plan.qparams))
        if missing:
            raise OctavoError(
                f"plan of {self.graph.name}",
                f"has no encoding for {', '.join(missing[:5])}",
                "Quantize the graph again, or add the encodings.",
            )
        for kind, arrays in (("integers", self.plan.integers), ("biases", self.plan.biases)):
            for name, array in arrays.items():
                if name not in self.graph.consts or self.graph.consts[name].shape != array.shape:
                    raise OctavoError(
                        f"plan of {self.graph.name}", f"{kind} of {name} do not match the graph", "Quantize it again."
                    )

    def integers(self, name: str) -> Array:
        """The integers of a constant, learned or nearest."""
        if name in self.plan.integers:
            return self.plan.integers[name]
        return self.plan.qparams[name].quantize(self.graph.consts[name])

    def bias(self, name: str) -> Array:
        """The real values of a bias, corrected or as the graph has it."""
        return self.plan.biases.get(name, self.graph.consts[name])

    def with_(self, **changes: Any) -> Quantized:
        """The same graph with some fields of the plan replaced."""
        return Quantized(self.graph, replace(self.plan, **changes))
