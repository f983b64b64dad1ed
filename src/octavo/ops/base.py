"""What an operator is: attributes as dataclass fields, its facts as methods, all in one file an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.ir.plan import Quantized
from octavo.memory import Distance
from octavo.num.qparams import QParams, integer_limits

__all__ = [
    "Constraint",
    "Example",
    "Fixed",
    "Free",
    "IntegerOp",
    "Lowered",
    "Op",
    "Placeable",
    "RowForm",
    "Share",
    "Site",
]


@dataclass(frozen=True)
class Free:
    """The output has an encoding of its own."""


@dataclass(frozen=True)
class Share:
    """The output has the encoding of these inputs."""

    inputs: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Fixed:
    """The output's encoding is given by the operator; ``scale16`` is the scale of an int16 output (zero_point 0)."""

    scale: float
    zero_point: int
    scale16: float | None = None


Constraint = Free | Share | Fixed
Form = TypeVar("Form", bound="IntegerOp")
# Outside Site, whose method ``type`` hides the builtin.
FormClass = type[Form]


@dataclass(frozen=True)
class Example:
    """Arguments with which the standing tests try an operator: types of the inputs, and which of them are constants.

    ``consts`` gives the constant inputs by index; the other inputs are activations.
    """

    op: Any
    inputs: tuple[TensorType, ...]
    consts: Mapping[int, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Lowered:
    """The integer form of a node.

    ``values`` are its inputs: the node's own by index, constants by name; constants not named there follow in order.
    """

    op: IntegerOp
    values: tuple[int | str, ...]
    consts: Mapping[str, Array] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[int | str, ...]:
        """All inputs in order."""
        return (*self.values, *(name for name in self.consts if name not in self.values))


@dataclass(frozen=True)
class RowForm:
    """An integer operator for some rows of its output [N, H, W, C], without padding above and below.

    Row r of the output reads the rows of its images from ``stride`` * r - ``pad`` on, ``reach`` of them. ``outside`` is
    the value that rows beyond the image stand for; None where the operator has none.
    """

    op: IntegerOp
    reach: int = 1
    stride: int = 1
    pad: int = 0
    outside: int | None = None


@dataclass(frozen=True)
class Site:
    """A node with what lowering needs of its surroundings: the graph and the plan that goes with it."""

    node: Node
    quantized: Quantized

    @property
    def graph(self) -> Graph:
        """The float graph."""
        return self.quantized.graph

    @property
    def encodings(self) -> Mapping[str, QParams]:
        """Encodings by value."""
        return self.quantized.plan.qparams

    def type(self, index: int) -> TensorType:
        """Type of input ``index``."""
        return self.graph.types[self.node.inputs[index]]

    def out_type(self, index: int = 0) -> TensorType:
        """Type of output ``index``."""
        return self.graph.types[self.node.outputs[index]]

    def x(self, index: int = 0) -> QParams:
        """Encoding of input ``index``."""
        return self.encodings[self.node.inputs[index]]

    def y(self, index: int = 0) -> QParams:
        """Encoding of output ``index``."""
        return self.encodings[self.node.outputs[index]]

    def const(self, index: int) -> Array:
        """Float values of the constant input ``index``."""
        name = self.node.inputs[index]
        if name not in self.graph.consts:
            raise OctavoError(
                self.node.source or self.node.name,
                f"input {index} of {self.node.kind} must be a constant",
                "Make it a constant of the model before export.",
            )
        return self.graph.consts[name]

    def integers(self, index: int) -> Array:
        """The quantized values of the constant input ``index``."""
        self.const(index)
        return self.quantized.integers(self.node.inputs[index])

    def bias(self, index: int) -> Array:
        """The real values of the bias at input ``index``, as corrected."""
        self.const(index)
        return self.quantized.bias(self.node.inputs[index])

    def dtype(self) -> str:
        """The dtype that all activations of the node have; OctavoError when they differ."""
        moving = [name for name in (*self.node.inputs, *self.node.outputs) if not self.graph.is_const(name)]
        dtypes = sorted({self.encodings[name].dtype for name in moving})
        if len(dtypes) > 1:
            raise OctavoError(
                self.node.source or self.node.name,
                f"{self.node.kind} joins {' and '.join(dtypes)} activations",
                "Put a Requantize between layers of different dtypes.",
            )
        if dtypes == ["int16"] and any(np.any(self.encodings[name].zero_point != 0) for name in moving):
            raise OctavoError(
                self.node.source or self.node.name,
                "an int16 activation has a zero_point",
                "Quantize int16 activations symmetrically.",
            )
        return dtypes[0]

    def form(self, *forms: FormClass[Form]) -> FormClass[Form]:
        """The integer operator for the node's dtype; OctavoError when it is not among ``forms``."""
        dtype = self.dtype()
        for form in forms:
            if form.dtype == dtype:
                return form
        raise self.no_form()

    def no_form(self) -> OctavoError:
        """What is raised where the node has no operator of its dtype."""
        dtype = self.dtype()
        remedy = "Keep this layer int8." if dtype == "int16" else "Replace the layer, or take an integer format."
        return OctavoError(self.node.source or self.node.name, f"{self.node.kind} has no {dtype} form", remedy)


class Op:
    """A float operator on channels-last tensors. Subclasses are frozen dataclasses.

    ``weight`` and ``bias`` are the input indices of quantized parameters (None where there are none);
    ``channel_axis`` is the weight's output-channel axis.
    """

    weight: ClassVar[int | None] = None
    bias: ClassVar[int | None] = None
    channel_axis: ClassVar[int] = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Types of the outputs; raises ValueError when the inputs are not legal."""
        raise NotImplementedError(type(self).__name__)

    def eval_float(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The operator on float tensors whose axis 0 is a batch of any size. Differentiable."""
        raise NotImplementedError(type(self).__name__)

    def constraint(self) -> Constraint:
        """What the operator demands of its output's encoding."""
        return Free()

    @property
    def clamps(self) -> bool:
        """Whether the integers of the output end where its encoding says, which may be earlier than the dtype."""
        return hasattr(self, "activation")

    def has_int16(self, inputs: Sequence[TensorType]) -> bool:
        """Whether ``lower`` has an int16 form for inputs of these types."""
        return True

    def lower(self, site: Site) -> Lowered:
        """The integer operator with all its parameters."""
        raise NotImplementedError(type(self).__name__)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Multiply-accumulates of one sample."""
        return 0

    @classmethod
    def examples(cls) -> list[Example]:
        """Small cases for the standing tests."""
        return []


class IntegerOp:
    """An operator on integers or float16, exact in Python and in C. Subclasses are frozen dataclasses.

    The fields are ints, tuples of ints or floats and equal, in name and order, the fields of the C struct
    ``octavo_<kernel>_params``; the C function ``octavo_<kernel>(params, inputs..., outputs...)`` takes the node's
    inputs in order. ``dtype`` is that of its activations. ``alias`` operators copy nothing: the output is the input's
    memory. ``variadic`` operators take their activations as an array of pointers.
    """

    kernel: ClassVar[str]
    dtype: ClassVar[str] = "int8"
    alias: ClassVar[bool] = False
    variadic: ClassVar[bool] = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Types of the outputs; raises ValueError when the inputs are not legal."""
        raise NotImplementedError(type(self).__name__)

    def eval_int(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The exact integers; activations have a batch of any size on axis 0."""
        raise NotImplementedError(type(self).__name__)

    def clamped(self, x: torch.Tensor, low: int | None = None, high: int | None = None) -> torch.Tensor:
        """x between ``low`` and ``high`` (else the limits of the dtype), in the operator's dtype."""
        least, most = integer_limits(self.dtype)
        limited = x.clamp(least if low is None else low, most if high is None else high)
        return limited.to(getattr(torch, self.dtype))

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Multiply-accumulates of one sample."""
        return 0

    def alias_start(self) -> int:
        """Of an ``alias`` operator with one input: the element of it at which the output begins."""
        return 0

    def alias_starts(self, parts: Sequence[TensorType]) -> list[int]:
        """Of an ``alias`` operator with several inputs: the elements of the output at which they begin."""
        return list(accumulate((part.size for part in parts[:-1]), initial=0))

    def extent(self, output: TensorType) -> int:
        """Bytes from the first to the last byte of the output."""
        return output.nbytes

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """By index of an input, how near the output may come to it: what the kernel's order of access allows.

        ``consts`` are the node's constants in order. Inputs that are not named and the output are disjoint.
        """
        return {}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """The operator for ``rows`` of the ``height`` rows of its output, or None when it cannot run row by row."""
        return None

    def scratch(self) -> int:
        """Bytes of working memory that the kernel takes as its last argument; 0 for a kernel that takes none."""
        return 0

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Random legal cases for the standing tests."""
        return []


class Placeable(IntegerOp):
    """An operator whose output can be some channels of a larger one: its pixels begin ``out_stride`` elements apart."""

    out_stride: int

    def placed(self, stride: int) -> IntegerOp | None:
        """The operator for pixels so many elements apart; None where the kernel cannot."""
        return replace(self, out_stride=stride)  # type: ignore[type-var]

    def extent(self, output: TensorType) -> int:
        """Bytes from the first pixel to the end of the last; those of other channels lie in between."""
        channels = output.shape[-1]
        pixels = output.size // channels
        return (self.out_stride * (pixels - 1) + channels) * output.nbytes // output.size
