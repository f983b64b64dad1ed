"""Fully connected layers for the DSP extension: csrc/dsp/fully_connected_s8_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import row_blocks
from octavo.kernels.dsp.constants import finish_constants
from octavo.kernels.dsp.words import EXACT, channels_in_pairs, fits_a_lane, pack_words, records
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["FullyConnectedDsp", "pack_fully_connected"]


@dataclass(frozen=True)
class FullyConnectedDsp(IntegerOp):
    """The parameters of octavo_fully_connected_s8_dsp."""

    rows: int
    in_features: int
    out_features: int
    segment: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read for every four channels, which are then written."""
        return {0: row_blocks(self.rows, self.in_features, self.out_features, 1, 4)}


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose sums are proved exact, by segments if need be."""
    if type(op) is not QFullyConnected:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64), *rest)
    if finish is None or not fits_a_lane(pairs := channels_in_pairs(finish.weights)):
        return None
    taps = -(-op.in_features // 4) * 4
    laid = np.pad(pairs, ((0, 0), (0, 0), (0, taps - op.in_features)))
    words = pack_words(laid, fours=True).reshape(len(pairs), taps // 4, 2)
    call = FullyConnectedDsp(
        op.rows, op.in_features, op.out_features, _segment(finish.weights, taps), op.output_zero_point,
        int(finish.negative_ties), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {"stream": _in_groups(words, records(finish))})


def _segment(w: NDArray[np.int64], taps: int) -> int:
    """Most taps after which the sums must be taken apart: by 128 * sum |w| of any so many in a row."""
    segment = taps
    sums = np.pad(np.abs(w), ((0, 0), (0, taps - w.shape[1])))
    while 128 * max(int(part.sum(axis=1).max()) for part in np.split(sums, range(segment, taps, segment), 1)) >= EXACT:
        segment = -(-segment // 32) * 16
    return segment


def _in_groups(words: NDArray[np.int32], ends: NDArray[np.int32]) -> NDArray[np.int32]:
    """Words [pairs, fours, 2] and records [pairs, 5] in the order in which groups of two pairs read them."""
    groups = [(words[i : i + 2], ends[i : i + 2]) for i in range(0, len(words), 2)]
    parts = [part for group, end in groups for part in (group.transpose(1, 0, 2).reshape(-1), end.reshape(-1))]
    return np.concatenate(parts)
