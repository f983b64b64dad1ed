"""Regions of int16 activations in an int8 network: which values are int16, and a Requantize wherever the dtype changes.

Rules: (1) a node named in ``wide`` has int16 inputs and an int16 output, any other node int8 ones; (2) inputs and
outputs of the network are int8; (3) a Requantize gives what its readers take; (4) a node whose operator has no int16
form stays int8. A node that shares its input's encoding so has one dtype on both sides, and every group, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.num.formats import ActivationFormat, Format
from octavo.ops import Op, Requantize
from octavo.quant.observe import Observation

__all__ = ["followed", "has_int16", "kept_narrow", "regions", "value_dtypes", "wide_format"]


def has_int16(graph: Graph, node: Node) -> bool:
    """Whether the node's operator has an int16 form at its shapes."""
    assert isinstance(node.op, Op)
    return node.op.has_int16([graph.types[value] for value in node.inputs])


def kept_narrow(graph: Graph, wide: Set[str]) -> tuple[Node, ...]:
    """The nodes of ``wide`` that stay int8 because their operators have no int16 form.

    OctavoError for a name that no node has.
    """
    unknown = sorted(wide - {node.name for node in graph.nodes})
    if unknown:
        raise OctavoError(
            f"int16 region of {graph.name}", f"names {', '.join(unknown[:5])}, which no node is called",
            "Name nodes of the normalised graph.",
        )  # fmt: skip
    return tuple(node for node in graph.nodes if node.name in wide and not has_int16(graph, node))


def wide_format(format: Format) -> ActivationFormat:
    """The format of int16 activations beside ``format``; OctavoError where the two cannot be in one network."""
    if format.activations.dtype == "float16":
        raise OctavoError(
            f"format {format.name}",
            "cannot be mixed with int16 layers: no executor has float16 beside integers",
            "Mix layers of an integer format, or take float16 for the whole network.",
        )
    return replace(format.activations, dtype="int16", symmetric=True, bits=None)


def value_dtypes(graph: Graph, wide: Set[str]) -> dict[str, str]:
    """int8 or int16 for every activation. Rule 3 reads the graph backwards, so that ``regions`` changes no answer."""
    narrow = {node.name for node in kept_narrow(graph, wide)}
    readers = graph.consumers()
    dtypes: dict[str, str] = {}
    for node in reversed(graph.nodes):
        output = node.outputs[0]
        if isinstance(node.op, Requantize) and node.name not in wide:
            taken = {dtypes[reader.outputs[0]] for reader in readers[output]}
            is_wide = output not in graph.outputs and "int16" in taken
        else:
            is_wide = node.name in wide and node.name not in narrow
        dtypes[output] = "int16" if is_wide else "int8"
    return {value: dtypes.get(value, "int8") for value in graph.activations()}


@dataclass
class _Draft:
    """The graph under construction. ``forms``: the name of a value in a dtype; outputs keep theirs for int8."""

    graph: Graph
    dtypes: Mapping[str, str]
    readers: Mapping[str, list[Node]]
    taken: set[str]
    types: dict[str, TensorType]
    consts: dict[str, Array]
    nodes: list[Node] = field(default_factory=list)
    forms: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, value: str, dtype: str) -> str:
        """A name that no value and no node has."""
        name = f"{value}.{dtype}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def fresh(self, value: str, dtype: str) -> str:
        """Another value of the type of ``value``."""
        name = self.name(value, dtype)
        self.types[name] = self.types[value]
        return name

    def requantized(self, value: str, dtype: str, source: str) -> str:
        """The value in ``dtype``, by the one Requantize that makes it."""
        if (value, dtype) not in self.forms:
            name = self.fresh(value, dtype)
            self.nodes.append(Node(name, Requantize(), (value,), (name,), source))
            self.forms[value, dtype] = name
        return self.forms[value, dtype]

    def operand(self, node: Node, index: int, const: str) -> str:
        """A constant as a wide node reads it: a copy where int8 nodes read it, too; each has an encoding of its own."""
        op = node.op
        assert isinstance(op, Op)
        if index in (op.weight, op.bias):
            return const
        others = {self.dtypes[reader.outputs[0]] for reader in self.readers[const]}
        if others != {"int8", "int16"}:
            return const
        if (const, "int16") not in self.forms:
            name = self.forms[const, "int16"] = self.fresh(const, "int16")
            self.consts[name] = self.graph.consts[const]
        return self.forms[const, "int16"]


def regions(graph: Graph, wide: Set[str]) -> Graph:
    """Insert one Requantize for each value and dtype in which nodes read it and it is not.

    A wide output of the network is renamed, and the Requantize behind it takes its name. The result of a second call
    is that of the first.
    """
    dtypes = value_dtypes(graph, wide)
    if "int16" not in dtypes.values():
        return graph
    taken = {*graph.types, *(node.name for node in graph.nodes)}
    draft = _Draft(graph, dtypes, graph.consumers(), taken, dict(graph.types), dict(graph.consts))
    for node in graph.nodes:
        _place(draft, node)
    return graph.with_(nodes=tuple(draft.nodes), types=draft.types, consts=draft.consts)


def _place(draft: _Draft, node: Node) -> None:
    """Add the node with its inputs in its dtype."""
    graph, output = draft.graph, node.outputs[0]
    dtype, inputs = draft.dtypes[output], []
    for index, value in enumerate(node.inputs):
        if value in graph.consts:
            inputs.append(draft.operand(node, index, value) if dtype == "int16" else value)
        elif isinstance(node.op, Requantize):
            inputs.append(draft.forms.get((value, draft.dtypes[value]), value))
        elif (value, dtype) in draft.forms or draft.dtypes[value] != dtype:
            inputs.append(draft.requantized(value, dtype, node.source))
        else:
            inputs.append(value)
    if output not in graph.outputs or dtype == "int8":
        draft.nodes.append(Node(node.name, node.op, tuple(inputs), node.outputs, node.source))
        return
    inner = draft.forms[output, "int16"] = draft.fresh(output, "int16")
    draft.forms[output, "int8"] = output
    draft.nodes.append(Node(node.name, node.op, tuple(inputs), (inner,), node.source))
    draft.nodes.append(Node(draft.name(output, "int8"), Requantize(), (inner,), (output,), node.source))


def followed(observation: Observation, graph: Graph) -> Observation:
    """What calibration saw, carried to the Requantizes of ``graph``: their values are those of their inputs.

    So networks that differ in their regions alone are calibrated once.
    """
    statistics = dict(observation.statistics)
    for node in graph.nodes:
        source, output = node.inputs[0], node.outputs[0]
        if isinstance(node.op, Requantize) and output not in statistics:
            statistics[output] = statistics[source] if source in statistics else statistics[_outer(graph, source)]
    for node in graph.nodes:
        if isinstance(node.op, Requantize) and node.inputs[0] not in statistics:
            statistics[node.inputs[0]] = statistics[node.outputs[0]]
    needed = graph.activations()
    return replace(observation, statistics={value: statistics[value] for value in needed})


def _outer(graph: Graph, value: str) -> str:
    """The output of the network that was renamed to ``value``."""
    return next(
        node.outputs[0]
        for node in graph.nodes
        if isinstance(node.op, Requantize) and node.inputs[0] == value and node.outputs[0] in graph.outputs
    )
