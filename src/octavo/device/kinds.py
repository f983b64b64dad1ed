"""What kind of work a machine instruction is: the rows that a target's table of cycles has numbers for.

Arm: mnemonics of Armv6-M to Armv8.1-M as the GNU disassembler writes them, conditions and widths cut off.
RISC-V: RV32IMC and its pseudo-instructions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["KINDS", "MEMORY", "kind_of"]

MEMORY = ("load", "store", "multiple", "vector_load", "vector_store")
"""The kinds that read or write memory."""

KINDS = (
    "alu",
    *MEMORY,
    "multiply",
    "multiply_accumulate",
    "multiply_long",
    "multiply_simd",
    "divide",
    "branch",
    "jump",
    "loop_end",
    "floating",
    "vector",
    "vector_multiply",
)

_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?"
# The first that matches the whole mnemonic counts: "bls" is b with a condition, "bic" none of these.
_ARM: tuple[tuple[str, str], ...] = (
    ("loop_end", r"le(?:tp)?"),
    ("branch", r"b(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)|cbn?z|wls(?:tp)?"),
    ("jump", rf"b|(?:bl|bx|blx|bxns|blxns|tbb|tbh){_CONDITION}"),
    ("multiple", rf"(?:ldm|stm)(?:ia|db|ea|fd)?{_CONDITION}|(?:push|pop|ldrd|strd){_CONDITION}"),
    ("load", rf"ldr(?:s?[bh])?t?{_CONDITION}|ldrex[bhd]?"),
    ("store", rf"str[bh]?t?{_CONDITION}|strex[bhd]?"),
    ("multiply", rf"muls?{_CONDITION}"),
    ("multiply_accumulate", rf"ml[as]{_CONDITION}"),
    ("multiply_long", rf"[us]m(?:ull|lal){_CONDITION}|umaal{_CONDITION}"),
    ("multiply_simd", rf"sm(?:la|ul)[bt][bt]{_CONDITION}|sm(?:la|ul)w[bt]{_CONDITION}|smlal[bt][bt]{_CONDITION}"),
    ("multiply_simd", rf"sm(?:la|ls|ua|us)(?:d|ld)x?{_CONDITION}|sm(?:mul|mla|mls)r?{_CONDITION}"),
    ("divide", rf"[us]div{_CONDITION}"),
    ("alu", r"vm(?:rs|sr)"),
)
_VECTOR: tuple[tuple[str, str], ...] = (
    ("vector_load", r"vld.*"),
    ("vector_store", r"vst.*"),
    ("vector_multiply", r"v(?:q|r|qr)?d?mu?l.*|vqrdml.*|vfm[as].*"),
    ("vector", r".*"),
)
_FLOAT: tuple[tuple[str, str], ...] = (("multiple", r"vldr|vstr|vldm.*|vstm.*|vpush|vpop"), ("floating", r".*"))
_RISCV: tuple[tuple[str, str], ...] = (
    ("load", r"l[bhw]u?"),
    ("store", r"s[bhw]"),
    ("multiply", r"mul"),
    ("multiply_long", r"mulhs?u?"),
    ("divide", r"(?:div|rem)u?"),
    ("branch", r"b(?:eq|ne|le|ge|lt|gt)z?u?"),
    ("jump", r"j|jal|jr|jalr|ret|call|tail"),
)
_RULES: Mapping[str, tuple[tuple[str, str], ...]] = {"cortex-m": _ARM, "riscv32": _RISCV}
_WHOLE_REGISTER = re.compile(r"\bq\d\b")


def kind_of(architecture: str, mnemonic: str, operands: str) -> str:
    """One of KINDS, by the mnemonic as the disassembler writes it: what no rule names is ``alu``."""
    if architecture == "cortex-m":
        if _WHOLE_REGISTER.search(operands):
            return _first(_VECTOR, mnemonic)
        mnemonic = mnemonic.removesuffix(".n").removesuffix(".w")
        if mnemonic.startswith("v") and mnemonic not in ("vmrs", "vmsr"):
            return _first(_FLOAT, mnemonic)
    return _first(_RULES[architecture], mnemonic)


def _first(rules: tuple[tuple[str, str], ...], mnemonic: str) -> str:
    return next((kind for kind, pattern in rules if re.fullmatch(pattern, mnemonic)), "alu")
