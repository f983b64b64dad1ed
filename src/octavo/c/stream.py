"""The C of constants that a model reads from slow memory: one struct a layer, copied into the arena before its turn."""

from __future__ import annotations

from collections.abc import Mapping

from octavo.c.text import array_literal, pointer_type
from octavo.ir.graph import Graph
from octavo.lower.streaming import Stream

__all__ = ["declared", "defined", "place", "start"]


def _type(name: str) -> str:
    """The object's type: a tag may have the name of an object, and no object's name can be taken by another's type."""
    return f"struct {name}"


def declared(graph: Graph, stream: Stream, name: str, consts: Mapping[str, str]) -> str:
    """Type and declaration; the compiler checks that the arena's buffer holds it."""
    fields = "\n".join(
        f"    {pointer_type(graph.types[value].dtype)} {consts[value]}[{graph.types[value].size}];"
        for value in stream.consts
    )
    type_ = _type(name)
    return (
        f"{type_} {{\n{fields}\n}};\n\nextern const {type_} {name};\n\n"
        f"OCTAVO_CHECK({name}_fits, sizeof({type_}) <= {stream.nbytes});\n"
    )


def defined(graph: Graph, stream: Stream, name: str) -> str:
    """The values."""
    values = ",\n".join(array_literal(graph.consts[value]) for value in stream.consts)
    return f"const {_type(name)} {name} OCTAVO_STREAMED = {{{values}}};\n"


def place(name: str, offset: int, const: str) -> str:
    """A constant in its buffer, as a pointer to its elements."""
    return f"((const {_type(name)} *)(const void *)AT({offset}))->{const}"


def start(name: str, offset: int) -> str:
    """The statement that begins the copy of a layer's constants."""
    return f"octavo_copy_start(AT({offset}), &{name}, sizeof {name});"
