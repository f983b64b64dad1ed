"""A program's machine instructions by address, read from the GNU disassembler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from octavo.device.kinds import kind_of
from octavo.device.toolchain import binutil, invoke
from octavo.errors import OctavoError
from octavo.targets import ARCHITECTURES

__all__ = ["Instruction", "Program", "disassemble", "parse_listing"]

_LINE = re.compile(r"\s*([0-9a-f]+):\t(\S+)(?:\t(.*))?")
_SYMBOL = re.compile(r"([0-9a-f]+) <([^>]+)>:")
_COMMENT = re.compile(r"\s*(?:@|# [0-9a-f]|<|;).*")
_REGISTER = re.compile(r"\b[a-z]+\d*\b")
_LIST = re.compile(r"\{(.*)\}")
# These write no register that they name first.
_SILENT = frozenset({"store", "vector_store", "branch", "jump", "loop_end"})
_COMPARE = re.compile(r"(?:cmp|cmn|tst|teq|it[te]*|vcmp|vpt|vpst).*")
_WORDS: Mapping[str, int] = {"d": 2, "q": 4}


@dataclass(frozen=True)
class Instruction:
    """An instruction: its kind (octavo.device.kinds), how many words it moves if it is ``multiple``, and registers.

    ``address_from`` are the registers that form the address of a load or store.
    """

    address: int
    kind: str
    words: int
    writes: frozenset[str]
    reads: frozenset[str]
    address_from: frozenset[str]


@dataclass(frozen=True)
class Program:
    """Instructions in the order of their addresses, and the addresses of functions."""

    instructions: tuple[Instruction, ...]
    index: Mapping[int, int]
    functions: Mapping[str, int]

    def block(self, address: int, count: int) -> tuple[Instruction, ...]:
        """``count`` instructions from ``address`` on; OctavoError when the program has none there."""
        start = self.index.get(address)
        found = () if start is None else self.instructions[start : start + count]
        if len(found) != count:
            raise OctavoError("disassembly", f"has no {count} instructions at {address:#x}", "Report this.")
        return found

    def function(self, name: str) -> int:
        """A function's address; OctavoError when the program has none of the name."""
        if name not in self.functions:
            raise OctavoError("disassembly", f"has no function {name}", "Report this.")
        return self.functions[name]


def disassemble(architecture: str, elf: Path) -> Program:
    """The program in an ELF file, by the tools of an architecture (a key of ARCHITECTURES)."""
    tools = ARCHITECTURES[architecture]
    command = [binutil(tools, "objdump"), "-d", "--no-show-raw-insn", *tools.disassembler_flags, str(elf)]
    return parse_listing(architecture, invoke("disassembly", command, elf.parent).stdout)


def parse_listing(architecture: str, text: str) -> Program:
    """What ``objdump -d --no-show-raw-insn`` printed; lines that are no instructions are passed over."""
    found: list[Instruction] = []
    functions: dict[str, int] = {}
    for line in text.splitlines():
        if symbol := _SYMBOL.fullmatch(line):
            functions[symbol[2]] = int(symbol[1], 16)
        elif (match := _LINE.fullmatch(line)) and not match[2].startswith("."):
            operands = _COMMENT.sub("", match[3] or "")
            found.append(_instruction(architecture, int(match[1], 16), match[2], operands))
    index = {entry.address: place for place, entry in enumerate(found)}
    return Program(tuple(found), index, functions)


def _instruction(architecture: str, address: int, mnemonic: str, operands: str) -> Instruction:
    kind = kind_of(architecture, mnemonic, operands)
    first, _, rest = operands.partition(",")
    if re.match(r"ldrd|strd", mnemonic):
        second, _, rest = rest.partition(",")
        first += second
    target, source = frozenset(_REGISTER.findall(first)), frozenset(_REGISTER.findall(rest))
    bracket = re.search(r"\[(.*)\]|\((.*)\)", operands)
    place = frozenset(_REGISTER.findall(bracket[0])) if bracket else frozenset()
    if kind == "multiple" and (listed := _LIST.search(operands)):
        registers = frozenset(_REGISTER.findall(listed[1]))
        reading = bool(re.match(r"ldm|pop|vldm|vpop", mnemonic))
        base = frozenset(_REGISTER.findall(_LIST.sub("", operands)))
        target, source = (registers, base) if reading else (frozenset(), registers | base)
    elif kind in _SILENT or mnemonic.startswith(("str", "vstr")) or _COMPARE.fullmatch(mnemonic):
        target, source = frozenset(), source | target
    return Instruction(address, kind, _words(mnemonic, operands) if kind == "multiple" else 0, target, source, place)


def _words(mnemonic: str, operands: str) -> int:
    """Words that an instruction for several registers moves: "{r4, lr}" 2, "{d8-d11}" 8, a pair 2."""
    listed = _LIST.search(operands)
    if listed is None:
        return 2 if mnemonic.startswith(("ldrd", "strd")) else _WORDS.get(operands[:1], 1)
    words = 0
    for entry in listed[1].split(","):
        low, _, high = entry.strip().partition("-")
        span = int(high[1:]) - int(low[1:]) + 1 if high else 1
        words += span * (_WORDS.get(low[:1], 1) if low[1:].isdigit() else 1)
    return words
