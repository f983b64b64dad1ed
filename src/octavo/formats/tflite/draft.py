"""A file that is being written: its tensors and operators, and the view that operator writers have of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from octavo.errors import OctavoError
from octavo.formats.tflite.assemble import OutOperator, OutTensor
from octavo.ir.graph import Array, Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams, integer_limits
from octavo.num.tables import activation_limits
from octavo.ops.base import Site
from octavo.ops.unary import NONE, Clip

__all__ = ["Draft", "Part"]

_INT16_VERSIONS = {
    "ADD": 3, "AVERAGE_POOL_2D": 3, "CONCATENATION": 3, "CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "FULLY_CONNECTED": 7,
    "LOGISTIC": 3, "MAX_POOL_2D": 3, "MEAN": 3, "MUL": 4, "PAD": 3, "PADV2": 3, "RELU": 3, "SOFTMAX": 3,
    "STRIDED_SLICE": 4, "SUB": 5, "TANH": 3, "TRANSPOSE": 4,
}  # fmt: skip
"""The first version of each operator that takes int16 (TensorFlow's op_version.cc), where it is not the int8 one."""
_FUSED = {0: NONE, 1: Clip(0.0), 2: Clip(-1.0, 1.0), 3: Clip(0.0, 6.0)}


@dataclass(frozen=True)
class Draft:
    """Tensors and operators so far; ``index`` finds the tensor of a graph value."""

    quantized: Quantized
    tensors: list[OutTensor] = field(default_factory=list)
    operators: list[OutOperator] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)

    def add(self, tensor: OutTensor) -> int:
        """Add a tensor and return its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def value(self, name: str) -> int:
        """The tensor of an activation or of a constant with an encoding."""
        if name not in self.index:
            graph, params = self.quantized.graph, self.quantized.plan.qparams[name]
            shape, data = graph.types[name].shape, self.quantized.integers(name) if name in graph.consts else None
            self.index[name] = self.add(OutTensor(name, shape, params.dtype.upper(), data, params))
        return self.index[name]


@dataclass(frozen=True)
class Part:
    """One node of the graph while it is written; ``written`` is the tensor that takes its output unclamped, if any."""

    draft: Draft
    node: Node
    written: int | None = None

    @property
    def op(self) -> Any:
        """The node's operator."""
        return self.node.op

    @property
    def site(self) -> Site:
        """The node as lowering sees it."""
        return Site(self.node, self.draft.quantized)

    def refuse(self, why: str, remedy: str) -> OctavoError:
        """An error that names the node."""
        return OctavoError(self.node.source or self.node.name, f"TensorFlow Lite export: {why}", remedy)

    def x(self, position: int = 0) -> int:
        """The tensor of an input."""
        return self.draft.value(self.node.inputs[position])

    def y(self) -> int:
        """The tensor that the operator writes: the output, unless it is clamped afterwards."""
        return self.draft.value(self.node.outputs[0]) if self.written is None else self.written

    def inner(self, suffix: str, shape: Sequence[int], type: str, params: QParams | None = None) -> int:
        """A tensor between two operators of this node."""
        return self.draft.add(OutTensor(f"{self.node.name}/{suffix}", tuple(shape), type, None, params))

    def const(self, suffix: str, array: Array, params: QParams | None = None) -> int:
        """A constant of this node."""
        type_name = str(array.dtype).upper()
        return self.draft.add(OutTensor(f"{self.node.name}/{suffix}", array.shape, type_name, array, params))

    def ints(self, suffix: str, values: Sequence[int] | Sequence[Sequence[int]]) -> int:
        """A constant of int32."""
        return self.const(suffix, np.array(values, dtype=np.int32))

    def emit(self, kind: str, version: int, inputs: Sequence[int], output: int, options_type: str = "",
             **options: Any) -> None:  # fmt: skip
        """Add an operator; ``version`` is that of int8."""
        if self.draft.tensors[output].type == "INT16":
            version = max(version, _INT16_VERSIONS.get(kind, version))
        self.draft.operators.append(OutOperator(kind, version, tuple(inputs), (output,), options_type, options))

    def fused(self) -> int:
        """The code of the fused activation that clamps to the same integers as the operator's own.

        Of an output that is clamped afterwards: the one that leaves least to do.
        """
        wanted, found = self._ends(self.op.activation), self._codes()
        if self.site.y().narrow:
            return min(found, key=lambda code: (_left(found[code], wanted), code))
        for code, ends in found.items():
            if ends == wanted:
                return code
        clip = self.op.activation
        raise self.refuse(
            f"the activation clips to [{clip.minimum}, {clip.maximum}], for which there is no fused activation",
            "Use ReLU, ReLU6 or a range that the output's encoding already ends at.",
        )

    def left(self) -> tuple[int | None, int | None]:
        """The lower and the upper end to which the output must be clamped once it is written."""
        y = self.site.y()
        if not y.narrow or not self.op.clamps:
            return None, None
        low, high = wanted = self._ends(getattr(self.op, "activation", NONE))
        kernel = self._codes()[self.fused()] if hasattr(self.op, "activation") else integer_limits(y.dtype)
        return low if kernel[0] < wanted[0] else None, high if kernel[1] > wanted[1] else None

    def _codes(self) -> dict[int, tuple[int, int]]:
        """The ends that the kernels of TensorFlow Lite give each fused activation."""
        y = self.site.y()
        whole = integer_limits(y.dtype)
        return {
            code: activation_limits(clip.minimum, clip.maximum, y.scale[0], int(y.zero_point[0]), whole)
            for code, clip in _FUSED.items()
        }

    def _ends(self, clip: Clip) -> tuple[int, int]:
        y = self.site.y()
        return activation_limits(clip.minimum, clip.maximum, y.scale[0], int(y.zero_point[0]), y.limits)


def _left(ends: tuple[int, int], wanted: tuple[int, int]) -> float:
    """How many ends are still to be clamped; a kernel that clamps more than wanted is no use."""
    if ends[0] > wanted[0] or ends[1] < wanted[1]:
        return math.inf
    return (ends[0] < wanted[0]) + (ends[1] > wanted[1])
