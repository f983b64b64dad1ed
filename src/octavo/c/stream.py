"""The C of constants that a model reads from slow memory: one struct a layer, copied into the arena before its turn."""

from __future__ import annotations

from collections.abc import Mapping

from octavo.c.text import array_literal, pointer_type
from octavo.ir.graph import Graph
from octavo.lower.streaming import Stream

__all__ = ["declared", "defined", "place", "start", "type_name"]


def type_name(name: str) -> str:
    """The struct's type, of the name of the object."""
    return f"{name}_block"


def declared(graph: Graph, stream: Stream, name: str, consts: Mapping[str, str]) -> str:
    """Type and declaration; the compiler checks that the arena's buffer holds it."""
    fields = "\n".join(
        f"    {pointer_type(graph.types[value].dtype)} {consts[value]}[{graph.types[value].size}];"
        for value in stream.consts
    )
    type_ = type_name(name)
    return (
        f"typedef struct {{\n{fields}\n}} {type_};\n\nextern const {type_} {name};\n\n"
        f"OCTAVO_CHECK({name}_fits, sizeof({type_}) <= {stream.nbytes});\n"
    )


def defined(graph: Graph, stream: Stream, name: str) -> str:
    """The values."""
    values = ",\n".join(array_literal(graph.consts[value]) for value in stream.consts)
    return f"const {type_name(name)} {name} OCTAVO_STREAMED = {{{values}}};\n"


def place(name: str, offset: int, const: str) -> str:
    """A constant in its buffer, as a pointer to its elements."""
    return f"((const {type_name(name)} *)(const void *)AT({offset}))->{const}"


def start(name: str, offset: int) -> str:
    """The statement that begins the copy of a layer's constants."""
    return f"octavo_copy_start(AT({offset}), &{name}, sizeof {name});"
