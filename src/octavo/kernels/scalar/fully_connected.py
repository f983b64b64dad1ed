"""Fully connected layers for cores without SIMD: csrc/scalar/fully_connected_s8_scalar.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["FullyConnectedScalar", "pack_fully_connected"]

_GROUP = 4


@dataclass(frozen=True)
class FullyConnectedScalar(IntegerOp):
    """The parameters of octavo_fully_connected_s8_scalar."""

    rows: int
    in_features: int
    out_features: int
    shift_only: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s8_scalar"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read for every four channels, and for each of those that are left; they are then written."""
        whole = self.out_features // _GROUP * _GROUP
        first = np.concatenate([np.arange(0, whole, _GROUP), np.arange(whole, self.out_features)])
        end = np.append(first[1:], self.out_features)
        row = np.arange(self.rows)[:, None]
        reads = self.in_features * row + 0 * first, self.in_features * (row + 1) + 0 * first
        return {0: distance(reads, (self.out_features * row + first, self.out_features * row + end))}


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose sums are proved exact."""
    if type(op) is not QFullyConnected:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64), *rest, scaled=4)
    if finish is None:
        return None
    whole = op.out_features // _GROUP * _GROUP
    fours = finish.weights[:whole].reshape(-1, _GROUP, op.in_features).transpose(0, 2, 1)
    laid = np.concatenate([fours.reshape(-1), finish.weights[whole:].reshape(-1)])
    records = np.stack([finish.bias, finish.multiplier, finish.shift.astype(np.int32) + 1], axis=1)
    call = FullyConnectedScalar(
        op.rows, op.in_features, op.out_features, int(finish.shift_only), op.output_zero_point,
        int(finish.negative_ties), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {"weights": laid.astype(np.int8), "records": records.reshape(-1)})
