"""16x8 fully connected layers for the DSP extension: csrc/dsp/fully_connected_s16_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import in_elements, row_blocks
from octavo.kernels.dsp.constants_s16 import biases, scales
from octavo.kernels.dsp.words import channels_in_pairs, fits_a_lane, pack_words
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected16

__all__ = ["FullyConnected16Dsp", "pack_fully_connected16"]


@dataclass(frozen=True)
class FullyConnected16Dsp(IntegerOp):
    """The parameters of octavo_fully_connected_s16_dsp."""

    rows: int
    in_features: int
    out_features: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s16_dsp"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read for every four channels, which are then written."""
        return {0: in_elements(row_blocks(self.rows, self.in_features, self.out_features, 1, 4), 2)}


def pack_fully_connected16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose outputs are proved exact."""
    if type(op) is not QFullyConnected16:
        return None
    weights, *rest = consts
    finish = finish_constants16(op, weights.astype(np.int64), *rest)
    if finish is None or not fits_a_lane(pairs := channels_in_pairs(finish.weights)):
        return None
    laid = np.pad(pairs, ((0, 0), (0, 0), (0, -op.in_features % 4)))
    words = pack_words(laid, fours=False).reshape(len(pairs), -1, 2)
    call = FullyConnected16Dsp(
        op.rows, op.in_features, op.out_features, int(finish.wide), int(finish.shifted), op.act_min, op.act_max
    )  # fmt: skip
    return Packed(call, {"stream": _in_groups(biases(finish), words, scales(finish))})


def _in_groups(before: NDArray[np.int32], words: NDArray[np.int32], behind: NDArray[np.int32]) -> NDArray[np.int32]:
    """What stands before the words [pairs, fours, 2], they, and what stands behind them, in groups of two pairs."""
    groups = [slice(i, i + 2) for i in range(0, len(words), 2)]
    parts = [part for g in groups for part in (before[g], words[g].transpose(1, 0, 2), behind[g])]
    return np.concatenate([part.reshape(-1) for part in parts])
