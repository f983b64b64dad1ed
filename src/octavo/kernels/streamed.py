"""The program of a model with constants in slow memory: layers that are too large for a buffer come in pieces."""

from __future__ import annotations

from octavo.ir.graph import Array, Node
from octavo.kernels.specialize import packed, specialize
from octavo.lower.lower import IntegerModel
from octavo.lower.pieces import channels_in_pieces, in_pieces, piece
from octavo.lower.streaming import Streaming, check_stream, choose_streams
from octavo.ops.base import IntegerOp
from octavo.targets import Target

__all__ = ["streamed_program"]

_FOUR = 4  # channels that kernels take at once


def streamed_program(
    model: IntegerModel, target: Target, limit: int | None
) -> tuple[IntegerModel, IntegerModel, Streaming]:
    """(layers, program, streaming): the model in layers small enough to be streamed through buffers of at most
    ``limit`` bytes, the same with the target's kernels, and what of the program is streamed.

    Without a limit nothing is. OctavoError for a limit below LEAST.
    """
    layers, whole = _small_layers(model, target, limit)
    program = specialize(layers, target)
    return layers, program, choose_streams(program.graph, limit, whole)


def _small_layers(model: IntegerModel, target: Target, limit: int | None) -> tuple[IntegerModel, dict[str, str]]:
    """The model in layers whose constants take at most ``limit`` bytes, and by node why one takes more.

    1. A layer whose constants, as its kernel packs them, take no more is left as it is; so are all without a limit.
    2. One that takes more is cut into pieces of as many output channels as fit, a multiple of four where it can be.
    3. One that has no output channels to cut, or not even one that fits, is left as it is.
    """
    if limit is None:
        return model, {}
    check_stream(limit)
    sizes: dict[str, int] = {}
    whole: dict[str, str] = {}
    for node in model.graph.nodes:
        consts = tuple(model.graph.consts[value] for value in node.inputs if value in model.graph.consts)
        assert isinstance(node.op, IntegerOp)
        if not consts or node.op.alias or _nbytes(node.op, consts, target) <= limit:
            continue
        if not channels_in_pieces(node):
            whole[node.name] = "and its kind is not computed in pieces"
        elif size := _channels(node, consts, target, limit):
            sizes[node.name] = size
        else:
            whole[node.name] = "as does one output channel alone"
    return in_pieces(model, sizes), whole


def _nbytes(op: IntegerOp, consts: tuple[Array, ...], target: Target) -> int:
    """Bytes of the block that a layer's constants make, as its kernel takes them."""
    found = packed(op, consts, target)
    arrays = consts if found is None else tuple(found.consts.values())
    widest = max(array.itemsize for array in arrays)
    return -(-sum(array.nbytes for array in arrays) // widest) * widest


def _channels(node: Node, consts: tuple[Array, ...], target: Target, limit: int) -> int:
    """Output channels of a piece, so that every piece takes at most ``limit`` bytes; 0 where one channel takes more."""
    op, channels = node.op, channels_in_pieces(node)
    assert isinstance(op, IntegerOp)
    size = max(min(limit * channels // _nbytes(op, consts, target), channels - 1), 1)
    while size > 0:
        # Pieces of about one size need a smaller buffer, and may share code.
        count = -(-channels // _rounded(size))
        size = min(-(-channels // count // _FOUR) * _FOUR if size >= _FOUR else size, _rounded(size))
        parts = (piece(op, consts, start, min(start + size, channels)) for start in range(0, channels, size))
        if all(_nbytes(*part, target) <= limit for part in parts):
            return size
        size -= 1
    return 0


def _rounded(size: int) -> int:
    """The multiple of four below, where there is one."""
    return size // _FOUR * _FOUR or size
