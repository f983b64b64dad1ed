"""Octavo: kernels for cores without SIMD."""
