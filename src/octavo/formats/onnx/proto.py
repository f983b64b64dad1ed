"""ONNX files as plain Python: parsing, tensors and attributes, everything bounded and checked before it is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

from octavo.errors import OctavoError
from octavo.ir.graph import Array

__all__ = ["Operation", "decode_tensor", "describe", "dtype_name", "opset_of", "parse_model", "read_operation"]

_MAX_BYTES = 2**31 - 1
_MAX_RANK = 16
_DTYPES: Mapping[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.BOOL: "bool",
}
_FIELDS: Mapping[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}
_REEXPORT = "Export the model again; the file is damaged or was written by a faulty tool."


def describe(name: str | bytes) -> str:
    """A name that is safe to show: bounded and on one line. protobuf gives bytes for text that is not UTF-8."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    text = text if len(text) <= 80 else text[:77] + "..."
    return text if text.isprintable() else ascii(text)


def parse_model(path: Path) -> ModelProto:
    """The file as a message. Nothing in it has been checked yet."""
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MAX_BYTES:
            raise OctavoError(str(path), "is not a file of at most 2 GiB", "Name an .onnx file.")
        data = path.read_bytes()
    except OSError as error:
        raise OctavoError(str(path), f"cannot be read ({error.strerror})", "Check the path and its rights.") from error
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise OctavoError(str(path), "is not an ONNX model, or is truncated or damaged", _REEXPORT) from error
    if not model.HasField("graph"):
        raise OctavoError(str(path), "holds no ONNX graph", "Name an .onnx file that holds a model.")
    return model


def tensor_shape(tensor: TensorProto) -> tuple[int, ...]:
    """Declared dimensions, checked."""
    shape = tuple(int(d) for d in tensor.dims)
    if len(shape) > _MAX_RANK or min(shape, default=0) < 0 or math.prod(shape) > _MAX_BYTES:
        raise ValueError(f"tensor {describe(tensor.name)} declares the impossible shape {list(shape[:_MAX_RANK])}")
    return shape


def decode_tensor(tensor: TensorProto, folder: Path) -> Array:
    """Values of a tensor; ValueError when they do not agree with its declaration.

    External data is read only from files inside ``folder``.
    """
    label = describe(tensor.name) or "(unnamed)"
    shape = tensor_shape(tensor)
    if tensor.HasField("segment"):
        raise ValueError(f"tensor {label} is stored in segments, which is not supported")
    is_bfloat = tensor.data_type == TensorProto.BFLOAT16
    if not is_bfloat and tensor.data_type not in _DTYPES:
        raise ValueError(f"tensor {label} has the data type {dtype_name(tensor.data_type)}, which is not supported")
    dtype = np.dtype("uint16") if is_bfloat else np.dtype(_DTYPES[tensor.data_type])
    count = math.prod(shape)
    external = tensor.data_location == TensorProto.EXTERNAL
    if external or tensor.HasField("raw_data"):
        nbytes = count * dtype.itemsize
        raw = _external_bytes(tensor, folder, nbytes) if external else tensor.raw_data
        if len(raw) != nbytes:
            raise ValueError(f"tensor {label} of shape {list(shape)} holds {len(raw)} bytes, not {nbytes}")
        values = np.frombuffer(raw, dtype=dtype.newbyteorder("<")).astype(dtype)
    else:
        values = _typed_values(tensor, dtype, count, label)
    if is_bfloat:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(shape)


def _typed_values(tensor: TensorProto, dtype: np.dtype[Any], count: int, label: str) -> Array:
    source = getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data"))
    if len(source) != count:
        raise ValueError(f"tensor {label} holds {len(source)} values, its shape needs {count}")
    values = np.array(source)
    if tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
        return values.astype(np.uint16).view(dtype)
    return values.astype(dtype)


def _external_bytes(tensor: TensorProto, folder: Path, nbytes: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    label, location = describe(tensor.name), entries.get("location", "")
    root = folder.resolve()
    target = (root / location).resolve()
    if not location or "\0" in location or Path(location).is_absolute() or not target.is_relative_to(root):
        raise ValueError(f"tensor {label} keeps its data outside the model's folder ({describe(location)})")
    if not target.is_file():
        raise ValueError(f"tensor {label} keeps its data in {describe(location)}, which is missing")
    offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(nbytes)))
    if offset < 0 or length != nbytes or offset + length > target.stat().st_size:
        raise ValueError(f"tensor {label} wants {nbytes} bytes of {describe(location)}, which does not hold them")
    with target.open("rb") as file:
        file.seek(offset)
        data: bytes = file.read(length)
    return data


def dtype_name(data_type: int) -> str:
    """Name of a tensor element type for messages and checks."""
    known: Mapping[int, str] = {value: key for key, value in TensorProto.DataType.items()}
    return known.get(data_type, str(data_type))


@dataclass(frozen=True)
class Operation:
    """A node of the file: where it is, what it does, and its attributes with checked types."""

    where: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    folder: Path = Path()

    def _find(self, name: str, type_: int) -> AttributeProto | None:
        attribute = self.attributes.get(name)
        if attribute is not None and attribute.ref_attr_name:
            raise ValueError(f"attribute {name} refers to a function's attribute")
        if attribute is not None and attribute.type != type_:
            raise ValueError(f"attribute {name} has a wrong type")
        return attribute

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.attributes

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        attribute = self._find(name, AttributeProto.INT)
        return default if attribute is None else int(attribute.i)

    def number(self, name: str, default: float) -> float:
        """A finite float attribute."""
        attribute = self._find(name, AttributeProto.FLOAT)
        value = default if attribute is None else float(attribute.f)
        if math.isnan(value):
            raise ValueError(f"attribute {name} is NaN")
        return value

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        attribute = self._find(name, AttributeProto.STRING)
        return default if attribute is None else str(attribute.s.decode("utf-8"))

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        """A list of integers."""
        attribute = self._find(name, AttributeProto.INTS)
        if attribute is None:
            return None if default is None else tuple(default)
        return tuple(int(v) for v in attribute.ints)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """A list of floats."""
        attribute = self._find(name, AttributeProto.FLOATS)
        return None if attribute is None else tuple(float(v) for v in attribute.floats)

    def tensor(self, name: str) -> Array | None:
        """A tensor attribute."""
        attribute = self._find(name, AttributeProto.TENSOR)
        return None if attribute is None else decode_tensor(attribute.t, self.folder)


def read_operation(node: NodeProto, index: int, folder: Path) -> Operation:
    """A node's plain form; ``index`` names nodes that have neither name nor output."""
    outputs = tuple(node.output)
    label = node.name or next(filter(None, outputs), f"#{index}")
    domain = "" if node.domain == "ai.onnx" else node.domain
    where = f"{describe(node.op_type)} node {describe(label)}"
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if len(attributes) != len(node.attribute):
        raise OctavoError(where, "gives an attribute twice", _REEXPORT)
    return Operation(where, node.op_type, domain, tuple(node.input), outputs, attributes, folder)


def opset_of(model: ModelProto) -> int:
    """Version of the standard operator set, or an error when it is missing."""
    versions = [int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise OctavoError("model", "declares no ONNX operator set", _REEXPORT)
    return max(versions)
