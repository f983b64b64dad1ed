"""Octavo: lower."""
