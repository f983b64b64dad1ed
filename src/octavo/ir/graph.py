"""The one intermediate representation: a typed, static, single-assignment graph, channels last.

Axis 0 of every value that is not a constant is the batch; it is 1 in the types, and executors may run any number of
samples at once along it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Graph", "Moments", "Node", "Operator", "TensorType"]

Array = NDArray[Any]
Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Mean and standard deviation of each channel."""

DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64")


@dataclass(frozen=True)
class TensorType:
    """Shape (all dimensions known) and dtype of a value."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the value takes."""
        return self.size * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


class Operator(Protocol):
    """What the graph needs to know of an operator."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Types of the outputs; raises ValueError when the inputs are not legal."""
        ...


@dataclass(frozen=True)
class Node:
    """One operation. ``source`` names the node in the user's own file."""

    name: str
    op: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str = ""

    @property
    def kind(self) -> str:
        """The operator's class name."""
        return type(self.op).__name__


@dataclass(frozen=True)
class Graph:
    """Values by name, nodes in topological order.

    ``layouts`` says, for an input or output whose axes were reordered on import, the permutation between the user's
    order and the graph's: an input is ``user.transpose(layouts[name])``, an output is ``graph_value.transpose(...)``
    to get the user's order. A missing entry means the orders agree.

    ``moments`` are what training knew of linear layers' outputs before their activation, by the name of the layer's
    bias: a folded batch norm's mean and standard deviation. They leave with the bias.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    consts: Mapping[str, Array] = field(default_factory=dict)
    layouts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    moments: Mapping[str, Moments] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for attribute in ("types", "consts", "layouts"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))
        known = {name: pair for name, pair in self.moments.items() if name in self.consts}
        object.__setattr__(self, "moments", MappingProxyType(known))

    def producers(self) -> dict[str, Node]:
        """The node that defines each value."""
        return {output: node for node in self.nodes for output in node.outputs}

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each value, in order; every value has an entry."""
        readers: dict[str, list[Node]] = {name: [] for name in self.types}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers[value].append(node)
        return readers

    def activations(self) -> list[str]:
        """Values that depend on the input, in order of definition."""
        return [*self.inputs, *(output for node in self.nodes for output in node.outputs)]

    def is_const(self, value: str) -> bool:
        """Whether ``value`` is a constant."""
        return value in self.consts

    def with_(self, **changes: Any) -> Graph:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def __reduce__(self) -> Any:
        fields = ("name", "inputs", "outputs", "nodes")
        maps = (dict(self.types), dict(self.consts), dict(self.layouts), dict(self.moments))
        return Graph, (*(getattr(self, name) for name in fields), *maps)
