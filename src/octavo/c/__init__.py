"""Octavo: c."""
