"""A target device, read from a TOML file and refused if anything in it is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from octavo.errors import OctavoError
from octavo.num.formats import FORMATS as KNOWN
from octavo.num.options import OPTIONS
from octavo.targets.accelerator import Accelerator, Limits
from octavo.targets.architecture import ARCHITECTURES
from octavo.targets.cost import Cycles, Energy

__all__ = ["COSTS", "Arithmetic", "Board", "Target", "available_targets", "load_target", "target_text"]

ROUNDINGS = ("tflm",)
FEATURES = ("dsp", "mve", "scalar", "shifts", "winograd", "x86")

_NARROW, _WIDE, _UNPACK = 1.0, 1.6, 0.1
COSTS: Mapping[str, float] = MappingProxyType(
    {
        name: (_WIDE if name.startswith("16x") else _NARROW) + (0.0 if name.endswith("8") else _UNPACK)
        for name in OPTIONS
    }
    | {"requantize": 2.0}
)
"""Estimated cycles of a multiply-accumulate in units of int8's, by a layer's option; and of a requantized element."""

MAX_TOML_BYTES = 65536
_FLAG = re.compile(r"-m[A-Za-z0-9.+=-]+")
_QEMU_NAME = re.compile(r"[a-z0-9-]+")
_WORDS: Mapping[Any, str] = {int: "whole number", str: "text", float: "number", bool: "true or false"}


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} {value!r} is unknown, allowed: {', '.join(allowed)}")


@dataclass(frozen=True)
class Arithmetic:
    """How the device rounds when it requantizes; ``tflm`` is the contract of docs/numerics.md."""

    rounding: str = "tflm"

    def __post_init__(self) -> None:
        _one_of("rounding", self.rounding, ROUNDINGS)


@dataclass(frozen=True)
class Board:
    """An emulated board: QEMU machine, compiler flags, memory regions (origin, length), Hz of its counter.

    ``architecture`` is a key of ARCHITECTURES; ``cpu`` a processor of QEMU's, where the machine leaves the choice.
    """

    machine: str
    flags: tuple[str, ...]
    flash: tuple[int, int]
    ram: tuple[int, int]
    counter_hz: int
    architecture: str = "cortex-m"
    cpu: str = ""

    def __post_init__(self) -> None:
        _one_of("architecture", self.architecture, tuple(ARCHITECTURES))
        for name, value in (("machine", self.machine), ("cpu", self.cpu or "-")):
            if not _QEMU_NAME.fullmatch(value):
                raise ValueError(f"{name} {value!r} is not a name of QEMU's")
        if not self.flags or not all(_FLAG.fullmatch(flag) for flag in self.flags):
            raise ValueError(f"flags {list(self.flags)} must be machine options of the compiler (-m...)")
        for name, region in (("flash", self.flash), ("ram", self.ram)):
            if len(region) != 2 or region[0] < 0 or region[1] <= 0 or sum(region) > 2**32:
                raise ValueError(f"{name} {list(region)} is not [origin, length] in 32 bits")
        if not 1_000 <= self.counter_hz <= 10**9:
            raise ValueError(f"counter_hz {self.counter_hz} is out of range")


@dataclass(frozen=True)
class Target:
    """A device. ``alignment`` is that of arena offsets in bytes; ``board`` is None where nothing is emulated.

    ``features`` are the instruction sets for which there are kernels, the preferred first.
    ``costs`` are cycles a multiply-accumulate by the option of a layer (int8, 16x8, int4 ...), and those of an element
    that a Requantize converts (requantize). They weigh formats; ``cycles`` and ``energy`` are what ``octavo profile``
    estimates with, or None where nothing is known. A target with an ``accelerator`` is one that ``octavo check``
    measures networks by, and for which Octavo writes no C.
    """

    name: str
    description: str
    flash_bytes: int
    ram_bytes: int
    alignment: int = 4
    formats: tuple[str, ...] = tuple(KNOWN)
    features: tuple[str, ...] = ()
    arithmetic: Arithmetic = Arithmetic()
    board: Board | None = None
    costs: Mapping[str, float] = field(default_factory=lambda: COSTS, hash=False)
    cycles: Cycles | None = None
    energy: Energy | None = None
    accelerator: Accelerator | None = None

    def __post_init__(self) -> None:
        for name, cycles in self.costs.items():
            _one_of("costs", name, tuple(COSTS))
            if type(cycles) not in (int, float) or not 0 < cycles <= 1e6:
                raise ValueError(f"costs of {name} are {cycles!r}, not a positive number of cycles")
        object.__setattr__(self, "costs", MappingProxyType({**COSTS, **self.costs}))
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", self.name):
            raise ValueError(f"name {self.name!r} must be of lower-case letters, digits and hyphens")
        if min(self.flash_bytes, self.ram_bytes) < 1:
            raise ValueError("flash_bytes and ram_bytes must be positive")
        if self.alignment not in (4, 8, 16, 32):  # kernels read words of 4 bytes in the arena
            raise ValueError(f"alignment {self.alignment} must be 4, 8, 16 or 32")
        if not self.formats:
            raise ValueError("formats must name at least one")
        for name in self.formats:
            _one_of("formats", name, tuple(KNOWN))
        for name in self.features:
            _one_of("features", name, FEATURES)
        if self.energy is not None and self.cycles is None:
            raise ValueError("energy is of a cycle: it needs the table cycles")
        if self.accelerator is not None and (self.board, self.cycles, self.features) != (None, None, ()):
            raise ValueError("accelerator goes with none of board, cycles and features: no C is written for it")

    def require_code(self) -> None:
        """OctavoError when Octavo writes no code for this target."""
        if self.accelerator is not None:
            raise OctavoError(
                f"target {self.name}",
                "is an accelerator, for which Octavo writes no C",
                "octavo check tells how a network fits it; octavo quantize writes .tflite and ONNX for its own tools.",
            )


def available_targets() -> tuple[str, ...]:
    """Names of the targets that Octavo brings along."""
    names = (entry.name for entry in files("octavo.targets").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_target(name: str | Path) -> Target:
    """A target by name, or from a TOML file of the user's. OctavoError lists what is allowed."""
    text, content = str(name), target_text(name)
    remedy = "Correct the file; docs/targets.md lists the keys, docs/check.md those of an accelerator."
    try:
        return _build(tomllib.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise OctavoError(f"target {text}", str(error), remedy) from error


def target_text(name: str | Path) -> str:
    """The TOML text that describes a target, by name or path."""
    text = str(name)
    if text.endswith(".toml"):
        path = Path(text)
        if not path.is_file() or path.stat().st_size > MAX_TOML_BYTES:
            raise OctavoError(f"target {text}", "is not a target file", "Give the path of a small TOML file.")
        return path.read_text(errors="replace")
    if text in available_targets():
        return files("octavo.targets").joinpath(f"{text}.toml").read_text()
    known = ", ".join(available_targets())
    raise OctavoError(f"target {text}", "is unknown", f"Use one of {known}, or the path of a .toml file.")


_TABLES: Mapping[str, type] = {
    "arithmetic": Arithmetic,
    "board": Board,
    "cycles": Cycles,
    "energy": Energy,
}


def _build(document: Mapping[str, Any]) -> Target:
    values = _checked("target", document, Target)
    for name, kind in _TABLES.items():
        if name in values:
            values[name] = kind(**_checked(name, values[name], kind))
    if "accelerator" in values:
        values["accelerator"] = _accelerator(values["accelerator"])
    _tables(values, "costs")
    return Target(**values)


def _accelerator(table: Any) -> Accelerator:
    values = _checked("accelerator", table, Accelerator)
    _tables(values, "operators", "units", "speed")
    limits = {}
    for name, entry in values["operators"].items():
        try:
            limits[name] = Limits(**_checked(name, entry, Limits))
        except ValueError as error:
            raise ValueError(f"accelerator.operators.{name}: {error}") from error
    try:
        return Accelerator(**{**values, "operators": limits})
    except ValueError as error:
        raise ValueError(f"accelerator: {error}") from error


def _tables(values: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(values.get(name, {}), Mapping):
            raise ValueError(f"{name} must be a table")


def _checked(what: str, table: Any, kind: type) -> dict[str, Any]:
    """The table's entries with lists as tuples; ValueError for keys and types that ``kind`` does not have."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{what} must be a table")
    known = fields(kind)
    allowed = [field.name for field in known]
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise ValueError(f"{what} has the unknown keys {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    needed = [entry.name for entry in known if entry.default is MISSING and entry.default_factory is MISSING]
    missing = [key for key in needed if key not in table]
    if missing:
        raise ValueError(f"{what} lacks the keys {', '.join(missing)}")
    hints = get_type_hints(kind)
    for key, value in table.items():
        wanted = _wanted(value, hints[key])
        if wanted is not None:
            raise ValueError(f"{key} is {value!r}, not {wanted}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _wanted(value: Any, hint: Any) -> str | None:
    """What a value should have been, or None when it is. TOML's booleans are no whole numbers."""
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        good = isinstance(value, list) and all(type(entry) is item for entry in value)
        return None if good else f"a list of {_WORDS[item]}s"
    hint = float if hint == float | None else hint
    if hint not in _WORDS or type(value) is hint or (hint is float and type(value) is int):
        return None
    return _WORDS[hint] if hint is bool else f"a {_WORDS[hint]}"
