"""Relative energy of a multiply-accumulate: a model, not a measurement.

The anchors are Horowitz's energies of operators alone in 45 nm at 0.9 V ("Computing's energy problem (and what we can
do about it)", ISSCC 2014): in pJ, integer additions 0.03 (8 bits), 0.05 (16), 0.1 (32), integer products 0.2 (8 x 8)
and 3.1 (32 x 32), float16 addition 0.4 and product 1.1, float32 addition 0.9 and product 3.7; shifts are those of
ShiftAddNet (You et al. 2020, table 1): 0.024 (8 bits), 0.057 (16), 0.13 (32). Memory is not counted, and costs more.
"""

from __future__ import annotations

import math

from octavo.num.formats import AFFINE, ActivationFormat, WeightFormat
from octavo.num.levels import group_factor_limit

__all__ = ["ANCHORS", "INT8", "add_energy", "mac_energy", "multiply_energy", "window_sum_energy"]

ANCHORS = {
    "int8 add": 0.03,
    "int16 add": 0.05,
    "int32 add": 0.1,
    "int8 multiply": 0.2,
    "int32 multiply": 3.1,
    "float16 add": 0.4,
    "float16 multiply": 1.1,
    "float32 add": 0.9,
    "float32 multiply": 3.7,
    "int16 shift": 0.057,
}
"""Published energies in pJ."""

INT8 = WeightFormat()
"""Plain int8 weights."""

_ACCUMULATOR = {"int8": 32, "int16": 48}
"""Bits of the accumulator, by the dtype of the activations."""


def add_energy(bits: int) -> float:
    """An integer addition in pJ: proportional to its bits, 0.1 for 32."""
    return ANCHORS["int32 add"] * bits / 32


def multiply_energy(a: int, b: int) -> float:
    """An integer product in pJ: proportional to the product of the operands' bits, 0.2 for 8 x 8.

    32 x 32 then takes 3.2, and Horowitz gives 3.1.
    """
    return ANCHORS["int8 multiply"] * a * b / 64


def mac_energy(weights: WeightFormat = INT8, activations: ActivationFormat = AFFINE) -> float:
    """Energy of one multiply-accumulate relative to int8 x int8 with a 32-bit sum, on a unit that is built for it.

    int16 activations sum in 48 bits, float16 in float32; a log2 weight shifts. A group's
    sum is multiplied by its factor and added once for the whole group. Kernels that hold narrow weights as int8
    spend 1, whatever this says.
    """
    return _energy(weights, activations) / (multiply_energy(8, 8) + add_energy(32))


def _energy(weights: WeightFormat, activations: ActivationFormat) -> float:
    """In pJ."""
    if "float16" in (weights.kind, activations.dtype):
        return ANCHORS["float16 multiply"] + ANCHORS["float32 add"]
    width, total = activations.width, _ACCUMULATOR[activations.dtype]
    if weights.kind == "log2":
        return ANCHORS["int16 shift"] * width / 8 + add_energy(total)
    energy = multiply_energy(weights.bits, width) + add_energy(total)
    if weights.granularity == "per-group":
        factor = group_factor_limit(weights.bits).bit_length()
        group_sum = width + weights.bits + math.ceil(math.log2(weights.group_size))
        energy += (multiply_energy(factor, group_sum) + add_energy(total)) / weights.group_size
    return energy


def window_sum_energy(window: int, sharing: int, per_tensor: bool) -> float:
    """What a zero_point of int8 weights adds to each multiply-accumulate, relative as ``mac_energy``.

    The inputs of a window (``window`` of them) are added once for the ``sharing`` output channels that read it; the sum
    times the zero_point is subtracted from every output, and with one zero_point for the tensor it is multiplied once.
    """
    sums = add_energy(32) / sharing
    product = multiply_energy(8, 8 + math.ceil(math.log2(max(window, 2)))) / window
    total = sums + (product / sharing if per_tensor else product) + add_energy(32) / window
    return total / (multiply_energy(8, 8) + add_energy(32))
