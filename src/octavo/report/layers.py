"""Layer by layer: the operator, its weights, its output, what it costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from octavo.ir.graph import Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.report.blocks import Section, Table, Text
from octavo.report.words import activations, count, granularity, numbers, scale_range

__all__ = ["layers", "weight_of"]

COLUMNS = (
    "Layer", "Operator", "Output", "Weights", "Granularity", "Activations", "Scales of weights", "Scale", "MACs",
    "Flash bytes",
)  # fmt: skip
_WORDS = 6


def weight_of(quantized: Quantized, node: Node) -> QParams | None:
    """The encoding of a node's constant weights, if it has any."""
    index = getattr(node.op, "weight", None)
    name = "" if index is None else node.inputs[index]
    return quantized.plan.qparams[name] if name in quantized.graph.consts else None


def layers(manifest: Mapping[str, Any], quantized: Quantized) -> Section:
    """The nodes of the float network in their order, with their encodings."""
    costs = _costs(manifest, quantized)
    rows = [_row(quantized, node, costs.get(node.name)) for node in quantized.graph.nodes]
    said = (
        "A dash in the last columns: no kernel of its own. It is part of another's, another name for the same "
        "bytes, or runs in one loop with others."
    )
    return Section("layers", "Layers", [Table("All layers in their order", COLUMNS, rows, _WORDS), Text(said)])


def _row(quantized: Quantized, node: Node, cost: tuple[int, int] | None) -> tuple[str, ...]:
    weight, output = weight_of(quantized, node), quantized.plan.qparams[node.outputs[0]]
    shape = " × ".join(map(str, quantized.graph.types[node.outputs[0]].shape[1:]))
    return (
        node.source or node.name,
        node.kind,
        shape,
        *(("–", "–") if weight is None else (numbers(weight), granularity(weight))),
        activations(output),
        "–" if weight is None else scale_range(weight),
        scale_range(output),
        *(count(value) for value in cost or (None, None)),
    )


def _costs(manifest: Mapping[str, Any], quantized: Quantized) -> dict[str, tuple[int, int]]:
    """By node the multiply-accumulates and the bytes of constants of its kernel calls."""
    named = {node.name: node.name for node in quantized.graph.nodes}
    # Parts of a layer have names of their own, and the layer's source.
    sourced = {node.source: node.name for node in reversed(quantized.graph.nodes)}
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in manifest["layers"]:
        owner = named.get(row["name"], sourced.get(row["source"]))
        if owner is not None:
            found[owner].append((int(row["macs"]), int(row["const_bytes"])))
    return {name: (sum(m for m, _ in parts), sum(b for _, b in parts)) for name, parts in found.items()}
