"""Octavo: kernels, faster forms of integer operators for targets that can run them."""
