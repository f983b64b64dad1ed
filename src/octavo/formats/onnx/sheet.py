"""An ONNX graph being written: nodes, initializers, and the values of our graph in ONNX's axis order.

Every value of rank 4 is kept channels first ([N, C, H, W]); every other rank keeps our order. So a CNN is written
without a transpose, and only operators that look across axes (reshape, matrix products) need one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import PerChannel
from octavo.ops.linear import bias_scale, half_bias, quantize_bias

__all__ = ["Sheet", "axis_order", "is_trivial"]


def axis_order(rank: int) -> tuple[int, ...]:
    """Our axis behind each ONNX axis."""
    return (0, 3, 1, 2) if rank == 4 else tuple(range(rank))


def is_trivial(shape: Sequence[int], perm: Sequence[int]) -> bool:
    """Whether transposing ``shape`` by ``perm`` leaves the elements in their order."""
    moving = [axis for axis in perm if shape[axis] != 1]
    return moving == sorted(moving)


class Sheet:
    """Collects what is written; ``names`` maps our values to the ONNX names that consumers read.

    Without ``quantized`` everything is float: constants as they are, activations without an encoding.
    """

    def __init__(self, graph: Graph, quantized: Quantized | None = None) -> None:
        self.quantized = quantized
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.names: dict[str, str] = {}
        self._taken: set[str] = {*self.graph.inputs, *self.graph.outputs}
        self._dequantized: dict[tuple[object, ...], str] = {}

    def fresh(self, hint: str) -> str:
        """A name not taken yet."""
        name, count = hint, 0
        while name in self._taken:
            count += 1
            name = f"{hint}_{count}"
        self._taken.add(name)
        return name

    def constant(self, array: Array, hint: str) -> str:
        """An initializer."""
        name = self.fresh(hint)
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def put(self, op_type: str, inputs: Sequence[str], hint: str, **attributes: Any) -> str:
        """A node with one output, whose name is made from ``hint``."""
        output = self.fresh(hint)
        self.put_as(op_type, inputs, output, **attributes)
        return output

    def put_as(self, op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """A node whose output has exactly this name."""
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=f"{output}:{op_type}", **attributes))

    def transpose(self, name: str, perm: Sequence[int], hint: str) -> str:
        """``name`` with its axes reordered; itself when the order stays."""
        if tuple(perm) == tuple(range(len(perm))):
            return name
        return self.put("Transpose", [name], f"{hint}.transposed", perm=list(perm))

    def encode(self, name: str, hint: str) -> str:
        """``name`` with the encoding of our activation ``hint``; itself where everything is float.

        QuantizeLinear and DequantizeLinear, for float16 a Cast there and back. What QuantizeLinear would not clamp, a
        Clip does before.
        """
        if self.quantized is None:
            return name
        encoding = self.quantized.plan.qparams[hint]
        if encoding.narrow:
            ends = encoding.dequantize(np.array(encoding.limits)).astype(np.float32)
            limits = [
                self.constant(end.reshape(()), f"{hint}.{side}")
                for end, side in zip(ends, ("low", "high"), strict=True)
            ]
            name = self.put("Clip", [name, *limits], f"{hint}.clipped")
        if encoding.dtype == "float16":
            return self._as_float(self.put("Cast", [name], f"{hint}.float16", to=TensorProto.FLOAT16), hint)
        parameters = [
            self.constant(encoding.scale.reshape(()), f"{hint}.scale"),
            self.constant(encoding.zero_point.astype(encoding.dtype).reshape(()), f"{hint}.zero_point"),
        ]
        quantized = self.put("QuantizeLinear", [name, *parameters], f"{hint}.quantized")
        return self.put("DequantizeLinear", [quantized, *parameters], f"{hint}.dequantized")

    def value(self, name: str) -> str:
        """A value as consumers read it: an activation, or a constant in ONNX's axis order."""
        if not self.graph.is_const(name):
            return self.names[name]
        return self.weights(name, axis_order(self.graph.consts[name].ndim))

    def channels_last(self, name: str) -> str:
        """A value in our own axis order."""
        if self.graph.is_const(name):
            return self.weights(name, tuple(range(self.graph.consts[name].ndim)))
        order = axis_order(len(self.graph.types[name].shape))
        return self.transpose(self.names[name], np.argsort(order).tolist(), name)

    def weights(self, name: str, perm: Sequence[int], shape: Sequence[int] | None = None) -> str:
        """A constant, transposed by ``perm`` (then reshaped, if per tensor); a node dequantizes a quantized one."""
        key = ("weights", name, tuple(perm), None if shape is None else tuple(shape))
        if key not in self._dequantized and self.quantized is None:
            array = self.graph.consts[name].transpose(perm).astype(np.float32)
            self._dequantized[key] = self.constant(array if shape is None else array.reshape(tuple(shape)), name)
        if key not in self._dequantized:
            assert self.quantized is not None
            encoding = self.quantized.plan.qparams[name]
            integers = self.quantized.integers(name).transpose(perm)
            integers = integers if shape is None else integers.reshape(tuple(shape))
            if encoding.dtype == "float16":
                self._dequantized[key] = self._as_float(self.constant(integers, f"{name}.float16"), name)
                return self._dequantized[key]
            scale, zero, axis = encoding.scale, encoding.zero_point, {}
            if isinstance(encoding.granularity, PerChannel):
                axis = {"axis": list(perm).index(encoding.granularity.axis)}
            else:
                scale = scale.reshape(())
            self._dequantized[key] = self._dequantize(
                integers, scale, zero.astype(encoding.dtype).reshape(scale.shape), name, axis
            )
        return self._dequantized[key]

    def bias(self, node: Node) -> str:
        """The bias of a convolution or fully connected layer; an int32 one is dequantized by a node."""
        name = node.inputs[2]
        if self.quantized is None:
            return self.weights(name, (0,))
        x, w = (self.quantized.plan.qparams[value] for value in node.inputs[:2])
        if x.dtype == "float16":
            return self.constant(half_bias(self.quantized.bias(name)).astype(np.float32), name)
        integers = quantize_bias(self.quantized.bias(name), x, w, node.source or node.name)
        scale = bias_scale(x, w).astype(np.float32)
        axis = {"axis": 0} if scale.size > 1 else {}
        scale = scale if scale.size > 1 else scale.reshape(())
        return self._dequantize(integers, scale, np.zeros(scale.shape, np.int32), name, axis)

    def _as_float(self, name: str, hint: str) -> str:
        return self.put("Cast", [name], f"{hint}.float32", to=TensorProto.FLOAT)

    def _dequantize(self, integers: Array, scale: Array, zero: Array, hint: str, axis: dict[str, int]) -> str:
        inputs = [
            self.constant(integers, f"{hint}.quantized"),
            self.constant(scale.astype(np.float32), f"{hint}.scale"),
            self.constant(zero, f"{hint}.zero_point"),
        ]
        return self.put("DequantizeLinear", inputs, f"{hint}.dequantized", **axis)
