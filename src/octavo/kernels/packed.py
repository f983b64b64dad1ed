"""What a kernel variant makes of an integer node: a C call with parameters and constants of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from octavo.ir.graph import Array
from octavo.ops.base import IntegerOp

__all__ = ["Packed", "Variant"]


@dataclass(frozen=True)
class Packed:
    """The operator that the C call stands for, and its constants in order; they follow the node's activations."""

    op: IntegerOp
    consts: Mapping[str, Array]


Variant = Callable[[IntegerOp, tuple[Array, ...]], Packed | None]
"""(integer operator, its constants in order) to its packed form, or None where the kernel cannot run it exactly."""
