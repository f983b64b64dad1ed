"""A linear layer as a matrix product: its input windows as rows, its weights as a matrix for each group of channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized
from octavo.ops import Conv2D, DepthwiseConv2D, FullyConnected

__all__ = ["Layout", "layout_of", "learned_layout", "refusals", "sample_positions"]


@dataclass(frozen=True)
class Layout:
    """How one layer's weights and input windows are arranged: ``groups`` independent products of ``width`` numbers."""

    node: Node
    groups: int
    width: int
    outputs: int
    weight_shape: tuple[int, ...]
    out_size: tuple[int, int]

    def matrix(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as [groups, outputs of a group, width]."""
        if isinstance(self.node.op, DepthwiseConv2D):
            by_input = weights[0].permute(2, 0, 1).reshape(self.groups, self.outputs, self.width)
            return by_input
        return weights.reshape(self.groups, self.outputs, self.width)

    def weights(self, matrix: torch.Tensor) -> torch.Tensor:
        """``matrix`` undone."""
        if isinstance(self.node.op, DepthwiseConv2D):
            _, height, breadth, channels = self.weight_shape
            return matrix.reshape(channels, height, breadth).permute(1, 2, 0).unsqueeze(0)
        return matrix.reshape(self.weight_shape)

    def rows(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """The windows of x [N, ...] at the positions ``at``, as [groups, rows, width]; padding contributes zeros."""
        op = self.node.op
        if isinstance(op, FullyConnected):
            return x.reshape(-1, self.width)[at].unsqueeze(0)
        assert isinstance(op, Conv2D | DepthwiseConv2D)
        height, breadth = self.weight_shape[1:3]
        area = self.out_size[0] * self.out_size[1]
        image, row, column = at // area, at % area // self.out_size[1], at % self.out_size[1]
        taps = []
        for i in range(height):
            for j in range(breadth):
                y = row * op.stride[0] + i * op.dilation[0] - op.padding[0]
                z = column * op.stride[1] + j * op.dilation[1] - op.padding[2]
                inside = (y >= 0) & (y < x.shape[1]) & (z >= 0) & (z < x.shape[2])
                pixels = x[image, y.clamp(0, x.shape[1] - 1), z.clamp(0, x.shape[2] - 1)]
                taps.append(pixels * inside[:, None])
        windows = torch.stack(taps, 1)
        if isinstance(op, DepthwiseConv2D):
            return windows.permute(2, 0, 1).contiguous()
        split = windows.reshape(len(at), height * breadth, self.groups, -1)
        return split.permute(2, 0, 1, 3).reshape(self.groups, len(at), self.width)

    def positions(self, samples: int) -> int:
        """How many windows ``samples`` inputs have."""
        return samples * self.out_size[0] * self.out_size[1]


def layout_of(graph: Graph, node: Node) -> Layout | None:
    """The layout of a convolution or fully connected layer with constant weights; None for anything else."""
    if not isinstance(node.op, Conv2D | DepthwiseConv2D | FullyConnected) or node.inputs[1] not in graph.consts:
        return None
    shape, out = graph.types[node.inputs[1]].shape, graph.types[node.outputs[0]].shape
    if isinstance(node.op, FullyConnected):
        rows = graph.types[node.outputs[0]].size // shape[0]
        return Layout(node, 1, shape[1], shape[0], shape, (rows, 1))
    if isinstance(node.op, DepthwiseConv2D):
        channels = graph.types[node.inputs[0]].shape[3]
        return Layout(node, channels, shape[1] * shape[2], shape[3] // channels, shape, (out[1], out[2]))
    groups = node.op.groups
    return Layout(node, groups, shape[1] * shape[2] * shape[3], shape[0] // groups, shape, (out[1], out[2]))


def learned_layout(quantized: Quantized, node: Node) -> Layout | None:
    """The layout of a layer whose rounding can be learned."""
    weight = getattr(node.op, "weight", None)
    if weight is None or quantized.plan.qparams[node.inputs[weight]].dtype != "int8":
        return None
    return None if _refusal(quantized.graph, node) else layout_of(quantized.graph, node)


def refusals(quantized: Quantized) -> dict[str, str]:
    """Why the rounding of some integer weights (by name) cannot be learned, for the plan's reasons."""
    found = {}
    for node in quantized.graph.nodes:
        weight = getattr(node.op, "weight", None)
        if weight is None or quantized.plan.qparams[node.inputs[weight]].dtype != "int8":
            continue
        reason = _refusal(quantized.graph, node)
        if reason is not None:
            found[node.inputs[weight]] = f"not learned: {reason}"
    return found


def _refusal(graph: Graph, node: Node) -> str | None:
    if layout_of(graph, node) is None:
        return f"the weights of {node.kind} keep their nearest levels"
    readers = graph.consumers()
    shared = max(len(readers[value]) for value in node.inputs[1:])
    return f"{shared} operators share its weights or bias" if shared > 1 else None


def sample_positions(total: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    """``wanted`` of ``total`` positions without repetition, or all of them."""
    if total <= wanted:
        return torch.arange(total)
    return torch.randperm(total, generator=generator)[:wanted]
