"""Octavo: kernels for x86-64, which run a model's integers fast on a developer's machine."""
