"""The one float executor. Observing, fake quantization and sensitivity are taps on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph

__all__ = ["Tap", "check_inputs", "float_run", "to_graph_layout", "to_user_layout"]

Tap = Callable[[str, torch.Tensor], torch.Tensor]


def check_inputs(graph: Graph, inputs: Mapping[str, Any]) -> int:
    """The number of samples in ``inputs``; OctavoError when a name is missing or a shape does not match."""
    count: int | None = None
    for name in graph.inputs:
        if name not in inputs:
            raise OctavoError(f"input {name}", f"is missing; got {sorted(inputs)}", "Give every input of the network.")
        shape, expected = tuple(inputs[name].shape), graph.types[name].shape
        if len(shape) != len(expected) or shape[1:] != expected[1:] or shape[0] < 1:
            raise OctavoError(
                f"input {name}",
                f"has shape {list(shape)}, the network takes [N, {', '.join(map(str, expected[1:]))}]",
                "Give samples as the network takes them, with the batch on axis 0.",
            )
        if count is not None and shape[0] != count:
            raise OctavoError(f"input {name}", f"has {shape[0]} samples, another input {count}", "Give equally many.")
        count = shape[0]
    return count or 0


def float_run(graph: Graph, inputs: Mapping[str, Any], tap: Tap | None = None) -> dict[str, torch.Tensor]:
    """Run the float graph and return its outputs by name.

    ``inputs`` are float tensors or arrays [N, ...] in the graph's own axis order. ``tap(name, tensor)`` is called on
    every value, constants included, and what it returns is used in its place. A value is freed after its last reader.
    """
    check_inputs(graph, inputs)
    values: dict[str, torch.Tensor] = {}
    device = next((x.device for x in inputs.values() if isinstance(x, torch.Tensor)), torch.device("cpu"))

    def put(name: str, tensor: torch.Tensor) -> None:
        values[name] = tensor if tap is None else tap(name, tensor)

    for name, array in graph.consts.items():
        dtype = np.float32 if array.dtype.kind == "f" else array.dtype
        put(name, torch.from_numpy(np.array(array, dtype=dtype)).to(device))
    for name in graph.inputs:
        put(name, torch.as_tensor(inputs[name], dtype=torch.float32, device=device))
    last_reader = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
    kept = set(graph.outputs)
    for index, node in enumerate(graph.nodes):
        op: Any = node.op
        put(node.outputs[0], op.eval_float(*(values[value] for value in node.inputs)))
        for value in set(node.inputs):
            if last_reader[value] == index and value not in kept:
                del values[value]
    return {name: values[name] for name in graph.outputs}


def to_graph_layout(graph: Graph, name: str, user: Array) -> Array:
    """The user's input array [N, ...] in the graph's axis order."""
    return user.transpose(graph.layouts[name]) if name in graph.layouts else user


def to_user_layout(graph: Graph, name: str, value: Array) -> Array:
    """The graph's output array [N, ...] in the user's axis order."""
    return value.transpose(graph.layouts[name]) if name in graph.layouts else value
