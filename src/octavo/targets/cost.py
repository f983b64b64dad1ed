"""What a target assumes of time and energy: cycles by kind of instruction, and the current that a clock draws."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Cycles", "Energy", "named"]

MAX_CYCLES = 1000.0
MAX_SOURCE = 400


def named(source: str) -> None:
    """ValueError unless the text can say where numbers come from."""
    if not 1 <= len(source.strip()) <= MAX_SOURCE:
        raise ValueError(f"source must say in 1 to {MAX_SOURCE} characters where the numbers come from")


@dataclass(frozen=True)
class Cycles:
    """Cycles of an instruction by its kind, without wait states, and the clock in Hz that turns them into time.

    ``source`` says whose numbers these are. ``load_after_load`` is what a load costs right behind another whose result
    is not its address; ``load_use`` is added when the next instruction needs what was loaded, ``address_use`` when a
    load or store takes its address from the arithmetic right before it. Loads and stores of several registers cost
    ``multiple`` and ``multiple_register`` for each word. ``branch`` is one that is not taken, ``jump`` is
    unconditional (calls and returns included). ``multiply_long`` has a result of 64 bits or its upper half,
    ``multiply_simd`` multiplies parts of a register, ``floating`` is any instruction of the floating-point unit.
    ``vector`` is of a 128-bit register; ``vector_overlap`` what it costs right behind a vector instruction of another
    unit (memory, multiplier, the rest). ``loop_end`` closes a hardware loop. With ``dual_issue`` two neighbours that
    need neither the same unit nor each other take the time of the longer.
    """

    source: str
    clock_hz: int
    load: float
    store: float
    multiply: float
    branch_taken: float
    jump: float
    alu: float = 1.0
    load_after_load: float | None = None
    load_use: float = 0.0
    address_use: float = 0.0
    multiple: float = 1.0
    multiple_register: float = 1.0
    multiply_accumulate: float = 1.0
    multiply_long: float = 1.0
    multiply_simd: float = 1.0
    divide: float = 1.0
    branch: float = 1.0
    floating: float = 1.0
    vector: float = 1.0
    vector_overlap: float | None = None
    loop_end: float = 1.0
    dual_issue: bool = False

    def __post_init__(self) -> None:
        named(self.source)
        if not 1_000 <= self.clock_hz <= 10**10:
            raise ValueError(f"clock_hz {self.clock_hz} is out of range")
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name not in ("source", "clock_hz", "dual_issue") and value is not None:
                if not 0 <= value <= MAX_CYCLES:
                    raise ValueError(f"cycles of {entry.name} are {value!r}, not between 0 and {MAX_CYCLES:.0f}")


@dataclass(frozen=True)
class Energy:
    """The current of a running core in microamperes per megahertz, at ``volts``; ``source`` says of which chip."""

    source: str
    microamperes_per_megahertz: float
    volts: float

    def __post_init__(self) -> None:
        named(self.source)
        for name, value, limit in (
            ("microamperes_per_megahertz", self.microamperes_per_megahertz, 1e5),
            ("volts", self.volts, 100.0),
        ):
            if not 0 < value <= limit:
                raise ValueError(f"{name} {value!r} is not between 0 and {limit:.0f}")

    @property
    def picojoules_per_cycle(self) -> float:
        """Of the whole chip, as its datasheet measures it: microamperes per megahertz times volts."""
        return self.microamperes_per_megahertz * self.volts
