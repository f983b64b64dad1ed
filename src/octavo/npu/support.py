"""Whether a target runs a node, and if not, why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from octavo.ir.graph import Node, TensorType
from octavo.num.formats import Format
from octavo.ops import Conv2D, DepthwiseConv2D, FullyConnected, Mean, Op, Slice, TransposeConv2D, Unary
from octavo.ops.unary import Clip
from octavo.targets import Limits, Target

__all__ = ["CONVOLUTIONS", "LINEAR", "Support", "activation_name", "kernel_of"]

CONVOLUTIONS = Conv2D | DepthwiseConv2D | TransposeConv2D
LINEAR = CONVOLUTIONS | FullyConnected
_NAMES = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6", (-1.0, 1.0): "relu1"}

Types = Callable[[str], TensorType]


def activation_name(clip: Clip) -> str:
    """The name of a fused clip as targets have it; empty where nothing is clipped."""
    return "" if clip.is_none else _NAMES.get((clip.minimum, clip.maximum), "clip")


def kernel_of(op: Any, inputs: Sequence[TensorType]) -> tuple[int, int] | None:
    """(height, width) of a window, or None."""
    if isinstance(op, CONVOLUTIONS):
        return inputs[1].shape[1], inputs[1].shape[2]
    kernel: tuple[int, int] | None = getattr(op, "kernel", None)
    return kernel


@dataclass(frozen=True)
class Support:
    """A target and the number format in which it runs the network."""

    target: Target
    format: Format

    def limits(self, kind: str) -> Limits | None:
        """What an operator may be; None where the target does not have it."""
        accelerator = self.target.accelerator
        return None if accelerator is None else accelerator.operators.get(kind)

    def has(self, op: type[Op]) -> bool:
        """Whether the target has the operator at all, as it is or as a table."""
        accelerator = self.target.accelerator
        if accelerator is None:
            return True
        return op.__name__ in accelerator.operators or (issubclass(op, Unary) and self.tables)

    @property
    def tables(self) -> bool:
        """Whether a function of one number is a lookup: in int8, where the target has tables."""
        accelerator = self.target.accelerator
        return accelerator is not None and accelerator.tables and self.format.activations.dtype == "int8"

    def is_table(self, node: Node) -> bool:
        """Whether the node runs as a table for want of an operator of its own."""
        return isinstance(node.op, Unary) and self.limits(node.kind) is None and self.tables

    def reasons(self, node: Node, types: Types) -> list[str]:
        """Why the target does not run the node; nothing where it does."""
        assert isinstance(node.op, Op)
        inputs = [types(value) for value in node.inputs]
        if self.target.accelerator is None:
            return list(self._without_code(node.op, inputs))
        limits = self.limits(node.kind)
        if limits is None:
            return [] if self.is_table(node) else [f"{node.kind} is not among the target's operators"]
        return list(self._beyond(node.op, inputs, node.op.infer(inputs)[0], limits))

    def _without_code(self, op: Op, inputs: Sequence[TensorType]) -> Iterator[str]:
        """What Octavo's own C lacks."""
        dtype = self.format.activations.dtype
        half = dtype == "float16" and isinstance(op, Unary) and type(op).half is Unary.half
        wide = dtype == "int16" and not op.has_int16(inputs)
        if type(op).lower is Op.lower or half or wide:
            yield f"{type(op).__name__} has no {dtype} form"

    def _beyond(self, op: Op, inputs: Sequence[TensorType], output: TensorType, limits: Limits) -> Iterator[str]:
        if limits.formats and self.format.name not in limits.formats:
            yield f"the number format {self.format.name} is not among {', '.join(limits.formats)}"
        rank = len(inputs[0].shape)
        if limits.ranks and rank not in limits.ranks:
            yield f"its input has rank {rank}; allowed: {', '.join(map(str, limits.ranks))}"
        kernel = kernel_of(op, inputs)
        if kernel is not None:
            yield from _above("kernel", kernel, limits.kernel)
            if limits.square and (kernel[0] != kernel[1] or kernel[0] not in limits.square):
                allowed = ", ".join(f"{size} x {size}" for size in limits.square)
                yield f"kernel {kernel[0]} x {kernel[1]} is none of {allowed}"
        window = math.prod(inputs[0].shape[axis] for axis in op.axes) if isinstance(op, Mean) else 0
        window = math.prod(kernel) if kernel is not None else window
        if window > limits.window:
            yield f"takes {window:,} elements together, at most {limits.window:,} can be"
        for name in ("stride", "dilation"):
            given = getattr(op, name, None)
            if isinstance(op, Slice) and given is not None:
                given = (max(given[1:-1], default=1), given[-1])
            if given is not None:
                yield from _above(name, given, getattr(limits, name))
        if rank == 4:
            yield from _above("image", inputs[0].shape[1:3], limits.size)
        for name, type_ in (("in", inputs[0]), ("out", output)):
            channels = type_.shape[-1]
            if channels > limits.channels:
                yield f"{channels:,} channels {name}, at most {limits.channels:,} can be"
            if channels % limits.multiple:
                yield f"{channels:,} channels {name} are no multiple of {limits.multiple}"
        groups = getattr(op, "groups", 1)
        if groups > limits.groups:
            yield f"{groups} groups, at most {limits.groups} can be"
        if isinstance(op, DepthwiseConv2D) and output.shape[3] // inputs[0].shape[3] > limits.multiplier:
            yield f"{output.shape[3] // inputs[0].shape[3]} outputs a channel, at most {limits.multiplier} can be"
        activation = activation_name(getattr(op, "activation", Clip()))
        if activation and activation not in limits.activations:
            allowed = ", ".join(limits.activations) or "none"
            yield f"the fused activation {activation} is not among: {allowed}"


def _above(name: str, value: Sequence[int], limit: Sequence[int]) -> Iterator[str]:
    if value[0] > limit[0] or value[1] > limit[1]:
        yield f"{name} {value[0]} x {value[1]} is larger than {limit[0]} x {limit[1]}"
