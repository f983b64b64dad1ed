"""What a layer costs: cycles of the multiplier array or a special unit, of memory, and energy. Estimates, by formula.

The array multiplies ``inputs`` channels of ``pixels`` pixels with the weights of ``outputs`` channels in a cycle, one
tap of the kernel after the other. A layer of ``groups`` groups of i inputs and o outputs each takes

    ceil(positions / pixels) * taps * ceil(groups / p) * ceil(i / inputs) * ceil(o / outputs)

cycles, where p = min(inputs // i, outputs // o), at least 1, are the groups that lie side by side in the array, with
zeros between them. A depthwise layer so keeps one multiplier in ``inputs`` busy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from octavo.ir.graph import Graph, Node
from octavo.npu.support import LINEAR, Support, kernel_of
from octavo.num.energy import mac_energy
from octavo.num.formats import Format
from octavo.ops import Conv2D, DepthwiseConv2D, FullyConnected, Identity, Mean, Op, Reshape, TransposeConv2D
from octavo.targets import Accelerator

__all__ = ["Cost", "Shape", "array_cycles", "bytes_of", "cost", "layer_shape"]

_BIAS_BYTES = {"int8": 4, "int16": 8, "float16": 2}
_TABLE_BYTES = 256


@dataclass(frozen=True)
class Shape:
    """A linear layer: places at which it computes, taps of its kernel, groups, channels of one group."""

    positions: int
    taps: int
    inputs: int
    outputs: int
    groups: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.positions * self.taps * self.inputs * self.outputs * self.groups


def layer_shape(graph: Graph, node: Node) -> Shape | None:
    """The shape of a linear layer, None for other nodes."""
    op = node.op
    if not isinstance(op, LINEAR):
        return None
    x, w = graph.types[node.inputs[0]].shape, graph.types[node.inputs[1]].shape
    y = graph.types[node.outputs[0]].shape
    if isinstance(op, FullyConnected):
        return Shape(math.prod(x[1:-1]), 1, x[-1], y[-1])
    taps = w[1] * w[2]
    if isinstance(op, TransposeConv2D):
        return Shape(x[1] * x[2], taps, x[3], y[3])
    groups = x[3] if isinstance(op, DepthwiseConv2D) else op.groups
    return Shape(y[1] * y[2], taps, x[3] // groups, y[3] // groups, groups)


def array_cycles(array: Accelerator, shape: Shape) -> int:
    """Cycles of the whole array, by the formula above."""
    beside = max(1, min(array.inputs // shape.inputs, array.outputs // shape.outputs))
    passes = -(-shape.groups // beside) * -(-shape.inputs // array.inputs) * -(-shape.outputs // array.outputs)
    return -(-shape.positions // array.pixels) * shape.taps * passes


@dataclass(frozen=True)
class Cost:
    """Of one node. ``cycles`` is the longer of ``compute_cycles`` and memory's, and ``bound`` names what takes it.

    ``plain_cycles`` is what it would be without special units; ``array_cycles`` is None where no array computes it, and
    all cycles where nothing is known.
    """

    unit: str
    macs: int
    array_cycles: int | None
    compute_cycles: float | None
    cycles: float | None
    plain_cycles: float | None
    bound: str
    weight_bytes: int
    activation_bytes: int
    picojoules: float | None

    def utilisation(self, macs_per_cycle: int) -> float | None:
        """Multiply-accumulates of the layer over those that the array does in its time."""
        return self.macs / (self.array_cycles * macs_per_cycle) if self.array_cycles else None


def bytes_of(graph: Graph, node: Node, support: Support) -> tuple[int, int]:
    """Bytes of a node's constants, and of its inputs and output together. A reshape moves nothing."""
    op, format = node.op, support.format
    assert isinstance(op, Op)
    weights = _TABLE_BYTES if support.is_table(node) else 0
    for index, value in enumerate(node.inputs):
        if value in graph.consts:
            bits = format.weights.bits if index == op.weight else format.activations.width
            size = graph.types[value].size
            bias = _BIAS_BYTES[format.activations.dtype]
            weights += size * bias if index == op.bias else -(-size * bits // 8)
    if isinstance(op, Reshape | Identity):
        return weights, 0
    moving = [value for value in (*node.inputs, *node.outputs) if value not in graph.consts]
    return weights, sum(activation_bytes(graph, value, format) for value in dict.fromkeys(moving))


def activation_bytes(graph: Graph, value: str, format: Format) -> int:
    """Bytes of an activation."""
    return -(-graph.types[value].size * format.activations.width // 8)


def cost(graph: Graph, node: Node, support: Support, supported: bool = True) -> Cost:
    """What a node costs on the target; of one that is not supported only bytes and multiply-accumulates are known."""
    weights, activations = bytes_of(graph, node, support)
    assert isinstance(node.op, Op)
    types = graph.types
    macs = node.op.macs([types[v] for v in node.inputs], [types[v] for v in node.outputs])
    accelerator = support.target.accelerator
    if not supported:
        unit = "processor" if accelerator is not None and accelerator.fallback else "none"
        return Cost(unit, macs, None, None, None, None, "", weights, activations, None)
    if accelerator is None:
        return Cost("core", macs, None, None, None, None, "", weights, activations, None)
    unit, array, plain, compute = _compute(graph, node, support, accelerator)
    memory, bound = _memory(accelerator, weights, activations)
    energy = accelerator.picojoules_per_mac * mac_energy(support.format.weights, support.format.activations) * macs
    energy += accelerator.picojoules_per_flash_byte * weights + accelerator.picojoules_per_ram_byte * activations
    return Cost(
        unit,
        macs,
        array,
        compute,
        max(compute, memory),
        max(plain, memory),
        bound if memory > compute else "compute",
        weights,
        activations,
        energy if accelerator.picojoules_per_mac else None,
    )


def _compute(graph: Graph, node: Node, support: Support, array: Accelerator) -> tuple[str, int | None, float, float]:
    """(what computes it, cycles of the array, cycles without special units, with them)."""
    output = graph.types[node.outputs[0]]
    shape = layer_shape(graph, node)
    if shape is None:
        cycles = _elementwise(graph, node, support, array)
        return "table" if support.is_table(node) else "vector", None, cycles, cycles
    cycles, least = array_cycles(array, shape), output.size / array.leaving
    speed = array.speed.get(support.format.name, 1.0)
    kind = _special(node, shape)
    factor = array.units.get(kind, 1.0)
    unit = kind if kind in array.units else "array"
    return unit, cycles, max(cycles / speed, least), max(cycles / speed / factor, least)


def _special(node: Node, shape: Shape) -> str:
    if isinstance(node.op, DepthwiseConv2D):
        return "depthwise"
    return "pointwise" if isinstance(node.op, Conv2D) and shape.taps == shape.groups == 1 else ""


def _elementwise(graph: Graph, node: Node, support: Support, array: Accelerator) -> float:
    """Output elements, each as often as a pool reads; a reshape takes no time."""
    op, x = node.op, graph.types[node.inputs[0]]
    if isinstance(op, Reshape | Identity):
        return 0.0
    kernel = kernel_of(op, [x])
    reads = math.prod(kernel) if kernel is not None else 1
    if isinstance(op, Mean):
        reads = math.prod(x.shape[axis] for axis in op.axes)
    limits = support.limits(node.kind)
    each = (limits.cycles_per_element if limits is not None else 0.0) or 1 / array.elements
    return graph.types[node.outputs[0]].size * reads * each


def _memory(array: Accelerator, weights: int, activations: int) -> tuple[float, str]:
    """Cycles in which every byte is moved once, and the memory that takes them."""
    flash, ram = weights / array.flash_bytes_per_cycle, activations / array.ram_bytes_per_cycle
    if array.shared_bus:
        return flash + ram, "bus"
    return (flash, "flash") if flash > ram else (ram, "RAM")
