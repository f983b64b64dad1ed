"""Chooses the kernels: every integer node gets the fastest form that its target runs and that is proved exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from octavo.ir.graph import Array, Node, TensorType
from octavo.kernels.dsp.add import pack_add
from octavo.kernels.dsp.add_s16 import pack_add16
from octavo.kernels.dsp.conv2d import pack_conv2d
from octavo.kernels.dsp.conv2d_s16 import pack_conv2d16
from octavo.kernels.dsp.depthwise_conv2d import pack_depthwise_conv2d
from octavo.kernels.dsp.depthwise_conv2d_s16 import pack_depthwise_conv2d16
from octavo.kernels.dsp.fully_connected import pack_fully_connected
from octavo.kernels.dsp.fully_connected_s16 import pack_fully_connected16
from octavo.kernels.dsp.mean import pack_mean
from octavo.kernels.dsp.pool2d import (
    pack_average_pool2d,
    pack_average_pool2d16,
    pack_max_pool2d,
    pack_max_pool2d16,
)
from octavo.kernels.mve.add import pack_add as pack_add_mve
from octavo.kernels.mve.add_s16 import pack_add16 as pack_add16_mve
from octavo.kernels.mve.conv2d import pack_conv2d as pack_conv2d_mve
from octavo.kernels.mve.conv2d_s16 import pack_conv2d16 as pack_conv2d16_mve
from octavo.kernels.mve.depthwise_conv2d import pack_depthwise_conv2d as pack_depthwise_conv2d_mve
from octavo.kernels.mve.depthwise_conv2d_s16 import pack_depthwise_conv2d16 as pack_depthwise_conv2d16_mve
from octavo.kernels.mve.fully_connected import pack_fully_connected as pack_fully_connected_mve
from octavo.kernels.mve.fully_connected_s16 import pack_fully_connected16 as pack_fully_connected16_mve
from octavo.kernels.mve.half import (
    pack_half_add,
    pack_half_conv2d,
    pack_half_depthwise_conv2d,
    pack_half_fully_connected,
)
from octavo.kernels.mve.mean import pack_mean as pack_mean_mve
from octavo.kernels.mve.pool2d import pack_average_pool2d as pack_average_pool2d_mve
from octavo.kernels.mve.pool2d import pack_max_pool2d as pack_max_pool2d_mve
from octavo.kernels.packed import Packed, Variant
from octavo.kernels.scalar.add import pack_add as pack_add_scalar
from octavo.kernels.scalar.conv2d import pack_conv2d as pack_conv2d_scalar
from octavo.kernels.scalar.depthwise_conv2d import pack_depthwise_conv2d as pack_depthwise_conv2d_scalar
from octavo.kernels.scalar.fully_connected import pack_fully_connected as pack_fully_connected_scalar
from octavo.kernels.shifts.conv2d import pack_conv2d as pack_conv2d_shifts
from octavo.kernels.shifts.conv2d import pack_fully_connected as pack_fully_connected_shifts
from octavo.kernels.winograd.conv2d import pack_conv2d as pack_conv2d_winograd
from octavo.kernels.x86.add import pack_add as pack_add_x86
from octavo.kernels.x86.average_pool2d import pack_average_pool2d as pack_average_pool2d_x86
from octavo.kernels.x86.conv2d import pack_conv2d as pack_conv2d_x86
from octavo.kernels.x86.conv2d import pack_fully_connected as pack_fully_connected_x86
from octavo.kernels.x86.depthwise_conv2d import pack_depthwise_conv2d as pack_depthwise_conv2d_x86
from octavo.lower.lower import IntegerModel
from octavo.lower.order import in_order
from octavo.lower.views import ALIGNMENT, with_views
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import Stage, Strips
from octavo.targets import Target

__all__ = ["Chosen", "keeps_four_bits", "packed", "specialize"]

VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    "winograd": {"conv2d_s8": pack_conv2d_winograd},
    "dsp": {
        "add_s8": pack_add,
        "add_s16": pack_add16,
        "average_pool2d_s8": pack_average_pool2d,
        "average_pool2d_s16": pack_average_pool2d16,
        "conv2d_s8": pack_conv2d,
        "conv2d_s16": pack_conv2d16,
        "depthwise_conv2d_s8": pack_depthwise_conv2d,
        "depthwise_conv2d_s16": pack_depthwise_conv2d16,
        "fully_connected_s8": pack_fully_connected,
        "fully_connected_s16": pack_fully_connected16,
        "max_pool2d_s8": pack_max_pool2d,
        "max_pool2d_s16": pack_max_pool2d16,
        "mean_s8": pack_mean,
    },
    "mve": {
        "add_f16": pack_half_add,
        "add_s8": pack_add_mve,
        "add_s16": pack_add16_mve,
        "average_pool2d_s8": pack_average_pool2d_mve,
        "conv2d_f16": pack_half_conv2d,
        "conv2d_s8": pack_conv2d_mve,
        "conv2d_s16": pack_conv2d16_mve,
        "depthwise_conv2d_f16": pack_half_depthwise_conv2d,
        "depthwise_conv2d_s8": pack_depthwise_conv2d_mve,
        "depthwise_conv2d_s16": pack_depthwise_conv2d16_mve,
        "fully_connected_f16": pack_half_fully_connected,
        "fully_connected_s8": pack_fully_connected_mve,
        "fully_connected_s16": pack_fully_connected16_mve,
        "max_pool2d_s8": pack_max_pool2d_mve,
        "mean_s8": pack_mean_mve,
    },
    "shifts": {"conv2d_s8": pack_conv2d_shifts, "fully_connected_s8": pack_fully_connected_shifts},
    "scalar": {
        "add_s8": pack_add_scalar,
        "conv2d_s8": pack_conv2d_scalar,
        "depthwise_conv2d_s8": pack_depthwise_conv2d_scalar,
        "fully_connected_s8": pack_fully_connected_scalar,
    },
    "x86": {
        "add_s8": pack_add_x86,
        "average_pool2d_s8": pack_average_pool2d_x86,
        "conv2d_s8": pack_conv2d_x86,
        "depthwise_conv2d_s8": pack_depthwise_conv2d_x86,
        "fully_connected_s8": pack_fully_connected_x86,
    },
}
"""By feature of a target and kernel of an integer operator."""

_FOUR_BITS = ("dsp", "mve", "shifts")
"""Features whose convolutions and fully connected layers keep weights of four bits two a byte."""

Chosen = dict[tuple[str, IntegerOp], Packed | None]
"""What was found for a node of a graph and its operator."""


def specialize(model: IntegerModel, target: Target, chosen: Chosen | None = None) -> IntegerModel:
    """The model with the operators and constants of the target's kernels; same values, same integers.

    ``chosen`` remembers what was found, for other forms of the same model. Nodes come in the order that suits these
    kernels, which need other memory than the portable ones.
    """
    graph = model.graph
    consts, types = dict(graph.consts), dict(graph.types)
    nodes = []
    memory: Chosen = {} if chosen is None else chosen
    for node in graph.nodes:
        if isinstance(node.op, Strips):
            nodes.append(_specialized_strips(node, node.op, consts, target, memory))
        else:
            nodes.append(_specialized(node, consts, target, memory))
    for name, array in consts.items():
        types[name] = TensorType(tuple(array.shape), str(array.dtype))
    used = {value for node in nodes for value in node.inputs}
    kept = {name: array for name, array in consts.items() if name in used}
    left = {name: type_ for name, type_ in types.items() if name in kept or name not in consts}
    program = with_views(graph.with_(nodes=tuple(nodes), consts=kept, types=left), max(target.alignment, ALIGNMENT))
    ordered = program if program.nodes == model.graph.nodes else in_order(program)
    return IntegerModel(ordered, model.encodings)


def _specialized(node: Node, consts: dict[str, Array], target: Target, chosen: Chosen) -> Node:
    """The node with the operator of the target's kernel; that kernel's constants are added to ``consts``."""
    assert isinstance(node.op, IntegerOp)
    key = (node.name, node.op)
    if key not in chosen:
        chosen[key] = packed(node.op, tuple(consts[value] for value in node.inputs if value in consts), target)
    found = chosen[key]
    if found is None:
        return node
    names = {part: f"{node.name}:{part}" for part in found.consts}
    moving = [value for value in node.inputs if value not in consts]
    consts |= {names[part]: array for part, array in found.consts.items()}
    return replace(node, op=found.op, inputs=(*moving, *names.values()))


def _specialized_strips(node: Node, op: Strips, consts: dict[str, Array], target: Target, chosen: Chosen) -> Node:
    """The same for every stage of a node in strips."""
    stages = []
    for stage in op.stages:
        kept = _specialized(stage.node, consts, target, chosen)
        reads = [read for read in stage.reads if read is not None]
        stages.append(Stage(kept, (*reads, *[None] * (len(kept.inputs) - len(reads)))))
    read = dict.fromkeys(value for stage in stages for value in stage.node.inputs if value in consts)
    inputs = (op.inputs[0], *read)
    return replace(node, op=replace(op, stages=tuple(stages), inputs=inputs), inputs=inputs)


def keeps_four_bits(target: Target) -> bool:
    """Whether the C for the target stores 4-bit weights of convolutions in four bits, and not in a byte."""
    return next((name in _FOUR_BITS for name in target.features if "conv2d_s8" in VARIANTS.get(name, {})), False)


def packed(op: IntegerOp, consts: tuple[Array, ...], target: Target) -> Packed | None:
    """The operator and its constants as the target's first kernel takes them that can; None for a portable kernel."""
    for feature in target.features:
        pack = VARIANTS.get(feature, {}).get(op.kernel)
        found = pack(op, consts) if pack else None
        if found is not None:
            return found
    return None
