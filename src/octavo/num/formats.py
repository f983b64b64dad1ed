"""Number formats by the name that users give: how weights and activations are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from octavo.errors import OctavoError

__all__ = ["AFFINE", "FORMATS", "GRANULARITIES", "ActivationFormat", "Format", "WeightFormat", "find_format"]


@dataclass(frozen=True)
class ActivationFormat:
    """``dtype`` is int8, int16 or float16; ``symmetric`` sets zero_point 0; ``power_of_two`` makes scales 2^k.

    ``bits``, 2 to 8, are how many of an int8 are used; None all that the dtype has.
    """

    dtype: str = "int8"
    symmetric: bool = False
    power_of_two: bool = False
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in ("int8", "int16", "float16"):
            raise OctavoError(f"activations of {self.dtype}", "are unknown", "Use int8, int16 or float16.")
        if self.power_of_two and not self.symmetric:
            raise OctavoError("power-of-two activations", "have a zero_point", "Make them symmetric.")
        if self.bits is not None and (self.dtype != "int8" or not 2 <= self.bits <= 8):
            raise OctavoError(
                f"{self.dtype} activations of {self.bits} bits", "are not possible", "Use int8 with 2 to 8 bits."
            )

    @property
    def width(self) -> int:
        """Bits of an activation."""
        return self.bits or (8 if self.dtype == "int8" else 16)

    @property
    def narrow(self) -> bool:
        """Whether not all integers of the dtype are used."""
        return self.dtype == "int8" and self.width < 8

    def whole(self) -> ActivationFormat:
        """The same with all integers of the dtype."""
        return replace(self, bits=None)

    def integers(self, one_sided: bool) -> tuple[int, int]:
        """Smallest and largest integer of a range that has 0 at its end (``one_sided``), or that does not.

        Narrow ones with a zero_point are the uppermost of int8: the upper end needs no clamp, and a ReLU is the lower
        one. Narrow ones without are unsigned where nothing is negative.
        """
        if self.narrow and not self.symmetric:
            return 128 - 2**self.width, 127
        if self.narrow and one_sided:
            return 0, 2**self.width - 1
        return -(2 ** (self.width - 1)), 2 ** (self.width - 1) - 1


@dataclass(frozen=True)
class WeightFormat:
    """Symmetric weights. ``kind`` is uniform, log2 (0 and +-2^k) or float16; ``bits`` 2 to 8 (log2: 2 to 4).

    ``granularity`` is per-tensor, per-channel or per-group (of ``group_size`` weights, up to 6 bits).
    """

    kind: str = "uniform"
    bits: int = 8
    power_of_two: bool = False
    granularity: str = "per-channel"
    group_size: int = 32

    def __post_init__(self) -> None:
        if self.kind in _WITH_ZERO_POINT:
            raise _asymmetric(f"{self.kind} weights")
        where = f"{self.kind} weights of {self.bits} bits"
        top = {"uniform": 8, "log2": 4, "float16": 16}.get(self.kind)
        if top is None:
            raise OctavoError(where, "are unknown", "Use uniform, log2 or float16.")
        if not 2 <= self.bits <= top:
            raise OctavoError(where, "are not possible", f"Use 2 to {top} bits.")
        if self.granularity not in GRANULARITIES:
            raise OctavoError(
                f"granularity {self.granularity}", "is unknown", f"Use one of {', '.join(GRANULARITIES)}."
            )
        if self.granularity == "per-group" and (self.kind != "uniform" or self.bits > 6):
            raise OctavoError(
                where,
                "have no groups: a group's factor times a level must fit into int8",
                "Use per-channel, or weights of 2 to 6 bits.",
            )
        if self.group_size < 2:
            raise OctavoError(f"groups of {self.group_size}", "are too small", "Use groups of 2 weights or more.")


GRANULARITIES = ("per-channel", "per-tensor", "per-group")
"""Of weights."""

_WITH_ZERO_POINT = ("affine", "asymmetric", "asymmetric-weights")
"""Names under which people ask for weights with a zero_point."""


def _asymmetric(where: str) -> OctavoError:
    return OctavoError(
        where,
        "are not executed: their zero_point times the sum of the input's integers depends on the data, so every window "
        "would be summed at run time",
        "Use symmetric weights, one scale per-channel; octavo formats MODEL --layer NAME shows what a zero_point would "
        "gain, docs/formats.md what it costs.",
    )


@dataclass(frozen=True)
class Format:
    """A pair of weight and activation format with a name.

    ``forms`` are what a network of this format can be written as: C (and run on the targets), tflite, onnx.
    """

    name: str
    weights: WeightFormat = WeightFormat()
    activations: ActivationFormat = ActivationFormat()
    summary: str = ""
    forms: tuple[str, ...] = ("C", "tflite", "onnx")

    def with_weights(self, granularity: str | None = None, bits: int | None = None) -> Format:
        """The same with other weights."""
        weights = self.weights
        if granularity is not None:
            weights = replace(weights, granularity=granularity)
        if bits is not None:
            weights = replace(weights, bits=bits)
        return replace(self, weights=weights)


AFFINE = ActivationFormat()
_SYMMETRIC = ActivationFormat(symmetric=True)
_SHIFTS = ActivationFormat(symmetric=True, power_of_two=True)
_ALL = (
    Format("affine", summary="int8, zero_point in activations (TensorFlow Lite)"),
    Format("symmetric", activations=_SYMMETRIC, summary="int8, zero_point 0 (TensorRT style)"),
    Format("power-of-two", WeightFormat(power_of_two=True), _SHIFTS, "int8, scales 2^k: requantization is a shift"),
    Format(
        "16x8",
        activations=ActivationFormat("int16", symmetric=True),
        summary="int16 activations, int8 weights",
        forms=("C", "tflite"),
    ),
    Format("int4", WeightFormat(bits=4), summary="int4 weights, int8 activations"),
    Format("4x4", WeightFormat(bits=4), ActivationFormat(bits=4), "int4 weights and activations between layers"),
    Format("log2", WeightFormat("log2", 4), summary="weights 0 and +-2^k in 4 bits: products are shifts"),
    Format(
        "float16",
        WeightFormat("float16", 16),
        ActivationFormat("float16"),
        "IEEE binary16, float32 sums",
        ("C", "onnx"),
    ),
)

FORMATS: dict[str, Format] = {entry.name: entry for entry in _ALL}
"""By name."""


def find_format(name: str | Format) -> Format:
    """A format by name; OctavoError lists what there is."""
    if isinstance(name, Format):
        return name
    if name in _WITH_ZERO_POINT and name not in FORMATS:
        raise _asymmetric("asymmetric weights")
    if name not in FORMATS:
        raise OctavoError(f"format {name}", "is unknown", f"Use one of {', '.join(FORMATS)}.")
    return FORMATS[name]
