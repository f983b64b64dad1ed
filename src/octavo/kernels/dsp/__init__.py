"""Octavo: kernels for Arm's DSP extension (Cortex-M4, M7, M33)."""
