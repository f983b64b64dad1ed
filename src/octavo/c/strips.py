"""The C loop of layers that run strip by strip (octavo.ops.integer.strips): windows move on, then every stage runs."""

from __future__ import annotations

from collections.abc import Callable

from octavo.c.text import comment
from octavo.ir.graph import Node
from octavo.ops.integer.strips import Rows, Strips

__all__ = ["strips_loop"]

Place = Callable[[str], str]


def strips_loop(
    node: Node, op: Strips, place: Place, scratch: str, call: Callable[[Node, Place, str], list[str]]
) -> list[str]:
    """The lines of the loop. ``place`` gives the operator's own inputs and output as pointers, ``scratch`` its working
    memory; ``call`` emits a stage's kernel call from the places of its values and its working memory."""
    lines = [f"    {{ /* {comment(node.source)}, strip by strip */", f"        int8_t *const work = {scratch};"]
    for rows in op.values[:-1]:
        if rows.kept:
            lines.append(f"        memset({_at(op, rows)}, {rows.outside}, {rows.window_bytes});")
    lines.append(f"        for (int32_t strip = {op.first}; strip <= {op.last}; ++strip) {{")
    lines += _taken(op, op.values[0], _bytes(place(op.values[0].name), op.values[0]))
    for index, rows in enumerate(op.values[1:]):
        lines += _stage(op, index, rows, place, call)
    return [*lines, "        }", "    }"]


def _at(op: Strips, rows: Rows, row: int = 0) -> str:
    return f"(work + {op.layout.offsets[rows.name] + row * rows.row_bytes})"


def _bytes(pointer: str, rows: Rows) -> str:
    return pointer if rows.dtype == "int8" else f"(int8_t *)(void *){pointer}"


def _elements(pointer: str, rows: Rows) -> str:
    # Windows begin at multiples of 4, rows of int16 have an even number of bytes.
    return pointer if rows.dtype == "int8" else f"(int16_t *)(void *){pointer}"


def _first(rows: Rows) -> str:
    """The first row that a step makes."""
    return f"{rows.made} * (strip - 1) + {rows.lead}"


def _moved(op: Strips, rows: Rows) -> list[str]:
    """The kept rows of a window go to its beginning."""
    if not rows.kept:
        return []
    size = rows.kept * rows.row_bytes
    return [f"octavo_strip_copy({_at(op, rows)}, {_at(op, rows, rows.made)}, {size});"]


def _padded(op: Strips, rows: Rows) -> str:
    sizes = f"{_first(rows)}, {rows.made}, {rows.height}, {rows.row_bytes}"
    return f"octavo_strip_outside({_at(op, rows, rows.kept)}, {sizes}, {rows.outside});"


def _taken(op: Strips, rows: Rows, image: str) -> list[str]:
    sizes = f"{_first(rows)}, {rows.made}, {rows.height}, {rows.row_bytes}"
    take = f"octavo_strip_take({_at(op, rows, rows.kept)}, {image}, {sizes});"
    return [f"            {line}" for line in (*_moved(op, rows), take, _padded(op, rows))]


def _stage(
    op: Strips, index: int, made: Rows, place: Place, call: Callable[[Node, Place, str], list[str]]
) -> list[str]:
    stage = op.stages[index]
    rows = {value.name: value for value in op.values}
    reads = dict(zip(stage.node.inputs, stage.reads, strict=True))
    last = made is op.output

    def at(value: str) -> str:
        read = reads.get(value)
        if read is not None:
            return _elements(_at(op, rows[value], read[0]), rows[value])
        if value in reads:
            return place(value)
        if last:
            return f"({place(value)} + (strip - 1) * {made.made * made.width * made.channels})"
        return _elements(_at(op, made, made.kept), made)

    working = f"(void *)(work + {op.layout.offsets[stage.working]})" if stage.op.scratch() else ""
    block = call(stage.node, at, working)
    runs = "strip >= 1" if last else f"octavo_strip_inside({_first(made)}, {made.made}, {made.height})"
    before = [] if last else _moved(op, made)
    after = [] if last else [_padded(op, made)]
    return [
        *(f"            {line}" for line in before),
        f"            if ({runs}) {{",
        *(f"            {line}" for line in block),
        "            }",
        *(f"            {line}" for line in after),
    ]
