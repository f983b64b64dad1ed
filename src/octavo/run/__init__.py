"""Octavo: run."""
