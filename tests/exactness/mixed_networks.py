"""Networks of which some layers are 16x8: Requantize between the dtypes, and a plan with both."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized, make_plan
from octavo.num.qparams import QParams
from octavo.ops import Op, Requantize
from octavo.quant.quantize import Scheme, quantize_graph

__all__ = ["mixed"]

FIXED = {(1 / 256, -128), (1 / 128, 0)}


def mixed(graph: Graph, inputs: Mapping[str, NDArray[np.float32]], wide: Set[str]) -> Quantized:
    """The network with int16 activations in the nodes named in ``wide``, int8 in the others.

    An int16 encoding is symmetric and reaches as far as the int8 encoding of the same value.
    """
    joined, dtypes = _joined(graph, wide)
    quantized = quantize_graph(joined, [dict(inputs)], Scheme(ranges="minmax"))
    qparams = dict(quantized.plan.qparams)
    for node in quantized.graph.nodes:
        op = node.op
        assert isinstance(op, Op)
        # Nodes that the quantizer adds stand before the node that they are named after.
        owner = node.name.split(".requantize")[0]
        dtypes[node.outputs[0]] = "int16" if owner in wide or dtypes.get(owner) == "int16" else "int8"
        for index, value in enumerate(node.inputs):
            operand = value in quantized.graph.consts and value in qparams and type(op).__name__ != "Prelu"
            if operand and index != op.weight and dtypes[node.outputs[0]] == "int16":
                dtypes[value] = "int16"
    for value, dtype in dtypes.items():
        if dtype == "int16":
            qparams[value] = _symmetric(qparams[value])
    return Quantized(quantized.graph, make_plan(quantized.graph, qparams))


def _joined(graph: Graph, wide: Set[str]) -> tuple[Graph, dict[str, str]]:
    """The graph with a Requantize wherever the dtype changes, and the dtype of each value so far."""
    dtypes: dict[str, str] = {}
    types, nodes = dict(graph.types), []
    for node in graph.nodes:
        dtype, values = "int16" if node.name in wide else "int8", []
        for value in node.inputs:
            if value in graph.inputs:
                dtypes.setdefault(value, dtype)
            if value in graph.consts or dtypes[value] == dtype:
                values.append(value)
                continue
            fresh = f"{value}.{dtype}"
            if fresh not in dtypes:
                nodes.append(Node(fresh, Requantize(), (value,), (fresh,), node.source))
                types[fresh], dtypes[fresh] = types[value], dtype
            values.append(fresh)
        dtypes[node.outputs[0]] = dtype
        nodes.append(Node(node.name, node.op, tuple(values), node.outputs, node.source))
    for value in graph.inputs:
        dtypes.setdefault(value, "int8")
    return graph.with_(nodes=tuple(nodes), types=types), dtypes


def _symmetric(narrow: QParams) -> QParams:
    scale, zero_point = float(narrow.scale[0]), int(narrow.zero_point[0])
    if (scale, zero_point) in FIXED:
        return QParams("int16", np.array([1 / 32768], np.float32), np.array([0]))
    reach = max(127 - zero_point, zero_point + 128) * scale
    return QParams("int16", np.array([reach / 32767], np.float32), np.array([0]))
