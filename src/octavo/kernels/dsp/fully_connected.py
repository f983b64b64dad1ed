"""Fully connected layers for the DSP extension: csrc/dsp/fully_connected_s8_dsp.h, or _w4_ for 4-bit weights and
_log2_ for powers of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import row_blocks
from octavo.kernels.dsp.log2 import log2_words
from octavo.kernels.dsp.nibbles import EXACT_NIBBLES, nibble_records, nibble_words, nibbles_are_exact
from octavo.kernels.dsp.words import EXACT, channels_in_pairs, fits_a_lane, pack_words, records
from octavo.kernels.finish import finish_constants
from octavo.kernels.log2 import are_powers_of_two
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["FullyConnectedDsp", "FullyConnectedLog2Dsp", "FullyConnectedW4Dsp", "pack_fully_connected"]


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


@dataclass(frozen=True)
class FullyConnectedW4Dsp(FullyConnectedDsp):
    """FullyConnectedDsp with 4-bit weights."""

    kernel: ClassVar[str] = "fully_connected_w4_dsp"


@dataclass(frozen=True)
class FullyConnectedLog2Dsp(FullyConnectedDsp):
    """FullyConnectedDsp with weights that are powers of two."""

    kernel: ClassVar[str] = "fully_connected_log2_dsp"


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose sums are proved exact, by segments if need be."""
    if type(op) is not QFullyConnected:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64), *rest)
    if finish is None:
        return None
    taps = -(-op.in_features // 4) * 4
    laid = np.pad(finish.weights, ((0, 0), (0, taps - op.in_features)))
    ends = op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max
    if nibbles_are_exact(laid):
        segment = _segment(laid, EXACT_NIBBLES)
        stream = np.concatenate([nibble_words(laid, fours=True), nibble_records(finish)], axis=1).reshape(-1)
        return Packed(FullyConnectedW4Dsp(op.rows, op.in_features, op.out_features, segment, *ends), {"stream": stream})
    pairs = channels_in_pairs(laid)
    if not fits_a_lane(pairs):
        return None
    log2 = are_powers_of_two(laid)
    pack, kind = (log2_words, FullyConnectedLog2Dsp) if log2 else (pack_words, FullyConnectedDsp)
    words = pack(pairs, fours=True).reshape(len(pairs), taps // 4, -1)
    call = kind(op.rows, op.in_features, op.out_features, _segment(laid, EXACT), *ends)
    return Packed(call, {"stream": _in_groups(words, records(finish))})


def _segment(w: NDArray[np.int64], limit: int) -> int:
    """Most taps after which the sums must be taken apart: by 128 * sum |w| of any so many in a row."""
    taps = int(w.shape[1])
    segment = taps
    sums = np.abs(w)
    while 128 * max(int(part.sum(axis=1).max()) for part in np.split(sums, range(segment, taps, segment), 1)) >= limit:
        segment = -(-segment // 32) * 16
    return segment


def _in_groups(words: NDArray[np.int32], ends: NDArray[np.int32]) -> NDArray[np.int32]:
    """Words [pairs, fours, ...] and records [pairs, 5] in the order in which groups of two pairs read them."""
    groups = [(words[i : i + 2], ends[i : i + 2]) for i in range(0, len(words), 2)]
    parts = [part for group, end in groups for part in (group.transpose(1, 0, 2).reshape(-1), end.reshape(-1))]
    return np.concatenate(parts)
