"""Accelerators with chosen limits, and networks of one layer with random weights."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.npu.support import Support
from octavo.num.formats import find_format
from octavo.ops import Conv2D, DepthwiseConv2D, FullyConnected
from octavo.targets import Accelerator, Limits, Target

__all__ = ["connected", "conv", "depthwise", "kinds", "machine", "one"]


def machine(operators: dict[str, Limits], format: str = "affine", **fields: Any) -> Support:
    """An accelerator of 4 inputs by 8 outputs with these operators."""
    fields = {"inputs": 4, "outputs": 8, "clock_hz": 10**6, **fields}
    accelerator = Accelerator("a test", operators=operators, **fields)
    target = Target("mine", "a test", 2**20, 2**20, formats=(format,), accelerator=accelerator)
    return Support(target, find_format(format))


def one(op: Any, *shapes: tuple[int, ...], consts: tuple[Any, ...] = ()) -> Graph:
    """A graph of one operator on inputs of these shapes, then constants."""
    b = GraphBuilder("one")
    values = [b.input(f"x{index}", TensorType(shape)) for index, shape in enumerate(shapes)]
    values += [b.const(np.asarray(array, dtype=np.float32), f"c{index}") for index, array in enumerate(consts)]
    return b.finish([b.add(op, values, "y", "layer")])


def _parameters(*shape: int, out: int, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=out)


def conv(op: Conv2D, image: tuple[int, int, int], out: int, kernel: tuple[int, int]) -> Graph:
    """A convolution with random weights."""
    weights = _parameters(out, *kernel, image[2] // op.groups, out=out)
    return one(op, (1, *image), consts=weights)


def depthwise(op: DepthwiseConv2D, image: tuple[int, int, int], out: int, kernel: tuple[int, int]) -> Graph:
    """A depthwise convolution with random weights."""
    return one(op, (1, *image), consts=_parameters(1, *kernel, out, out=out))


def connected(op: FullyConnected, shape: tuple[int, ...], out: int) -> Graph:
    """A fully connected layer with random weights."""
    return one(op, shape, consts=_parameters(out, shape[-1], out=out))


def kinds(graph: Graph) -> dict[str, int]:
    """How many nodes of each operator."""
    return dict(Counter(node.kind for node in graph.nodes))
