"""Learned rounding: which of its two neighbours each weight becomes, chosen by what it does to the layer's output."""

from octavo.quant.rounding.least_squares import LeastSquares, least_squares_rounding

__all__ = ["LeastSquares", "least_squares_rounding"]
