"""Full float32 sums, whatever the process has chosen: integers have no room in TF32 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["full_float32"]


def _places() -> list[Any]:
    """Where PyTorch keeps what convolutions and matrix products may round to; older ones (before 2.9) have no such."""
    backends: Any = torch.backends
    found = [
        getattr(getattr(backends, name), part, None)
        for name, part in (("cuda", "matmul"), ("cudnn", "conv"), ("mkldnn", "matmul"), ("mkldnn", "conv"))
    ]
    return [place for place in found if hasattr(place, "fp32_precision")]


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """No autocast on ``device``, no TF32, no bfloat16 inside float32 operators; afterwards all is as before."""
    places = _places()
    before = [place.fp32_precision for place in places]
    legacy = None if places else (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
    try:
        for place in places:
            place.fp32_precision = "ieee"
        if legacy is not None:
            torch.set_float32_matmul_precision("highest")
            torch.backends.cudnn.allow_tf32 = False
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision
        if legacy is not None:
            torch.set_float32_matmul_precision(legacy[0])
            torch.backends.cudnn.allow_tf32 = legacy[1]
