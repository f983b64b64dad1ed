"""Octavo: quant."""
