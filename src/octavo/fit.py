"""Whether a compiled network fits the memory it may take, and if not, what takes it and what would help."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from octavo.errors import OctavoError
from octavo.ir.graph import Node
from octavo.kernels.specialize import specialize
from octavo.kernels.streamed import streamed_program
from octavo.lower.liveness import liveness, plan_arena
from octavo.lower.lower import IntegerModel
from octavo.lower.streaming import Streaming, stream_buffers
from octavo.memory import Arena, Buffer
from octavo.ops.integer.strips import Strips
from octavo.strips import find_strips
from octavo.targets import Target

__all__ = ["check_fit", "const_bytes", "flash_bytes", "model_bytes", "parse_bytes"]

_NAMED = 4
_AMOUNT = re.compile(r"(\d{1,12})\s*(|[kKM])(|B|iB)")
_UNITS = {"": 1, "k": 1024, "K": 1024, "M": 1024**2}
_BUFFERS = (64, 32, 16, 8, 4, 2, 1)  # KiB that are tried for streaming


def parse_bytes(what: str, text: str | int) -> int:
    """Bytes from 65536, "64K" or "1M" (of 1,024 each); OctavoError for anything else."""
    found = _AMOUNT.fullmatch(str(text).strip())
    if found is None or int(found[1]) < 1:
        raise OctavoError(f"{what} {text}", "is no amount of memory", "Give bytes, as 65536, 64K or 1M.")
    return int(found[1]) * _UNITS[found[2]]


def model_bytes(model: IntegerModel) -> int:
    """Bytes of all constants that the model's C carries."""
    used = {value for node in model.graph.nodes for value in node.inputs if value in model.graph.consts}
    return sum(model.graph.types[value].nbytes for value in used)


def const_bytes(model: IntegerModel, node: Node) -> int:
    """Bytes of the constants that one node reads."""
    return sum(model.graph.types[value].nbytes for value in node.inputs if value in model.graph.consts)


def flash_bytes(model: IntegerModel, streaming: Streaming) -> int:
    """Bytes of the constants that are not streamed from slow memory."""
    return model_bytes(model) - sum(
        const_bytes(model, node) for node in model.graph.nodes if node.name in streaming.streams
    )


def check_fit(model: IntegerModel, arena: Arena, target: Target, streaming: Streaming, source: IntegerModel) -> None:
    """OctavoError when the constants exceed the target's flash or the arena its RAM, for whichever of both is true.

    It names what takes the most and says by how much the network would have to shrink. Code and stack, some kilobytes,
    are not counted: ``octavo profile`` measures them. Streamed constants are not in the flash. ``source`` is the model
    before kernels were chosen: where its constants could be streamed, or in smaller buffers, the error says so.
    """
    problems = [*_flash(model, target, streaming), *_ram(model, arena, target, streaming)]
    if problems:
        where, _, _ = problems[0]
        remedies = [remedy for _, _, remedy in problems]
        remedies += _plain(model, source, target)
        if streaming.streams or flash_bytes(model, streaming) > target.flash_bytes:
            remedies += _streamed(source, target)
        if arena.size > target.ram_bytes:
            remedies += _in_strips(source, target)
        raise OctavoError(where, "; ".join(why for _, why, _ in problems), " ".join(remedies))


def _plain(model: IntegerModel, source: IntegerModel, target: Target) -> list[str]:
    """What the weights would take without the kernels that enlarge them."""
    if "winograd" not in target.features or model_bytes(model) <= target.flash_bytes:
        return []
    features = tuple(feature for feature in target.features if feature != "winograd")
    plain = model_bytes(specialize(source, replace(target, features=features)))
    return [f"With --optimize speed instead of fastest the weights would take {plain:,} bytes."]


def _in_strips(source: IntegerModel, target: Target) -> list[str]:
    """What the arena would take with layers strip by strip, where they do not run so already."""
    if any(isinstance(node.op, Strips) for node in source.graph.nodes):
        return []
    found = find_strips(source, target, target.ram_bytes)
    if found is None:
        return []
    extra = 100 * (found.macs / found.whole_macs - 1)
    still = "" if found.arena.size <= target.ram_bytes else ", which is still too much"
    return [
        f"With --strips, {found.layers} layers would run strip by strip and the arena take {found.arena.size:,} bytes"
        f"{still}, for {extra:.1f} % more multiply-accumulates."
    ]


