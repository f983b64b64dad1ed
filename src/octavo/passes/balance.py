"""Equalization by expected noise: channel scales that let the least quantization noise through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Node
from octavo.num.channels import ChannelMoments
from octavo.ops import DepthwiseConv2D, FullyConnected
from octavo.passes.equalize import Equalization
from octavo.passes.links import Link, by_channel, find_links, scale_links

__all__ = ["balance"]

_POWER = 20
_STEPS = 100
_RATE = 0.1


def balance(
    graph: Graph,
    channels: Mapping[str, ChannelMoments],
    per_channel: bool = False,
    symmetric: bool = False,
    bits: int = 8,
) -> Equalization:
    """Scale the channels of every link so that the layers' outputs carry the least expected quantization noise.

    Equalization by weight ranges (octavo.passes.equalize) looks at weights alone, and may stretch activations. Here
    the noise-to-signal ratio of each linear layer is estimated, in the float network's own units, from the weights'
    step (noise step^2 / 12 times the input's energy) and the input's step (step^2 / 12 times the weights' energy), each
    output channel weighted by the energy of the weights that read it. The sum over all layers is minimised over the
    logarithms of all links' factors at once, by Adam; the largest element of a tensor is taken as its 20-norm, which
    has a gradient everywhere. ``channels`` are moments of every activation on calibration data (or from batch norm).
    ``per_channel`` weights have a step for each output channel; ``symmetric`` activations waste half their levels on
    tensors without negative values. The network computes the same, as after ``equalize``.
    """
    links, left = find_links(graph)
    if not links:
        return Equalization(graph, 0, 0, tuple(left))
    inputs = {link.second.name: index for index, link in enumerate(links)}
    outputs = {link.first.name: index for index, link in enumerate(links)}
    layers = [
        _layer(graph, node, channels, links[outputs[node.name]] if node.name in outputs else None)
        for node in graph.nodes
        if node.name in inputs or node.name in outputs
    ]
    logs = [torch.zeros(link.channels, dtype=torch.float64, requires_grad=True) for link in links]
    optimizer = torch.optim.Adam(logs, lr=_RATE)
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / _STEPS)
        noise = torch.zeros((), dtype=torch.float64)
        for layer in layers:
            before = logs[inputs[layer.name]] if layer.name in inputs else None
            after = logs[outputs[layer.name]] if layer.name in outputs else None
            noise = noise + _noise(layer, before, after, per_channel, symmetric, bits)
        optimizer.zero_grad()
        noise.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    factors = [np.exp(log.detach().numpy()) for log in logs]
    return Equalization(scale_links(graph, links, factors), len(links), _STEPS, tuple(left))


@dataclass(frozen=True)
class _Layer:
    """One linear layer for the estimate; depthwise layers hold [out, 1] tables and their input channels repeated."""

    name: str
    depthwise: bool
    repeat: int
    peak: float
    powers: torch.Tensor
    energy: torch.Tensor
    taps: int
    square: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    importance: torch.Tensor


def _layer(graph: Graph, node: Node, channels: Mapping[str, ChannelMoments], link: Link | None) -> _Layer:
    peaks = by_channel(graph, node, np.max)
    energy = by_channel(graph, node, _energy)
    depthwise, repeat = isinstance(node.op, DepthwiseConv2D), 1
    if depthwise:
        repeat = peaks.shape[0] // peaks.shape[1]
        peaks, energy = peaks.sum(axis=1, keepdims=True), energy.sum(axis=1, keepdims=True)
    peak = max(float(peaks.max()), 1e-30)
    source, result = channels[node.inputs[0]], channels[node.outputs[0]]
    shape = graph.types[node.inputs[1]].shape
    taps = 1 if isinstance(node.op, FullyConnected) else shape[1] * shape[2]
    weight = np.ones(len(peaks))
    if link is not None:
        weight = by_channel(graph, link.second, _energy).sum(axis=0)
    signal = max(float((weight * result.square).sum()), 1e-30)
    tables = np.maximum(peaks / peak, 1e-12) ** _POWER, energy
    vectors = (source.square, np.maximum(-source.low, 1e-12), np.maximum(source.high, 1e-12))
    square, low, high = (torch.from_numpy(np.repeat(vector, repeat)) for vector in vectors)
    powers, energies = (torch.from_numpy(np.ascontiguousarray(table)) for table in tables)
    importance = torch.from_numpy(weight / signal)
    return _Layer(node.name, depthwise, repeat, peak, powers, energies, taps, square, low, high, importance)


def _energy(weights: NDArray[np.float64], axis: tuple[int, ...]) -> NDArray[np.float64]:
    """Sum of squares."""
    return np.asarray((weights**2).sum(axis=axis))


def _noise(
    layer: _Layer,
    before: torch.Tensor | None,
    after: torch.Tensor | None,
    per_channel: bool,
    symmetric: bool,
    bits: int,
) -> torch.Tensor:
    """Noise-to-signal ratio of a layer's output with the input divided by e^before, the output by e^after."""
    given = torch.zeros_like(layer.square) if before is None else before.repeat_interleave(layer.repeat)
    made = torch.zeros(len(layer.powers), dtype=torch.float64) if after is None else after
    square, low, high = layer.square * torch.exp(-2 * given), layer.low.log() - given, layer.high.log() - given
    lifted = torch.exp(_POWER * given)
    rows = layer.powers[:, 0] * lifted if layer.depthwise else layer.powers @ lifted
    rows = rows * torch.exp(-_POWER * made)
    norm = rows if per_channel else rows.sum()
    steps = layer.peak * norm.pow(1 / _POWER) / (2 ** (bits - 1) - 1)
    inflow = square if layer.depthwise else square.sum()
    from_weights = steps.square() / 12 * inflow * layer.taps * torch.exp(2 * made)
    ends = torch.logsumexp(_POWER * low, 0) / _POWER, torch.logsumexp(_POWER * high, 0) / _POWER
    span = 2 * torch.exp(torch.maximum(*ends)) if symmetric else torch.exp(ends[0]) + torch.exp(ends[1])
    lifted = torch.exp(2 * given)
    gain = layer.energy[:, 0] * lifted if layer.depthwise else layer.energy @ lifted
    from_input = (span / 255).square() / 12 * gain
    total: torch.Tensor = (layer.importance * (from_weights + from_input)).sum()
    return total
