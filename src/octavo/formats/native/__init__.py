"""Octavo's own folder format for a Quantized: graph.json and tensors.safetensors."""

from octavo.formats.native.store import read_quantized, write_quantized

__all__ = ["read_quantized", "write_quantized"]
