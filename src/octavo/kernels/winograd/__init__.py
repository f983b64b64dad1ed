"""Octavo: convolutions with fewer multiplications and larger weights, for the DSP extension."""
