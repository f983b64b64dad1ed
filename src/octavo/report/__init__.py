"""Octavo: report."""
