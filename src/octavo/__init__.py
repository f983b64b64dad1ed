"""Octavo: from a trained float network to the same integers everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octavo.errors import OctavoError

if TYPE_CHECKING:
    from octavo.api import compare, export, load, quantize

__version__ = "0.1.0"

__all__ = ["OctavoError", "__version__", "compare", "export", "load", "quantize"]

_API = ("compare", "export", "load", "quantize")


def __getattr__(name: str) -> Any:
    """Import the API on first use, so that ``octavo --help`` need not wait for torch."""
    if name in _API:
        from octavo import api

        # All at once: importing the API binds the module octavo.export, which is not what users call.
        globals().update({public: getattr(api, public) for public in _API})
        return globals()[name]
    raise AttributeError(f"module 'octavo' has no attribute {name!r}")
