"""16x8 fully connected layers for Helium: csrc/mve/fully_connected_s16_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import in_elements, row_blocks
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.mve.stream import pack_stream16
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected16

__all__ = ["FullyConnected16Mve", "pack_fully_connected16"]


@dataclass(frozen=True)
class FullyConnected16Mve(IntegerOp):
    """The parameters of octavo_fully_connected_s16_mve."""

    rows: int
    in_features: int
    out_features: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s16_mve"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two rows are read for every four channels, which are then written."""
        return {0: in_elements(row_blocks(self.rows, self.in_features, self.out_features, 2, 4), 2)}


def pack_fully_connected16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose outputs are proved exact."""
    if type(op) is not QFullyConnected16:
        return None
    weights, *rest = consts
    finish = finish_constants16(op, weights.astype(np.int64), *rest)
    if finish is None:
        return None
    call = FullyConnected16Mve(
        op.rows, op.in_features, op.out_features, int(finish.wide), int(finish.shifted), op.act_min, op.act_max
    )
    return Packed(call, {"stream": pack_stream16(finish)})
