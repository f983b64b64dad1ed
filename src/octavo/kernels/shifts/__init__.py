"""Kernels without multiplications, for weights of four bits on cores whose multiplier is slow."""
