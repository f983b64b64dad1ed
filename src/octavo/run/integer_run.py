"""The integer executor: every operator's exact semantics, many samples at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from octavo.ir.graph import Graph
from octavo.run.float_run import check_inputs

__all__ = ["integer_run"]


def integer_run(
    graph: Graph, inputs: Mapping[str, Any], watch: Callable[[str, torch.Tensor], None] | None = None
) -> dict[str, torch.Tensor]:
    """Run the integer graph and return its outputs by name.

    ``inputs`` are integer tensors or arrays [N, ...] of the graph's dtypes. ``watch(name, tensor)`` sees every
    computed value.
    """
    check_inputs(graph, inputs)
    values = {name: torch.from_numpy(np.array(array)) for name, array in graph.consts.items()}
    for name in graph.inputs:
        given = inputs[name]
        values[name] = given if isinstance(given, torch.Tensor) else torch.from_numpy(np.array(given))
    last_reader = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
    kept = set(graph.outputs)
    for index, node in enumerate(graph.nodes):
        op: Any = node.op
        output = op.eval_int(*(values[value] for value in node.inputs))
        values[node.outputs[0]] = output
        if watch is not None:
            watch(node.outputs[0], output)
        for value in set(node.inputs):
            if last_reader[value] == index and value not in kept:
                del values[value]
    return {name: values[name] for name in graph.outputs}
