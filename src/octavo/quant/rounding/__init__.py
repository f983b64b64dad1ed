"""Learned rounding: which of its two neighbours each weight becomes, chosen by what it does to the layer's output."""

from octavo.quant.rounding.least_squares import LeastSquares, compensated, least_squares_rounding
from octavo.quant.rounding.reconstruct import ADAROUND, Reconstruction, Step, reconstruct

__all__ = ["ADAROUND", "LeastSquares", "Reconstruction", "Step", "compensated", "least_squares_rounding", "reconstruct"]
