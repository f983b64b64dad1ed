"""Fully connected layers for Helium: csrc/mve/fully_connected_s8_mve.h, or _w4_ for 4-bit weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.access import row_blocks
from octavo.kernels.mve.stream import fits, layer_ends, pack_nibbles, pack_stream, packs_nibbles
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["FullyConnectedMve", "FullyConnectedW4Mve", "pack_fully_connected"]


@dataclass(frozen=True)
class FullyConnectedMve(IntegerOp):
    """The parameters of octavo_fully_connected_s8_mve."""

    rows: int
    in_features: int
    out_features: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two rows are read for every four channels, which are then written."""
        return {0: row_blocks(self.rows, self.in_features, self.out_features, 2, 4)}


@dataclass(frozen=True)
class FullyConnectedW4Mve(FullyConnectedMve):
    """FullyConnectedMve with 4-bit weights."""

    kernel: ClassVar[str] = "fully_connected_w4_mve"


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer."""
    if type(op) is not QFullyConnected:
        return None
    weights, bias, multiplier, shift = consts
    if not fits(shift):
        return None
    narrow = packs_nibbles(weights)
    kind, pack = (FullyConnectedW4Mve, pack_nibbles) if narrow else (FullyConnectedMve, pack_stream)
    call = kind(op.rows, op.in_features, op.out_features, *layer_ends(op))
    return Packed(call, {"stream": pack(op, weights, bias, multiplier, shift)})