def _streamed(source: IntegerModel, target: Target) -> list[str]:
    """The largest buffers for streamed constants with which all would fit."""
    for kib in _BUFFERS:
        _, model, streaming = streamed_program(source, target, 1024 * kib)
        arena, flash = plan_arena(model.graph, target.alignment, streaming), flash_bytes(model, streaming)
        if arena.size <= target.ram_bytes and flash <= target.flash_bytes:
            return [
                f"With --stream-weights {kib}K, {streaming.nbytes:,} bytes of weights would lie in slow memory, as "
                f"external flash, {flash:,} in flash, and the arena would take {arena.size:,} bytes of RAM."
            ]
    return []


def _flash(model: IntegerModel, target: Target, streaming: Streaming) -> list[tuple[str, str, str]]:
    data, flash = flash_bytes(model, streaming), target.flash_bytes
    if data <= flash:
        return []
    resident = (node for node in model.graph.nodes if node.name not in streaming.streams)
    nodes = sorted(resident, key=lambda node: -const_bytes(model, node))
    largest = ", ".join(f"{node.source or node.name} {const_bytes(model, node):,}" for node in nodes[:_NAMED])
    where = nodes[0].source or nodes[0].name
    why = (
        f"the weights take {data:,} of {flash:,} bytes of flash, {data - flash:,} too many; "
        f"the largest layers: {largest}"
    )
    if streaming.resident:
        sources = {node.name: node.source or node.name for node in model.graph.nodes}
        stays = [f"{sources[name]} {reason}" for name, reason in streaming.resident.items()]
        why += f"; not streamed: {', '.join(stays[:_NAMED])}" + (" and others" if len(stays) > _NAMED else "")
    width = math.floor(100 * math.sqrt(flash / data))
    return [
        (where, why, f"With {width} % of the channels in every layer the weights would take about {flash:,} bytes.")
    ]


def _ram(model: IntegerModel, arena: Arena, target: Target, streaming: Streaming) -> list[tuple[str, str, str]]:
    ram, graph = target.ram_bytes, model.graph
    if arena.size <= ram:
        return []
    values = [*liveness(graph)[0], *stream_buffers(graph, streaming)]
    steps = [[value for value in values if value.first <= step <= value.last] for step in range(len(graph.nodes))]
    step = max(range(len(steps)), key=lambda i: _covered(steps[i], arena))
    # Of values at one place the largest is what takes the bytes.
    places = {arena.offsets[value.name]: value for value in sorted(steps[step], key=lambda value: value.size)}
    alive = sorted(places.values(), key=lambda value: -value.size)
    held = ", ".join(f"{value.name} {value.size:,}" for value in alive[:_NAMED])
    node = graph.nodes[step]
    where = node.source or node.name
    why = (
        f"the arena takes {arena.size:,} of {ram:,} bytes of RAM, {arena.size - ram:,} too many; "
        f"this layer holds the most at once: {held}"
    )
    return [(where, why, _smaller(model, [value.name for value in alive], ram / arena.size))]


def _covered(values: list[Buffer], arena: Arena) -> int:
    """Bytes of the arena that some value takes; outputs may lie over their inputs."""
    covered = end = 0
    for first, size in sorted((arena.offsets[value.name], value.size) for value in values):
        covered += max(first + size - max(first, end), 0)
        end = max(end, first + size)
    return covered


def _smaller(model: IntegerModel, alive: list[str], share: float) -> str:
    """What makes the values of a step smaller by this share."""
    types = [model.graph.types[name] for name in alive if name in model.graph.types]
    images = [name for name in model.graph.inputs if len(model.graph.types[name].shape) == 4]
    if images and all(len(type_.shape) == 4 and type_.shape[1] > 1 for type_ in types):
        _, height, width, _ = model.graph.types[images[0]].shape
        scale = math.sqrt(share)
        return (
            f"An input of about {math.floor(height * scale)} x {math.floor(width * scale)} in place of "
            f"{height} x {width} would fit; so would fewer channels in the layers that make these values."
        )
    return f"With {math.floor(100 * share)} % of the elements in these values it would fit."
