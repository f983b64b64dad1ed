"""What a converter sees of one aten call: its arguments by name, activations as values of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Array
from octavo.ops import Op, Reshape, Transpose

__all__ = ["Call", "Value", "channels_first", "channels_last", "inverse", "pair", "refuse_batch", "spatial"]


@dataclass(frozen=True)
class Value:
    """An activation: a value of the graph, in the axis order of the source.

    ``expanded`` is the larger shape that expand() gave it; arithmetic broadcasts it there, nothing is copied.
    """

    name: str
    expanded: tuple[int, ...] = ()


def inverse(perm: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes ``perm``."""
    return tuple(int(i) for i in np.argsort(perm))


def channels_last(rank: int) -> tuple[int, ...]:
    """Permutation from N C spatial to N spatial C."""
    return (0, *range(2, rank), 1)


def channels_first(rank: int) -> tuple[int, ...]:
    """Permutation from N spatial C to N C spatial."""
    return inverse(channels_last(rank))


@dataclass(frozen=True)
class Call:
    """One call to convert. ``arguments`` are by the names of the operator's schema, defaults filled in.

    ``names`` are the names of constant tensors by argument.
    """

    builder: GraphBuilder
    hint: str
    source: str
    target: str
    arguments: Mapping[str, Any]
    names: Mapping[str, str]

    @property
    def where(self) -> str:
        """The module path and the operator."""
        return f"{self.source} ({self.target})" if self.source else self.target

    def refuse(self, why: str, remedy: str) -> OctavoError:
        """The error that names this call."""
        return OctavoError(self.where, why, remedy)

    def arg(self, name: str, default: Any = None) -> Any:
        """An argument that is not a tensor."""
        value = self.arguments.get(name)
        return default if value is None else value

    def number(self, name: str, default: float = 0.0) -> float:
        """A number; a constant tensor of one element counts."""
        value = self.arg(name, default)
        if isinstance(value, Value):
            raise self.refuse(f"its {name} is computed from the input", f"Make {name} a constant.")
        return float(value)

    def given(self, name: str) -> bool:
        """Whether the argument is there."""
        return self.arguments.get(name) is not None

    def is_const(self, name: str) -> bool:
        """Whether the argument is a constant (tensor or number)."""
        return not isinstance(self.arguments.get(name), Value)

    def const(self, name: str) -> Array:
        """The constant tensor ``name`` as float64 or integers."""
        value = self.arguments.get(name)
        if value is None:
            raise self.refuse(f"has no {name}", "Export the model again.")
        if isinstance(value, Value):
            raise self.refuse(f"its {name} is computed from the model's input", f"Make {name} a parameter or buffer.")
        tensor = torch.as_tensor(value).detach().cpu()
        array: Array = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
        if not np.isfinite(array).all():
            raise OctavoError(
                self.names.get(name, self.where),
                f"holds NaN or Inf (used as {name} of {self.where})",
                "Repair or retrain the model: such a weight has no quantized form.",
            )
        return array

    def x(self, name: str = "self") -> str:
        """The graph's value of a tensor argument; a constant becomes one."""
        name = "input" if name == "self" and name not in self.arguments else name
        value = self.arguments.get(name)
        if not isinstance(value, Value):
            return self.constant(self.const(name), self.names.get(name, ""))
        if value.expanded:
            raise self.refuse("reads a computed tensor that was expanded", "Expand tensors in arithmetic only.")
        return value.name

    def broadcast(self, name: str) -> tuple[str, tuple[int, ...]]:
        """An activation that broadcasts, and the shape that it stands for."""
        value = self.arguments[name]
        return value.name, value.expanded or self.shape(value.name)

    def shape(self, value: str) -> tuple[int, ...]:
        """Shape of a value of the graph."""
        return self.builder.type(value).shape

    def constant(self, array: Array, name: str = "") -> str:
        """A float32 constant of the graph."""
        return self.builder.const(np.asarray(array).astype(np.float32), name or f"{self.hint}.const")

    def add(self, op: Op, inputs: Sequence[str], part: str = "") -> str:
        """A node of the graph; ``part`` names an intermediate step, the last step has none."""
        output = self.builder.add(op, inputs, f"{self.hint}.{part}" if part else self.hint, self.source or self.target)
        if self.shape(output)[:1] != (1,):
            raise refuse_batch(self)
        return output

    def transpose(self, value: str, perm: Sequence[int], part: str = "") -> str:
        """``value`` with its axes reordered."""
        return self.add(Transpose(tuple(perm)), [value], part)

    def axis(self, axis: int, rank: int) -> int:
        """A normalised axis that is not the batch."""
        if not -rank <= axis < rank:
            raise ValueError(f"axis {axis} is out of range for rank {rank}")
        if axis % rank == 0:
            raise refuse_batch(self)
        return axis % rank


def refuse_batch(call: Call) -> OctavoError:
    """The error for an operator that works along the batch."""
    return call.refuse(
        "it would mix the batch axis (axis 0) with other axes", "Keep axis 0 for the batch from input to output."
    )


def pair(values: Any, rank: int) -> tuple[int, int]:
    """(height, width) of an argument with one entry, or one a spatial axis; height is 1 in 1-D for a window.

    For paddings, put the 0 in place of that 1 yourself.
    """
    entries = [int(values)] if isinstance(values, int) else [int(v) for v in values]
    if len(entries) == 1:
        entries *= rank
    if len(entries) != rank or rank not in (1, 2):
        raise ValueError(f"{entries} does not have {rank} entries")
    return (1, entries[0]) if rank == 1 else (entries[0], entries[1])


def spatial(call: Call, x: str, apply: Callable[[str], str]) -> str:
    """``apply`` on the channels-last image of ``x`` (rank 3 or 4), its result back in the source's order.

    A signal [N, C, L] is an image of height 1.
    """
    shape = call.shape(x)
    if len(shape) not in (3, 4):
        raise call.refuse(f"its input has rank {len(shape)}", "Use signals [N, C, L] or images [N, C, H, W] here.")
    image = call.transpose(x, channels_last(len(shape)), "nhwc")
    if len(shape) == 4:
        return call.transpose(apply(image), channels_first(4))
    image = call.add(Reshape((1, 1, shape[2], shape[1])), [image], "image")
    out = apply(image)
    _, height, width, channels = call.shape(out)
    signal = call.add(Reshape((1, height * width, channels)), [out], "signal")
    return call.transpose(signal, channels_first(3))
