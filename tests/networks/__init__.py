"""Test networks."""
