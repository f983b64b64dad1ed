"""What an accelerator has: operators with limits, an array of multipliers, special units, memory speed, energy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from octavo.num.formats import FORMATS as KNOWN
from octavo.targets.cost import named

__all__ = ["ACTIVATIONS", "MOST", "OPERATOR_NAMES", "UNITS", "Accelerator", "Limits"]

MOST = 65536
"""What a limit is where a file does not give it."""

ACTIVATIONS = ("relu", "relu6", "relu1", "clip")
"""What may be fused behind an operator: to (0, inf), (0, 6), (-1, 1), and any other clip."""

UNITS = ("depthwise", "pointwise")

# The keys of octavo.ops.OPERATORS, which a test compares: those need torch, and a list of targets does not.
OPERATOR_NAMES = (
    "Abs", "Add", "AveragePool2D", "BatchNorm", "Clip", "Concat", "Conv2D", "DepthwiseConv2D", "Div", "Elu", "Erf",
    "Exp", "FullyConnected", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "LogSoftmax",
    "MaxPool2D", "Maximum", "Mean", "Minimum", "Mish", "Mul", "Neg", "Pad", "Prelu", "Requantize", "Reshape",
    "ResizeBilinear", "ResizeNearest", "Rsqrt", "Sigmoid", "Silu", "Slice", "Softmax", "Softplus", "Sqrt", "Square",
    "Sub", "Sum", "Tanh", "Transpose", "TransposeConv2D",
)  # fmt: skip

Pair = tuple[int, int]
_ETHOS = re.compile(r"ethos-u\d{2}-\d{2,4}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, not between {low:g} and {high:g}")


def _positive(name: str, value: float, high: float) -> None:
    if not 0 < value <= high:
        raise ValueError(f"{name} is {value!r}, not above 0 and up to {high:g}")


def _known(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for value in values:
        if value not in allowed:
            raise ValueError(f"{name} names {value!r}; allowed: {', '.join(allowed)}")


@dataclass(frozen=True)
class Limits:
    """What one operator may be. Pairs are (height, width); whatever is left out is not limited.

    ``formats`` are names of number formats (none: all that the target has). ``kernel``, ``stride`` and ``dilation`` are
    the largest, of Slice ``stride`` is its step; ``square`` lists the only kernels, as 3 for 3 x 3; ``window`` is the
    most elements of a kernel, or that a Mean takes together. ``channels`` is the most, in and out, and ``multiple``
    what they must be multiples of; ``size`` the largest image, ``ranks`` those of the inputs (none: all). ``groups`` is
    the most of a convolution, ``multiplier`` the most outputs of a depthwise channel. ``activations`` may be fused.
    ``cycles_per_element`` is the time of an output element where no multiplier array computes it; 0: the target's.
    """

    formats: tuple[str, ...] = ()
    kernel: Pair = (MOST, MOST)
    square: tuple[int, ...] = ()
    window: int = MOST * MOST
    stride: Pair = (MOST, MOST)
    dilation: Pair = (MOST, MOST)
    channels: int = MOST * MOST
    multiple: int = 1
    size: Pair = (MOST, MOST)
    ranks: tuple[int, ...] = ()
    groups: int = MOST
    multiplier: int = MOST
    activations: tuple[str, ...] = ACTIVATIONS
    cycles_per_element: float = 0.0

    def __post_init__(self) -> None:
        _known("formats", self.formats, tuple(KNOWN))
        _known("activations", self.activations, ACTIVATIONS)
        for name in ("kernel", "stride", "dilation", "size"):
            pair = getattr(self, name)
            if len(pair) != 2:
                raise ValueError(f"{name} is {list(pair)}, not [height, width]")
            for value in pair:
                _within(name, value, 1, MOST)
        for name, value, high in (
            ("window", self.window, MOST * MOST),
            ("channels", self.channels, MOST * MOST),
            ("multiple", self.multiple, 1024),
            ("groups", self.groups, MOST),
            ("multiplier", self.multiplier, MOST),
        ):
            _within(name, value, 1, high)
        for rank in self.ranks:
            _within("ranks", rank, 1, 8)
        for size in self.square:
            _within("square", size, 1, MOST)
        _within("cycles_per_element", self.cycles_per_element, 0, 1e6)


@dataclass(frozen=True)
class Accelerator:
    """A machine beside or in place of a processor, for which Octavo writes no code: ``octavo check`` reads it.

    In a cycle the array multiplies ``inputs`` channels of ``pixels`` pixels with the weights of ``outputs`` channels,
    and at most ``leaving`` elements of results leave it; other operators make ``elements`` output elements. ``units``
    are how many times faster than the array a special unit computes depthwise or pointwise (1 x 1) convolutions,
    ``speed`` how fast a number format is, with int8 as 1.
    With ``tables`` every function of one int8 is a lookup; with ``fallback`` a processor runs what is not supported.
    Weights lie in the target's flash, activations in its RAM, with their bytes a cycle and picojoules a byte; on a
    ``shared_bus`` the two wait for each other. ``vela`` is the configuration by which the Vela compiler knows it.
    """

    source: str
    clock_hz: int
    inputs: int
    outputs: int
    operators: Mapping[str, Limits] = field(hash=False)
    pixels: int = 1
    leaving: float = math.inf
    elements: float = 1.0
    units: Mapping[str, float] = field(default_factory=dict, hash=False)
    speed: Mapping[str, float] = field(default_factory=dict, hash=False)
    tables: bool = False
    fallback: bool = False
    flash_bytes_per_cycle: float = math.inf
    ram_bytes_per_cycle: float = math.inf
    shared_bus: bool = False
    picojoules_per_mac: float = 0.0
    picojoules_per_flash_byte: float = 0.0
    picojoules_per_ram_byte: float = 0.0
    vela: str = ""

    def __post_init__(self) -> None:
        named(self.source)
        _within("clock_hz", self.clock_hz, 1_000, 10**10)
        for name in ("inputs", "outputs", "pixels"):
            _within(name, getattr(self, name), 1, 4096)
        _positive("elements", self.elements, 1e6)
        for name in ("leaving", "flash_bytes_per_cycle", "ram_bytes_per_cycle"):
            if getattr(self, name) != math.inf:
                _positive(name, getattr(self, name), 1e6)
        for name in ("picojoules_per_mac", "picojoules_per_flash_byte", "picojoules_per_ram_byte"):
            _within(name, getattr(self, name), 0, 1e6)
        _factors("units", self.units, UNITS)
        _factors("speed", self.speed, tuple(KNOWN))
        _known("operators", tuple(self.operators), OPERATOR_NAMES)
        if not self.operators:
            raise ValueError("operators must name at least one")
        if self.vela and not _ETHOS.fullmatch(self.vela):
            raise ValueError(f"vela is {self.vela!r}, not a configuration as ethos-u55-128")
        for name in ("operators", "units", "speed"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def macs_per_cycle(self) -> int:
        """Of the whole array."""
        return self.inputs * self.outputs * self.pixels


def _factors(name: str, table: Mapping[str, float], allowed: tuple[str, ...]) -> None:
    _known(name, tuple(table), allowed)
    for key, value in table.items():
        if type(value) not in (int, float):
            raise ValueError(f"{name} of {key} is {value!r}, not a number")
        _positive(f"{name} of {key}", value, 1e4)
