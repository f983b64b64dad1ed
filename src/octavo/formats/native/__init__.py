"""Octavo's own folder format for a Quantized: graph.json and tensors.safetensors."""

from octavo.formats.native.store import FILES, read_quantized, timeless, write_quantized

__all__ = ["FILES", "read_quantized", "timeless", "write_quantized"]
