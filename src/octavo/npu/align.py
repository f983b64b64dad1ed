"""Channels in the multiples that an array takes: padded with zeros, exactly; and which could be left out instead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.check import verify
from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.npu.array import array_cycles, layer_shape
from octavo.npu.channels import ChannelSet, channel_sets, ends
from octavo.npu.support import Support
from octavo.ops import Clip, DepthwiseConv2D, Mul, Prelu, Reshape, Unary
from octavo.passes.links import by_channel
from octavo.passes.proof import prove
from octavo.targets import Accelerator

__all__ = ["Aligned", "Channels", "align", "channel_report", "trimmed_cycles"]

Vector = NDArray[np.float64]
# Of squared weights: float32 resolves 2^-24.
_NEGLIGIBLE = 2.0**-48


@dataclass(frozen=True)
class Channels:
    """What the multiple does to one set of channels, called by the first layer that writes it.

    ``dead`` channels carry zero, or nobody reads them; ``constant`` ones carry one number for every input. Without
    ``trim`` channels, dead ones or those above a multiple, the array would take ``saved_cycles`` less; ``share`` is
    what the weakest of these hold of the products of weight energies before and behind. ``held`` says why the set
    cannot be padded or trimmed.
    """

    source: str
    channels: int
    padded: int
    dead: int
    constant: int
    trim: int
    saved_cycles: int
    share: float
    held: str


@dataclass(frozen=True)
class Aligned:
    """The graph with padded channels, how many each set got (by its first writer), and the outputs' difference."""

    graph: Graph = field(repr=False)
    added: dict[str, int]
    difference: float


def multiple_of(support: Support) -> int:
    """What channels should be a multiple of: the array's, and what operators demand."""
    accelerator = support.target.accelerator
    if accelerator is None:
        return 1
    demanded = (limits.multiple for limits in accelerator.operators.values())
    return math.lcm(accelerator.inputs, accelerator.outputs, *demanded)


def align(graph: Graph, support: Support) -> Aligned:
    """Pad every set of channels that may be padded; OctavoError if the network's function should change by it."""
    multiple = multiple_of(support)
    found = [entry for entry in channel_sets(graph) if not entry.held and entry.channels % multiple]
    if not found:
        return Aligned(graph, {}, 0.0)
    padded = _padded(graph, found, multiple)
    verify(padded, "aligned graph")
    added = {entry.source: -entry.channels % multiple for entry in found}
    return Aligned(padded, added, prove(graph, padded))


def _padded(graph: Graph, found: Sequence[ChannelSet], multiple: int) -> Graph:
    sets = {value: entry for entry in found for value in entry.repeats}
    types, consts, nodes = dict(graph.types), dict(graph.consts), []

    def store(node: Node, index: int, array: Array) -> str:
        name = f"{node.name}.aligned{index}"
        while name in types:
            name += "_"
        array = np.ascontiguousarray(array, dtype=np.float32)
        array.setflags(write=False)
        consts[name], types[name] = array, TensorType(tuple(array.shape), "float32")
        return name

    def more(value: str) -> int:
        return -sets[value].channels % multiple if value in sets else 0

    for node in graph.nodes:
        op, inputs, (y,) = node.op, list(node.inputs), node.outputs
        before, after = more(inputs[0]), more(y)
        if ends(graph, node) and (before or after):
            weights, bias = (graph.consts[value] for value in inputs[1:])
            repeat = sets[inputs[0]].repeats[inputs[0]] if before else 1
            split = weights.reshape(*weights.shape[:-1], repeat, -1)
            split = np.pad(split, ((0, after), *((0, 0),) * (split.ndim - 2), (0, before)))
            inputs[1] = store(node, 1, split.reshape(*split.shape[:-2], -1))
            inputs[2] = store(node, 2, np.pad(bias, (0, after)))
        elif after:
            for index, value in enumerate(inputs):
                if value in consts and consts[value].shape[-1:] == (sets[y].channels * sets[y].repeats[y],):
                    wide = _wider(consts[value], sets[y].repeats[y], after)
                    inputs[index] = store(node, index, wide)
            if isinstance(op, Reshape):
                op = replace(op, shape=(*op.shape[:-1], op.shape[-1] + after * sets[y].repeats[y]))
        node = replace(node, op=op, inputs=tuple(inputs))
        (types[y],) = node.op.infer([types[value] for value in node.inputs])
        nodes.append(node)
    read = {value for node in nodes for value in node.inputs} | {*graph.inputs, *(o for n in nodes for o in n.outputs)}
    kept = {name: array for name, array in consts.items() if name in read}
    return graph.with_(nodes=tuple(nodes), types={name: types[name] for name in types if name in read}, consts=kept)


def _wider(array: Array, repeat: int, more: int) -> Array:
    split = array.reshape(*array.shape[:-1], repeat, -1)
    split = np.pad(split, ((0, 0),) * (split.ndim - 1) + ((0, more),))
    return split.reshape(*array.shape[:-1], -1)


