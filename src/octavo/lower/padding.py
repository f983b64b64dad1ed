"""Padding before a convolution becomes the convolution's own: no copy of the image, and none of its bytes in the arena.

Networks that were quantized elsewhere bring such layers along; those of float networks are folded by octavo.passes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from octavo.ir.graph import Graph, Node
from octavo.lower.lower import IntegerModel
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.movement import QPad

__all__ = ["fold_padding"]


def fold_padding(model: IntegerModel) -> IntegerModel:
    """The model with padding of height and width folded into the convolutions that read it: the same integers.

    A layer is folded when all that read it are convolutions whose own padding has the same value, the zero point of
    their input.
    """
    graph = model.graph
    folded = [node for node in graph.nodes if _may_be_folded(graph, node)]
    if not folded:
        return model
    gone = {node.outputs[0]: node for node in folded}
    nodes = [_widened(node, gone) for node in graph.nodes if node not in folded]
    types = {name: type_ for name, type_ in graph.types.items() if name not in gone}
    encodings = {name: encoding for name, encoding in model.encodings.items() if name not in gone}
    return IntegerModel(graph.with_(nodes=tuple(nodes), types=types), encodings)


def _may_be_folded(graph: Graph, node: Node) -> bool:
    op, output = node.op, node.outputs[0]
    if not isinstance(op, QPad) or len(graph.types[output].shape) != 4 or output in graph.outputs:
        return False
    _, batch, _, _, channels = (out - in_ for out, in_ in zip(op.out_shape, op.in_shape, strict=True))
    readers = graph.consumers()[output]
    same = all(
        isinstance(reader.op, QConv2D | QDepthwiseConv2D) and reader.op.input_zero_point == op.value
        for reader in readers
    )
    return bool(readers) and same and batch == channels == 0


def _widened(node: Node, gone: dict[str, Node]) -> Node:
    """The convolution with the padding before it."""
    pad = gone.get(node.inputs[0])
    if pad is None:
        return node
    padding, op = pad.op, node.op
    assert isinstance(padding, QPad)
    widened: Any = op
    _, _, height, width, _ = padding.in_shape
    _, _, top, left, _ = padding.before
    own = {"in_h": height, "in_w": width, "pad_top": widened.pad_top + top, "pad_left": widened.pad_left + left}
    return replace(node, op=replace(widened, **own), inputs=(pad.inputs[0], *node.inputs[1:]))
