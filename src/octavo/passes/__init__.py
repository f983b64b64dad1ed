"""Rewriting of float graphs. Every pass is a pure function; what it computes stays the same within 1e-5.

``normalize`` (pipeline.py) runs the standard pipeline, ``prove`` (proof.py) compares two graphs on random inputs.

A pass is one file with one function ``(Graph) -> Graph``, its cases numbered in the docstring, which returns the graph
itself when nothing changes: fold_constants, remove_identity, match_functions, layout, fold_batch_norm, fold_padding,
fuse_activation, merge, decompose, replace_batch_norm. What they stand on: rewrite.py (the sweep), shapes.py and
placement.py and features.py (transposes), affine.py (functions of a channel), ranges.py (bounds of values).
"""

from octavo.passes.pipeline import normalize
from octavo.passes.proof import prove

__all__ = ["normalize", "prove"]
