"""Builds a Graph node by node: unique names, inferred types, errors that name the user's node."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node, Operator, TensorType

__all__ = ["MAX_ELEMENTS", "GraphBuilder"]

MAX_ELEMENTS = 2**28
_ILLEGAL = re.compile(r"[^A-Za-z0-9_./]+")


class GraphBuilder:
    """Collects values and nodes in topological order; ``finish`` gives the Graph.

    Example::

        b = GraphBuilder("net")
        x = b.input("image", TensorType((1, 32, 32, 3)))
        y = b.add(Conv2D(padding=(1, 1, 1, 1)), [x, b.const(w, "w"), b.const(bias, "b")], "conv", "layer1.conv")
        graph = b.finish([y])
    """

    def __init__(self, name: str) -> None:
        self._name = _ILLEGAL.sub("_", name) or "model"
        self._inputs: list[str] = []
        self._nodes: list[Node] = []
        self._types: dict[str, TensorType] = {}
        self._consts: dict[str, Array] = {}
        self._layouts: dict[str, tuple[int, ...]] = {}
        self._counts: dict[str, int] = {}

    def _fresh(self, hint: str) -> str:
        base = _ILLEGAL.sub("_", hint).strip("_./") or "value"
        count = self._counts.get(base, 0)
        name = base if count == 0 else f"{base}_{count}"
        while name in self._types:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count + 1
        return name

    def input(self, hint: str, type: TensorType) -> str:
        """Declare a graph input; axis 0 is the batch and must be 1."""
        if not type.shape or type.shape[0] != 1 or min(type.shape) < 1 or type.size > MAX_ELEMENTS:
            raise OctavoError(
                f"input {hint}",
                f"shape {list(type.shape)} is not legal: axis 0 must be a batch of 1, the others positive and bounded",
                "Export the model with a batch of 1 (or a dynamic batch axis) and fixed other axes.",
            )
        name = self._fresh(hint)
        self._types[name] = type
        self._inputs.append(name)
        return name

    def const(self, array: Array, hint: str) -> str:
        """Add a constant; float constants become float32 unless float64, and must be finite."""
        array = np.array(array, copy=True)
        if array.dtype.kind == "f":
            if array.dtype != np.float64:
                array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise OctavoError(
                    f"constant {hint}",
                    "holds NaN or Inf",
                    "Repair or retrain the model: such a weight has no quantized form.",
                )
        name = self._fresh(hint)
        array.setflags(write=False)
        self._consts[name] = array
        self._types[name] = TensorType(tuple(int(d) for d in array.shape), str(array.dtype))
        return name

    def add(self, op: Operator, inputs: Sequence[str], hint: str, source: str = "") -> str:
        """Append a node with one output and return the output's name."""
        where = source or hint
        try:
            outputs = op.infer([self._types[value] for value in inputs])
        except ValueError as error:
            remedy = "Check the model with the framework that wrote it, or restructure this operator."
            raise OctavoError(where, f"{type(op).__name__} is not legal here: {error}", remedy) from error
        (output,) = outputs
        if min(output.shape, default=1) < 1 or output.size > MAX_ELEMENTS:
            raise OctavoError(where, f"its output {output} is empty or too large", "Check the input's size.")
        name = self._fresh(hint)
        self._types[name] = output
        self._nodes.append(Node(name, op, tuple(inputs), (name,), source or name))
        return name

    def layout(self, name: str, perm: Sequence[int]) -> None:
        """Record that input ``name`` is the user's tensor transposed by ``perm``."""
        self._layouts[name] = tuple(perm)

    def type(self, name: str) -> TensorType:
        """Type of a value."""
        return self._types[name]

    def value(self, name: str) -> Array | None:
        """The constant of that name, or None when it is not a constant."""
        return self._consts.get(name)

    def finish(self, outputs: Sequence[str]) -> Graph:
        """The graph with these outputs."""
        return Graph(
            self._name,
            tuple(self._inputs),
            tuple(outputs),
            tuple(self._nodes),
            self._types,
            self._consts,
            self._layouts,
        )
