"""What a single layer of a mixed-precision network may be: the bits of its weights and the dtype of its activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from octavo.errors import OctavoError
from octavo.num.formats import Format, WeightFormat

__all__ = ["OPTIONS", "Option", "find_options"]

OPTIONS = (*(f"int{bits}" for bits in range(8, 1, -1)), *(f"16x{bits}" for bits in range(8, 1, -1)))
"""Names: intB has B-bit weights and int8 activations, 16xB has B-bit weights and int16 activations."""


@dataclass(frozen=True)
class Option:
    """A choice for a linear layer; ``activations`` (int8 or int16) is the dtype of its inputs and its output."""

    name: str
    weights: WeightFormat
    activations: str

    @property
    def activation_bits(self) -> int:
        """8 or 16."""
        return 16 if self.activations == "int16" else 8


def find_options(names: Sequence[str], base: Format, allowed: Sequence[str]) -> tuple[Option, ...]:
    """Options by name, with what ``base`` says of weights besides their bits.

    ``allowed`` are the names of formats that the target has: options of int16 activations need 16x8, those of fewer
    than 8 bits int4. Weights of 7 and 8 bits take a scale for each channel where ``base`` has groups. OctavoError for
    names that are unknown, not allowed or given twice, and for formats whose numbers cannot be mixed.
    """
    if not names or len(set(names)) != len(names):
        raise OctavoError(f"options {', '.join(names)}", "are none, or not all different", "Name each option once.")
    if base.weights.kind != "uniform" or base.activations.dtype != "int8":
        raise OctavoError(
            f"format {base.name}",
            "cannot be mixed: its layers differ from int8 ones in more than bits",
            "Mix layers on the base of affine, symmetric or power-of-two.",
        )
    return tuple(_option(name, base, allowed) for name in names)


def _option(name: str, base: Format, allowed: Sequence[str]) -> Option:
    where = f"option {name}"
    if name == "float16":
        raise OctavoError(
            where,
            "cannot be mixed with integers: no executor has both",
            "Take 16x8 for layers that need finer activations, or float16 for the whole network.",
        )
    if name not in OPTIONS:
        raise OctavoError(where, "is unknown", f"Use some of {', '.join(OPTIONS)}.")
    wide, bits = name.startswith("16x"), int(name.removeprefix("int").removeprefix("16x"))
    for format, needed in (("16x8", wide), ("int4", bits < 8)):
        if needed and format not in allowed:
            raise OctavoError(
                where, f"needs the format {format}, which the target does not have", f"It has {', '.join(allowed)}."
            )
    grouped = base.weights.granularity == "per-group"
    granularity = "per-channel" if grouped and bits > 6 else base.weights.granularity
    return Option(name, replace(base.weights, bits=bits, granularity=granularity), "int16" if wide else "int8")
