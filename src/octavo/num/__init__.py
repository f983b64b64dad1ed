"""Octavo: num."""
