"""Sums of two tensors for x86-64: csrc/x86/add_s8_x86.h."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.dsp.add import AddDsp
from octavo.kernels.dsp.add import pack_add as pack_add_dsp
from octavo.kernels.packed import Packed
from octavo.ops.base import IntegerOp

__all__ = ["AddX86", "pack_add"]


@dataclass(frozen=True)
class AddX86(AddDsp):
    """The parameters of octavo_add_s8_x86: those of octavo_add_s8_dsp, whose arithmetic it shares."""

    kernel: ClassVar[str] = "add_s8_x86"


def pack_add(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape, exact by the same proof as for the DSP extension."""
    packed = pack_add_dsp(op, consts)
    if packed is None:
        return None
    assert isinstance(packed.op, AddDsp)
    return Packed(AddX86(**asdict(packed.op)), packed.consts)
