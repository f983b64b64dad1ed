"""Removes the transposes that a channels-first source brings along."""

from __future__ import annotations

from dataclasses import replace

from octavo.ir.graph import Graph, TensorType
from octavo.ops import Transpose
from octavo.passes.placement import moved
from octavo.passes.rewrite import rename_values, sweep, without_dead_code

__all__ = ["layout", "transposed_elements"]


def layout(graph: Graph) -> Graph:
    """Move transposes and reshapes towards the outputs, so that they cancel and leave.

    1. Everything in ``placement`` (operators move above transposes and reshapes, which compose, cancel, or go into
       the weights of a fully connected layer), in one sweep.
    2. A graph input that only transposes of one permutation read takes their order; ``layouts`` remembers it.
    3. A graph output made by a transpose is its source instead; ``layouts`` remembers it.

    Termination: a move puts an operator strictly closer to the inputs than a transpose or reshape that was above it,
    nothing moves back, and each node is visited once; the sweep is linear. A result that transposes more elements
    than before is refused: so repeated calls reach a fixpoint. Bold moves, which split a transpose so that a part of
    it may cancel (channel shuffles), are tried first and kept if they pay.
    """
    plain = _settled(graph, bold=False)
    bold = _settled(graph, bold=True)
    result = bold if transposed_elements(bold) < transposed_elements(plain) else plain
    return graph if transposed_elements(result) > transposed_elements(graph) else result


def _settled(graph: Graph, bold: bool) -> Graph:
    return _absorb_outputs(_absorb_inputs(sweep(graph, moved, bold)))


def transposed_elements(graph: Graph) -> int:
    """How many elements the graph's transposes move."""
    return sum(graph.types[node.outputs[0]].size for node in graph.nodes if isinstance(node.op, Transpose))


def _absorb_inputs(graph: Graph) -> Graph:
    readers = graph.consumers()
    for name in graph.inputs:
        perms = {node.op.perm if isinstance(node.op, Transpose) else None for node in readers[name]}
        made = {node.outputs[0] for node in readers[name]}
        perm = next(iter(perms), None)
        if len(perms) == 1 and perm is not None and not made.intersection(graph.outputs) and name not in graph.outputs:
            graph = _with_input_order(graph, name, perm, made)
    return graph


def _with_input_order(graph: Graph, name: str, perm: tuple[int, ...], made: set[str]) -> Graph:
    """The input as its transposes (which make the values ``made``) had it."""
    old = graph.types[name]
    types = {value: type for value, type in graph.types.items() if value not in made}
    types[name] = TensorType(tuple(old.shape[axis] for axis in perm), old.dtype)
    nodes = tuple(
        replace(node, inputs=tuple(name if value in made else value for value in node.inputs))
        for node in graph.nodes
        if node.outputs[0] not in made
    )
    return graph.with_(types=types, nodes=nodes, layouts=_composed(graph, name, perm, of_input=True))


def _absorb_outputs(graph: Graph) -> Graph:
    for name in graph.outputs:
        node = graph.producers().get(name)
        if node is None or not isinstance(node.op, Transpose):
            continue
        source = node.inputs[0]
        if source in graph.outputs or source in graph.inputs or source in graph.consts:
            continue
        layouts = _composed(graph, name, node.op.perm, of_input=False)
        swapped = rename_values(graph.with_(outputs=()), {source: name, name: source})
        graph = without_dead_code(swapped.with_(outputs=graph.outputs)).with_(layouts=layouts)
    return graph


def _composed(graph: Graph, name: str, perm: tuple[int, ...], of_input: bool) -> dict[str, tuple[int, ...]]:
    """The layouts after a transpose by ``perm`` at ``name`` has become part of them."""
    layouts = {key: tuple(value) for key, value in graph.layouts.items()}
    old = layouts.pop(name, tuple(range(len(perm))))
    new = tuple(old[axis] for axis in perm) if of_input else tuple(perm[axis] for axis in old)
    if new != tuple(range(len(perm))):
        layouts[name] = new
    return layouts
