"""Turns a run of layers of an integer graph into one operator that computes them strip by strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from octavo.ir.graph import Graph, Node
from octavo.lower.lower import IntegerModel
from octavo.ops.base import IntegerOp, RowForm
from octavo.ops.integer.strips import Rows, Stage, Strips

__all__ = ["in_strips"]


def in_strips(model: IntegerModel, start: int, stop: int, rows: int, alignment: int = 4) -> IntegerModel | None:
    """The model with nodes ``start`` to ``stop - 1`` as one, of whose output each step makes so many rows.

    None where that cannot be: the nodes must read one image from outside and only the last one's output may be read
    outside; each must be an operator that runs row by row; ``rows`` must divide the height of the output. The integers
    are the same, all of them.
    """
    graph, nodes = model.graph, model.graph.nodes[start:stop]
    outside = _outside(graph, nodes)
    if len(nodes) < 2 or outside is None or any(len(graph.types[v].shape) != 4 for v in (outside, *_made(nodes))):
        return None
    output = nodes[-1].outputs[0]
    if rows < 1 or graph.types[output].shape[1] % rows:
        return None
    known = {output: _rows(model, output, rows, 0, 0)}
    readers: dict[str, list[tuple[Rows, RowForm]]] = {}
    forms: dict[str, RowForm] = {}
    for node in reversed(nodes):
        value = node.outputs[0]
        made = known.get(value) or _window(model, value, readers[value])
        op = node.op
        assert isinstance(op, IntegerOp)
        form = None if made is None else op.by_rows(made.made, made.height)
        if made is None or form is None:
            return None
        known[value], forms[node.name] = made, form
        for read in _moving(graph, node):
            if not _reads_inside(model, read, made, form):
                return None
            readers.setdefault(read, []).append((made, form))
    source = _window(model, outside, readers[outside])
    if source is None:
        return None
    values = (source, *(known[node.outputs[0]] for node in nodes))
    by_name = {value.name: value for value in values}
    stages = tuple(_stage(graph, node, forms[node.name], by_name) for node in nodes)
    consts = dict.fromkeys(v for node in nodes for v in node.inputs if v in graph.consts)
    inputs = (outside, *consts)
    first = min(-value.lead // value.made + 1 for value in values)
    op = Strips(first, known[output].height // rows, values, stages, inputs, alignment)
    where = f"{nodes[0].source or nodes[0].name} to {nodes[-1].source or nodes[-1].name}"
    whole = Node(f"{nodes[0].name}:strips", op, inputs, (output,), where)
    gone = {value for value in _made(nodes) if value != output}
    types = {name: type_ for name, type_ in graph.types.items() if name not in gone}
    joined = graph.with_(nodes=(*graph.nodes[:start], whole, *graph.nodes[stop:]), types=types)
    return IntegerModel(joined, {name: e for name, e in model.encodings.items() if name not in gone})


def _made(nodes: Sequence[Node]) -> list[str]:
    return [node.outputs[0] for node in nodes]


def _moving(graph: Graph, node: Node) -> list[str]:
    return [value for value in dict.fromkeys(node.inputs) if value not in graph.consts]


def _outside(graph: Graph, nodes: Sequence[Node]) -> str | None:
    """The one value that the nodes read from outside, where nothing but their last output is read outside."""
    made = set(_made(nodes))
    read = {value for node in nodes for value in _moving(graph, node)} - made
    inner = {node.name for node in nodes}
    consumers = graph.consumers()
    for value in made - {nodes[-1].outputs[0]} if nodes else ():
        if value in graph.outputs or not {node.name for node in consumers[value]} <= inner or not consumers[value]:
            return None
    return read.pop() if len(read) == 1 else None


def _rows(model: IntegerModel, value: str, made: int, lead: int, kept: int) -> Rows:
    type_, encoding = model.graph.types[value], model.encodings[value]
    _, height, width, channels = type_.shape
    return Rows(value, height, width, channels, type_.dtype, made, lead, kept, int(encoding.zero_point[0]))


def _window(model: IntegerModel, value: str, readers: Sequence[tuple[Rows, RowForm]]) -> Rows | None:
    """The rows that all readers of a value need; None where they go on at different speeds."""
    speeds = {made.made * form.stride for made, form in readers}
    if len(speeds) != 1:
        return None
    lead = max((made.lead - 1) * form.stride + form.reach - form.pad for made, form in readers)
    low = min(made.lead * form.stride - form.pad for made, form in readers)
    return _rows(model, value, speeds.pop(), lead, max(lead - low, 0))


def _reads_inside(model: IntegerModel, value: str, made: Rows, form: RowForm) -> bool:
    """Whether what the operator reads beyond the image is what the window holds there."""
    height = model.graph.types[value].shape[1]
    if form.outside is None:
        return form.pad == 0 and (made.height - 1) * form.stride + form.reach <= height
    return form.outside == int(model.encodings[value].zero_point[0])


def _stage(graph: Graph, node: Node, form: RowForm, values: dict[str, Rows]) -> Stage:
    made = values[node.outputs[0]]
    reads: list[tuple[int, int] | None] = []
    for value in node.inputs:
        if value in graph.consts:
            reads.append(None)
            continue
        window = values[value]
        low = made.lead * form.stride - form.pad - (window.lead - window.kept)
        reads.append((low, (made.made - 1) * form.stride + form.reach))
    return Stage(replace(node, op=form.op), tuple(reads))
