"""Octavo: quant/ranges."""
