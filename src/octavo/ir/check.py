"""Verifies a Graph: single definition, topological order, types, shapes, finite constants."""

from __future__ import annotations

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import DTYPES, Graph

__all__ = ["verify"]

_REMEDY = "This is a fault of Octavo, not of the model: please report it with the model."


def verify(graph: Graph, stage: str = "graph") -> Graph:
    """Return ``graph`` unchanged, or raise OctavoError naming the first node that breaks a rule.

    Rules: every value is defined once and before its use; every node's inferred types equal the recorded ones; every
    activation has batch 1 on axis 0; constants match their types and are finite.
    """
    defined: set[str] = set()
    for name in (*graph.inputs, *graph.consts):
        _define(name, defined, graph, stage)
    for name, array in graph.consts.items():
        declared = graph.types[name]
        if declared.shape != array.shape or declared.dtype != str(array.dtype):
            raise OctavoError(f"{stage}: {name}", f"constant {array.dtype}{array.shape} is not {declared}", _REMEDY)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise OctavoError(f"{stage}: {name}", "constant holds NaN or Inf", "Check the model's weights.")
    names: set[str] = set()
    for node in graph.nodes:
        where = f"{stage}: {node.name}"
        if node.name in names:
            raise OctavoError(where, "two nodes have this name", _REMEDY)
        names.add(node.name)
        for value in node.inputs:
            if value not in defined:
                raise OctavoError(where, f"reads {value} before it is defined", _REMEDY)
        try:
            inferred = node.op.infer([graph.types[value] for value in node.inputs])
        except ValueError as error:
            raise OctavoError(where, f"{node.kind}: {error}", _REMEDY) from error
        recorded = tuple(graph.types.get(value) for value in node.outputs)
        if inferred != recorded:
            raise OctavoError(where, f"{node.kind} gives {_text(inferred)}, recorded {_text(recorded)}", _REMEDY)
        for value in node.outputs:
            _define(value, defined, graph, stage)
    for value in graph.outputs:
        if value not in defined:
            raise OctavoError(f"{stage}: output {value}", "is not defined", _REMEDY)
    for value in graph.activations():
        declared = graph.types[value]
        if declared.dtype not in DTYPES or not declared.shape or declared.shape[0] != 1:
            raise OctavoError(f"{stage}: {value}", f"{declared} has no batch of 1 on axis 0", _REMEDY)
    return graph


def _define(name: str, defined: set[str], graph: Graph, stage: str) -> None:
    if name in defined:
        raise OctavoError(f"{stage}: {name}", "is defined twice", _REMEDY)
    if name not in graph.types:
        raise OctavoError(f"{stage}: {name}", "has no type", _REMEDY)
    defined.add(name)


def _text(types: tuple[object, ...]) -> str:
    return ", ".join(map(str, types))