def channel_report(graph: Graph, support: Support) -> list[Channels]:
    """Every set of channels that is no multiple, with what padding and trimming would change."""
    multiple, accelerator = multiple_of(support), support.target.accelerator
    rows = []
    for entry in channel_sets(graph):
        strength, dead, constant = _strengths(graph, entry)
        extra, none = entry.channels % multiple, int(dead.sum())
        if not extra and not none and not constant.any():
            continue
        trim = _trimmed(entry, dead, multiple)
        share = float(np.sort(strength)[:trim].sum() / strength.sum()) if strength.any() else 0.0
        saved = 0
        if accelerator is not None:
            nodes, removed = [*entry.writers, *entry.inside, *entry.readers], _removed(entry, trim)
            nodes = list({node.name: node for node in nodes}.values())
            saved = _cycles(graph, accelerator, nodes, {}) - _cycles(graph, accelerator, nodes, removed)
        padded = entry.channels + -entry.channels % multiple
        fixed = int(constant.sum())
        rows.append(Channels(entry.source, entry.channels, padded, none, fixed, trim, saved, share, entry.held))
    return rows


def _trimmed(entry: ChannelSet, dead: NDArray[np.bool_], multiple: int) -> int:
    """How many channels would go: as many dead ones as make a multiple of the rest, or those above a multiple."""
    channels = entry.channels
    if entry.held:
        return 0
    kept = max(-(-(channels - int(dead.sum())) // multiple), 1) * multiple
    if kept < channels:
        return channels - kept
    return channels % multiple if channels > multiple else 0


def _strengths(graph: Graph, entry: ChannelSet) -> tuple[Vector, NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each channel: energy of the weights that write it times that of those that read it; is it dead; constant.

    Weights below float32's rounding beside the largest channel's count as none.
    """
    read, written = np.zeros(entry.channels), np.zeros(entry.channels)
    for node in entry.readers:
        energy = by_channel(graph, node, np.max).max(axis=0) ** 2
        read += energy.reshape(-1, entry.channels).sum(axis=0)
    for node in entry.writers:
        written += by_channel(graph, node, np.max).max(axis=1) ** 2
    if entry.held or not entry.readers:
        none = np.zeros(entry.channels, dtype=bool)
        return written * read, none, none
    deaf, quiet = read <= _NEGLIGIBLE * read.max(), written <= _NEGLIGIBLE * written.max()
    dead = deaf | (quiet & _silent(graph, entry))
    return np.where(dead, 0.0, written * read), dead, quiet & ~dead


def _silent(graph: Graph, entry: ChannelSet) -> NDArray[np.bool_]:
    """Whether a channel that no weight writes is zero everywhere: its biases end as zero, and zero stays zero."""
    zero = np.ones(entry.channels, dtype=bool)
    for node in entry.writers:
        zero &= _after(node, graph.consts[node.inputs[2]]) == 0
    for node in entry.inside:
        if isinstance(node.op, DepthwiseConv2D):
            zero &= _after(node, graph.consts[node.inputs[2]]) == 0
        elif isinstance(node.op, Unary):
            zero &= float(node.op.eval_float(torch.zeros(1, dtype=torch.float64))) == 0
        elif any(value in graph.consts for value in node.inputs[1:]) and not isinstance(node.op, Mul | Prelu):
            zero &= False
    return zero


def _after(node: Node, bias: Array) -> Array:
    clip = getattr(node.op, "activation", Clip())
    return np.clip(bias, clip.minimum, clip.maximum)


def _removed(entry: ChannelSet, trim: int) -> dict[str, int]:
    """Of each value, how much shorter its last axis would be."""
    return {value: trim * repeat for value, repeat in entry.repeats.items()}


def _cycles(graph: Graph, array: Accelerator, nodes: Iterable[Node], removed: Mapping[str, int]) -> int:
    """Cycles of the array for some nodes, without the channels that are removed."""
    total = 0
    for node in nodes:
        shape = layer_shape(graph, node)
        before, after = removed.get(node.inputs[0], 0), removed.get(node.outputs[0], 0)
        if shape is not None and ends(graph, node):
            shape = replace(shape, inputs=shape.inputs - before, outputs=shape.outputs - after)
        elif shape is not None and before:
            shape = replace(shape, groups=shape.groups - before)
        total += array_cycles(array, shape) if shape is not None else 0
    return total


def trimmed_cycles(graph: Graph, support: Support) -> tuple[int, int]:
    """Cycles of the array as the network is, and with all sets trimmed at once as ``channel_report`` says."""
    array, removed = support.target.accelerator, dict[str, int]()
    assert array is not None
    for entry in channel_sets(graph):
        removed |= _removed(entry, _trimmed(entry, _strengths(graph, entry)[1], multiple_of(support)))
    return _cycles(graph, array, graph.nodes, {}), _cycles(graph, array, graph.nodes, removed)
