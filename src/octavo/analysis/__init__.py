"""Octavo: analysis."""
