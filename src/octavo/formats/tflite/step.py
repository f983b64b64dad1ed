"""The state of one import and the view that operator readers have of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from octavo.errors import OctavoError
from octavo.formats.tflite.parse import DAMAGED, TfModel, TfOperator, TfTensor
from octavo.formats.tflite.schema import dtype_of
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Array
from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.ops import Op
from octavo.ops.base import Fixed, Share

__all__ = ["Reading", "Step", "constant", "encoding"]

MAX_INDICES = 64
_REMEDIES = {
    "UINT8": "Convert the model again with int8 as its integer type; uint8 is supported as input and output type only.",
    "INT16": "Convert the model with int8 activations (16x8 quantization is not supported), or import the float model.",
    "FLOAT32": "Convert the model with full integer quantization, or import the float model and quantize it here.",
    "INT4": "Convert the model with int8 weights.",
}


@dataclass(frozen=True)
class Reading:
    """What is known so far: tensors as graph values, constants computed on the way, encodings by value."""

    file: str
    model: TfModel
    builder: GraphBuilder
    quantized: bool
    names: dict[int, str] = field(default_factory=dict)
    folded: dict[int, Array] = field(default_factory=dict)
    computed: set[int] = field(default_factory=set)
    qparams: dict[str, QParams] = field(default_factory=dict)
    decoded: dict[str, int] = field(default_factory=lambda: {"bytes": 0})
    budget: int = 2**32


def encoding(tensor: TfTensor, where: str) -> QParams:
    """The encoding that the file gives an int8 tensor."""
    if tensor.type != "INT8" or not tensor.quantized:
        why = f"tensor {tensor.name[:80]} is {tensor.type}" + ("" if tensor.quantized else " without a scale")
        raise OctavoError(where, f"{why}, int8 with an encoding is needed", _REMEDIES.get(tensor.type, DAMAGED))
    granularity = PerTensor() if tensor.scale.size == 1 else PerChannel(tensor.axis)
    try:
        return QParams("int8", tensor.scale, tensor.zero_point, granularity)
    except OctavoError as error:
        raise OctavoError(where, f"tensor {tensor.name[:80]}: {error.why}", DAMAGED) from error


def constant(reading: Reading, index: int, where: str) -> Array:
    """The stored numbers of a constant tensor."""
    if index in reading.folded:
        return reading.folded[index]
    tensor = reading.model.tensors[index]
    dtype = dtype_of(tensor.type)
    if tensor.data is None or dtype is None:
        why = f"tensor {tensor.name[:80]} ({tensor.type}) is not a constant that can be read"
        raise OctavoError(where, why, _REMEDIES.get(tensor.type, "Make it a constant of a standard type."))
    expected = dtype.itemsize
    for size in tensor.shape:
        expected *= size
    if expected != tensor.data.size:
        why = f"tensor {tensor.name[:80]} has {tensor.data.size} bytes, its type and shape need {expected}"
        raise OctavoError(where, why, DAMAGED)
    reading.decoded["bytes"] += expected
    if reading.decoded["bytes"] > reading.budget:
        raise OctavoError(where, "the constants overlap beyond what is plausible", DAMAGED)
    array = tensor.data.view(dtype) if tensor.data.ctypes.data % dtype.itemsize == 0 else None
    if array is None:
        array = np.frombuffer(tensor.data.tobytes(), dtype)
    return array.reshape(tensor.shape)


@dataclass(frozen=True)
class Step:
    """One operator while it is read: its inputs as values or constants, and ways to add to the graph."""

    reading: Reading
    operator: TfOperator

    @property
    def where(self) -> str:
        """The place for errors: file, operator, first output."""
        return f"{self.reading.file}: {self.source}"

    @property
    def source(self) -> str:
        """The operator in the user's terms."""
        name = self.reading.model.tensors[self.operator.outputs[0]].name.split(";")[0]
        return f"{self.operator.kind} {self.operator.index} ({name[:80]})"

    def refuse(self, why: str, remedy: str = DAMAGED) -> OctavoError:
        """An error that names this operator."""
        return OctavoError(self.where, why, remedy)

    def index(self, position: int) -> int:
        """Tensor index of an input."""
        if not self.has(position):
            raise self.refuse(f"has no input {position}")
        return self.operator.inputs[position]

    def has(self, position: int) -> bool:
        """Whether that input is present."""
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def tensor(self, position: int) -> TfTensor:
        """The file's record of an input."""
        return self.reading.model.tensors[self.index(position)]

    def out(self, position: int = 0) -> TfTensor:
        """The file's record of an output."""
        return self.reading.model.tensors[self.operator.outputs[position]]

    def is_const(self, position: int) -> bool:
        """Whether an input is a constant (of the file, or folded)."""
        index = self.index(position)
        if index in self.reading.folded:
            return True
        return index not in self.reading.computed and self.reading.model.tensors[index].data is not None

    def array(self, position: int) -> Array:
        """The stored numbers of a constant input."""
        if not self.is_const(position):
            why = f"its input {position} ({self.tensor(position).name[:80]}) must be a constant"
            raise self.refuse(why, "Export the model with static shapes and constant parameters.")
        return constant(self.reading, self.index(position), self.where)

    def real(self, position: int) -> Array:
        """The real numbers that a constant input stands for, as float."""
        array, tensor = self.array(position), self.tensor(position)
        if array.dtype.kind == "f":
            return array.astype(np.float32) if array.dtype != np.float32 else array
        with np.errstate(over="ignore"):  # an overflow becomes Inf, which add_const refuses
            return encoding(tensor, self.where).dequantize(array).astype(np.float32)

    def ints(self, position: int) -> tuple[int, ...]:
        """A constant input as a short tuple of integers."""
        array = self.array(position)
        if array.dtype.kind != "i" or array.size > MAX_INDICES:
            raise self.refuse(f"its input {position} must be a few integers, not {array.dtype}{list(array.shape)}")
        return tuple(int(v) for v in array.reshape(-1))

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """The shape of an input."""
        name = self.reading.names.get(self.index(position))
        return self.reading.builder.type(name).shape if name is not None else self.array(position).shape

    def raw(self, position: int = 0) -> str:
        """The graph value of a computed input, whatever its type in the file."""
        index = self.index(position)
        if index not in self.reading.names:
            why = f"reads tensor {index} ({self.tensor(position).name[:80]}) before it is computed"
            raise self.refuse(why)
        return self.reading.names[index]

    def x(self, position: int = 0) -> str:
        """The graph value of an input, which must have the model's arithmetic type."""
        if self.is_const(position):
            return self.add_const(self.real(position), position)
        tensor, wanted = self.tensor(position), "INT8" if self.reading.quantized else "FLOAT32"
        if tensor.type != wanted:
            kind = "an int8" if self.reading.quantized else "a float"
            why = f"reads tensor {tensor.name[:80]} of type {tensor.type} in {kind} model"
            raise self.refuse(why, _REMEDIES.get(tensor.type, "Remove this part from the model before export."))
        return self.raw(position)

    def add_const(self, values: Array, position: int, hint: str = "") -> str:
        """Add a float constant that comes from input ``position``, with that input's encoding."""
        tensor = self.tensor(position)
        name = hint or tensor.name.split(";")[0][:80]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise self.refuse(
                f"tensor {tensor.name[:80]} holds NaN or Inf",
                "Repair or retrain the model: such a weight has no quantized form.",
            )
        value = self.reading.builder.const(values, name)
        if self.reading.quantized and tensor.type == "INT8":
            params = encoding(tensor, self.where)
            if params.per_channel and values.ndim != len(tensor.shape):
                raise self.refuse(f"tensor {tensor.name[:80]} is quantized per channel", "Quantize it per tensor.")
            self.reading.qparams[value] = params
        return value

    def option(self, name: str, default: int = 0) -> int:
        """An integer or boolean of the options table."""
        value = default if self.operator.options is None else getattr(self.operator.options, name)()
        return int(value)

    def real_option(self, name: str, default: float) -> float:
        """A float of the options table."""
        value = default if self.operator.options is None else float(getattr(self.operator.options, name)())
        if not np.isfinite(value):
            raise self.refuse(f"its attribute {name} is {value}")
        return value

    def emit(self, op: Op, inputs: Sequence[str], like: str) -> str:
        """Add an inner node whose output has the encoding of value ``like``."""
        return self._add(op, inputs, self.reading.qparams.get(like))

    def finish(self, op: Op, inputs: Sequence[str], output: int = 0) -> None:
        """Add the node that computes an output of the operator."""
        self.bind(self._add(op, inputs, self.out_encoding(output), output), output)

    def out_encoding(self, output: int = 0) -> QParams | None:
        """The file's encoding of an output (None in a float model)."""
        tensor = self.out(output)
        if not self.reading.quantized:
            if tensor.type != "FLOAT32":
                why = f"computes tensor {tensor.name[:80]} of type {tensor.type} in a float model"
                raise self.refuse(why, _REMEDIES.get(tensor.type, "Remove this part from the model before export."))
            return None
        params = encoding(tensor, self.where)
        if params.per_channel:
            raise self.refuse(f"tensor {tensor.name[:80]} is an activation quantized per channel")
        return params

    def bind(self, value: str, output: int = 0) -> None:
        """Say that ``value`` is an output of the operator; its shape must be the one in the file."""
        tensor, shape = self.out(output), self.reading.builder.type(value).shape
        same = len(shape) == len(tensor.shape) and all(
            d == e or free for d, e, free in zip(shape, tensor.shape, tensor.dynamic, strict=True)
        )
        if tensor.shape and not same:
            raise self.refuse(f"gives the shape {list(shape)}, the file says {list(tensor.shape)}")
        self.reading.names[self.operator.outputs[output]] = value

    def fold(self, array: Array, output: int = 0) -> None:
        """Say that an output is a constant."""
        self.reading.folded[self.operator.outputs[output]] = array

    def _add(self, op: Op, inputs: Sequence[str], params: QParams | None, output: int = 0) -> str:
        hint = self.out(output).name.split(";")[0][:80]
        value = self.reading.builder.add(op, inputs, hint, self.source)
        if self.reading.quantized and params is not None:
            self._check(op, inputs, params)
            self.reading.qparams[value] = params
        return value

    def _check(self, op: Op, inputs: Sequence[str], params: QParams) -> None:
        """Refuse encodings that the integer kernels do not honour."""
        demand = op.constraint()
        remedy = "Convert the model with a current TensorFlow Lite converter, or import the float model."
        if isinstance(demand, Fixed):
            wanted = QParams("int8", np.array(demand.scale, np.float32), np.array(demand.zero_point))
            if params != wanted:
                why = f"its output {_text(params)} must have {_text(wanted)}"
                raise self.refuse(why, remedy)
        if isinstance(demand, Share):
            positions = range(len(inputs)) if demand.inputs == (-1,) else demand.inputs
            for position in positions:
                theirs = self.reading.qparams.get(inputs[position])
                if theirs != params:
                    why = f"its input {inputs[position]} ({_text(theirs)}) and output ({_text(params)}) must share one"
                    raise self.refuse(f"{why} encoding", remedy)


def _text(params: QParams | None) -> str:
    return "no encoding" if params is None else f"scale {params.scale[0]:.8g}, zero point {int(params.zero_point[0])}"
