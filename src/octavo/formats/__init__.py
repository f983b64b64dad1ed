"""Octavo: formats."""
