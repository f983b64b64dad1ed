"""The order of float16 numbers as that of integers: -0 comes before 0, and equal numbers have equal bits."""

from __future__ import annotations

import torch

__all__ = ["halves", "keys"]


def keys(x: torch.Tensor) -> torch.Tensor:
    """int16 with the order of the float16 numbers: the bits, and those of negative numbers but the sign turned."""
    return _turned(x.view(torch.int16))


def halves(key: torch.Tensor) -> torch.Tensor:
    """The numbers of these keys."""
    return _turned(key).view(torch.float16)


def _turned(bits: torch.Tensor) -> torch.Tensor:
    return torch.where(bits < 0, bits ^ 0x7FFF, bits)
