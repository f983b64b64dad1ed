"""Layers that the user gives other numbers than the rest."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.num.formats import GRANULARITIES
from octavo.num.options import OPTIONS, find_options
from octavo.quant.quantize import Scheme
from octavo.targets import Target

__all__ = ["with_layers"]


def with_layers(graph: Graph, scheme: Scheme, layers: Mapping[str, str], target: Target) -> Scheme:
    """The scheme with a choice for some layers: by name or source, an option, a granularity, or both.

    Options are those of octavo.num.options: "int4", "16x8 per-tensor", "per-channel". OctavoError for a layer that is
    not there and for a choice that is unknown or that the target does not have.
    """
    chosen, wide = dict(scheme.layers), set(scheme.wide)
    for name, choice in layers.items():
        node = _layer(graph, name)
        weights, words = scheme.format.weights, choice.split()
        for kind in (set(GRANULARITIES), set(OPTIONS)):
            if len(kind.intersection(words)) > 1:
                raise OctavoError(
                    f"layer {name}", f"has two choices in {choice!r}", "Give one option, one granularity."
                )
        for word in sorted(words, key=lambda word: word in GRANULARITIES):
            if word in GRANULARITIES:
                weights = replace(weights, granularity=word)
            else:
                (option,) = find_options((word,), replace(scheme.format, weights=weights), target.formats)
                weights = replace(weights, bits=option.weights.bits)
                if option.activations == "int16":
                    wide.add(node.name)
        if not words:
            known = ", ".join((*GRANULARITIES, *OPTIONS))
            raise OctavoError(f"layer {name}", "has no choice", f"Use one of {known}, or a pair of them.")
        chosen[node.name] = weights
    return replace(scheme, layers=chosen, wide=frozenset(wide))


def _layer(graph: Graph, name: str) -> Node:
    found = [
        node
        for node in graph.nodes
        if name in (node.name, node.source) and getattr(node.op, "weight", None) is not None
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise OctavoError(f"layer {name}", "is not one layer but several", f"Use {', '.join(n.name for n in found)}.")
    layers = [node.name for node in graph.nodes if getattr(node.op, "weight", None) is not None]
    near = difflib.get_close_matches(name, layers, 3, 0.3) or layers[:3]
    raise OctavoError(
        f"layer {name}", "is none of the network's", f"Use a name as {', '.join(near)}; see octavo inspect."
    )
