"""What a folder says before anything runs: files that were changed, a plan against the rules, C against the plan."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from octavo.build import Build
from octavo.c.emit import emit
from octavo.errors import OctavoError
from octavo.lower.liveness import liveness
from octavo.lower.streaming import stream_buffers
from octavo.memory import verify as verify_plan
from octavo.program import Program
from octavo.verify.taps import Call, Place

__all__ = ["altered_files", "moved_values", "plan_fault"]

_MARK = re.compile(r"OCTAVO_MARK\(\d+\);")
_AT = re.compile(r"\bAT(?:16)?\((\d+)\)")


def plan_fault(program: Program, places: Mapping[str, Place]) -> str:
    """What is wrong with the plan in the manifest, by the rules of the planner; "" when nothing is."""
    values, views, overlaps = liveness(program.code.graph)
    values += stream_buffers(program.code.graph, program.streaming)
    offsets = {name: place.offset for name, place in places.items()}
    try:
        verify_plan(replace(program.arena, offsets=offsets), values, views, overlaps)
    except OctavoError as error:
        return f"{error.where}: {error.why}"
    return ""


def altered_files(build: Build) -> list[str]:
    """The library's files that are not as they were written."""
    prefix = f"{build.manifest['name']}/src/"
    own = {path: digest for path, digest in build.manifest["sha256"].items() if path.startswith(prefix)}
    files = {path: build.folder / path for path in sorted(own)}
    return [
        path
        for path, file in files.items()
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != own[path]
    ]


def moved_values(
    build: Build, program: Program, calls: Sequence[Call], places: Mapping[str, Place]
) -> dict[int, list[tuple[str, int, int]]]:
    """By call, the values that the folder's C has at another byte than the plan: name, planned, real."""
    name = str(build.manifest["name"])
    arena = replace(program.arena, offsets={place.name: place.offset for place in places.values()})
    written = emit(program.code, arena, name, streaming=program.streaming)[f"src/{name}.c"].decode()
    real = (build.c_dir / f"src/{name}.c").read_text(errors="replace")
    planned_calls, real_calls = (_MARK.split(text)[1:-1] for text in (written, real))
    moved: dict[int, list[tuple[str, int, int]]] = {}
    if len(planned_calls) != len(real_calls):
        return moved
    for index, texts in enumerate(zip(planned_calls, real_calls, strict=True)):
        planned, found = ([int(number) for number in _AT.findall(text)] for text in texts)
        if len(planned) == len(found):
            pairs = dict.fromkeys(pair for pair in zip(planned, found, strict=True) if pair[0] != pair[1])
            names = _names(calls[index], places)
            if pairs:
                moved[index] = [(names.get(low, "a value"), low, high) for low, high in pairs]
    return moved


def _names(call: Call, places: Mapping[str, Place]) -> dict[int, str]:
    """By offset what lives while a call runs; where several begin at one byte, what it writes, best its output."""
    alive = [place for place in places.values() if place.first <= call.step <= place.last]
    order = sorted(alive, key=lambda place: (place.first == call.step, place.name == call.node.outputs[0]))
    return {place.offset: place.name for place in order}
