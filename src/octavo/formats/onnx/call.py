"""What a converter sees of one ONNX node: its attributes, its inputs as values of the graph or as constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from octavo.errors import OctavoError
from octavo.formats.onnx.proto import Operation, describe
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Array
from octavo.ops import Op, Reshape, Transpose

__all__ = ["Call", "channels_first", "channels_last", "inverse", "refuse_batch", "spatial"]

_BATCH = "it would mix the batch axis (axis 0) with other axes"
_BATCH_REMEDY = "Keep axis 0 for the batch from input to output, and export the model with a batch of 1."


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
    """One node to convert. ``values`` are activations by their ONNX name, ``consts`` the constants known so far."""

    builder: GraphBuilder
    operation: Operation
    opset: int
    values: Mapping[str, str]
    consts: Mapping[str, Array]

    @property
    def hint(self) -> str:
        """Name of the first output that is used."""
        return next(filter(None, self.operation.outputs))

    def refuse(self, why: str, remedy: str) -> OctavoError:
        """The error that names this node."""
        return OctavoError(self.operation.where, why, remedy)

    def given(self, index: int) -> bool:
        """Whether the optional input ``index`` is there."""
        return index < len(self.operation.inputs) and self.operation.inputs[index] != ""

    def is_const(self, index: int) -> bool:
        """Whether input ``index`` is there and constant."""
        return self.given(index) and self.operation.inputs[index] in self.consts

    def const(self, index: int, what: str) -> Array:
        """The constant at input ``index``."""
        if not self.given(index):
            raise self.refuse(f"has no {what}", "Export the model again; the node is incomplete.")
        name = self.operation.inputs[index]
        if name not in self.consts:
            raise self.refuse(
                f"its {what} ({describe(name)}) is computed from the model's input",
                f"Make the {what} a constant of the model before export.",
            )
        return self.consts[name]

    def optional(self, index: int, what: str) -> Array | None:
        """The constant at input ``index``, or None when it is left out."""
        return self.const(index, what) if self.given(index) else None

    def whole(self, index: int, what: str) -> tuple[int, ...] | None:
        """An optional constant list of integers."""
        array = self.optional(index, what)
        if array is None:
            return None
        if array.dtype.kind not in "iu":
            raise ValueError(f"{what} must be integers")
        return tuple(int(v) for v in array.ravel())

    def x(self, index: int = 0) -> str:
        """The graph's value at input ``index``; a constant becomes a value of the graph."""
        if not self.given(index):
            raise self.refuse(f"has no input {index}", "Export the model again; the node is incomplete.")
        name = self.operation.inputs[index]
        return self.values[name] if name in self.values else self.constant(self.consts[name], name)

    def shape(self, value: str) -> tuple[int, ...]:
        """Shape of a value of the graph."""
        return self.builder.type(value).shape

    def constant(self, array: Array, name: str = "") -> str:
        """A float32 constant of the graph."""
        with np.errstate(all="ignore"):
            floats = np.asarray(array).astype(np.float32)
        return self.builder.const(floats, name or f"{self.hint}.const")

    def name_of(self, index: int) -> str:
        """ONNX name of input ``index``."""
        return self.operation.inputs[index]

    def add(self, op: Op, inputs: Sequence[str], part: str = "") -> str:
        """A node of the graph; ``part`` names an intermediate step, the last step has none."""
        hint = f"{self.hint}.{part}" if part else self.hint
        output = self.builder.add(op, inputs, hint, self.operation.where)
        if self.shape(output)[:1] != (1,):
            raise refuse_batch(self)
        return output

    def transpose(self, value: str, perm: Sequence[int], part: str = "") -> str:
        """``value`` with its axes reordered; nothing is added when the order stays."""
        if tuple(perm) == tuple(range(len(perm))) and part:
            return value
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
    return call.refuse(_BATCH, _BATCH_REMEDY)


def spatial(call: Call, x: str, apply: Callable[[str], str]) -> str:
    """``apply`` on the channels-last image of ``x`` (rank 3 or 4), its result back in ONNX order.

    A signal [N, C, L] is an image of height 1.
    """
    shape = call.shape(x)
    if len(shape) not in (3, 4):
        raise call.refuse(
            f"its input has rank {len(shape)}", "Use 1-D signals [N, C, L] or 2-D images [N, C, H, W] here."
        )
    image = call.transpose(x, channels_last(len(shape)), "nhwc")
    if len(shape) == 4:
        return call.transpose(apply(image), channels_first(4))
    image = call.add(Reshape((1, 1, shape[2], shape[1])), [image], "image")
    out = apply(image)
    _, height, width, channels = call.shape(out)
    signal = call.add(Reshape((1, height * width, channels)), [out], "signal")
    return call.transpose(signal, channels_first(3))
