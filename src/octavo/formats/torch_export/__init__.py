"""PyTorch: reads torch modules and exported programs (.pt2)."""

from octavo.formats.torch_export.archive import read_pt2
from octavo.formats.torch_export.reader import read_torch

__all__ = ["read_pt2", "read_torch"]
