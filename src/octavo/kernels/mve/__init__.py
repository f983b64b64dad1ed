"""Octavo: kernels for Arm's Helium, the M-profile vector extension (Cortex-M55)."""
