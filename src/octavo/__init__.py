"""Octavo: from a trained float network to the same integers everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octavo.errors import OctavoError

if TYPE_CHECKING:
    from octavo.api import Budget, Diagnosis, compare, diagnose, export, finetune, load, quantize, trainable
    from octavo.bundles import bundle

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Diagnosis",
    "OctavoError",
    "__version__",
    "bundle",
    "compare",
    "diagnose",
    "export",
    "finetune",
    "load",
    "quantize",
    "trainable",
]


def __getattr__(name: str) -> Any:
    """Import the API on first use, so that ``octavo --help`` need not wait for torch."""
    if name in ("Budget", "Diagnosis", "compare", "diagnose", "export", "finetune", "load", "quantize", "trainable"):
        from octavo import api

        return getattr(api, name)
    if name == "bundle":
        from octavo.bundles import bundle

        return bundle
    raise AttributeError(f"module 'octavo' has no attribute {name!r}")
