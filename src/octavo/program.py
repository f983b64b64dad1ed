"""The program that a network becomes on a target: its kernels, its order, its arena. Found anew, it is the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from octavo.build import Build
from octavo.errors import OctavoError
from octavo.kernels.streamed import streamed_program
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel
from octavo.lower.padding import fold_padding
from octavo.lower.streaming import Streaming
from octavo.lower.trim import Trimmed, trim
from octavo.memory import Arena
from octavo.strips import InStrips, find_strips
from octavo.targets import Target

__all__ = ["Program", "chosen_target", "plan_program", "program_of"]


@dataclass(frozen=True)
class Program:
    """``trimmed`` is the model without idle channels, ``strips`` what of it runs strip by strip, ``layers`` the model
    in layers small enough to be streamed, ``code`` the same with the target's kernels."""

    trimmed: Trimmed
    strips: InStrips | None
    layers: IntegerModel
    code: IntegerModel
    streaming: Streaming
    arena: Arena


def chosen_target(target: Target, optimize: str, ram: int | None, flash: int | None) -> Target:
    """The target with the memory that may be used, and with larger weights where ``optimize`` is fastest."""
    chosen = replace(target, ram_bytes=ram or target.ram_bytes, flash_bytes=flash or target.flash_bytes)
    if optimize == "fastest" and "dsp" in chosen.features:
        at = chosen.features.index("dsp")
        chosen = replace(chosen, features=(*chosen.features[:at], "winograd", *chosen.features[at:]))
    return chosen


def plan_program(
    model: IntegerModel, target: Target, stream: int | None = None, strips: bool = False, ram: int | None = None
) -> Program:
    """The program of a lowered model; ``stream``, ``strips`` and ``ram`` are those of octavo.package.export."""
    trimmed = trim(fold_padding(model))
    found = find_strips(trimmed.model, target, ram) if strips else None
    program = _planned(trimmed, found, target, stream)
    while found and ram and program.arena.size > ram:
        # The buffers of streamed constants need room, too.
        smaller = find_strips(trimmed.model, target, found.arena.size - (program.arena.size - ram))
        if smaller is None or smaller.arena.size >= found.arena.size:
            break
        found = smaller
        program = _planned(trimmed, found, target, stream)
    return program


def _planned(trimmed: Trimmed, found: InStrips | None, target: Target, stream: int | None) -> Program:
    layers, code, streaming = streamed_program(found.model if found else trimmed.model, target, stream)
    return Program(trimmed, found, layers, code, streaming, plan_arena(code.graph, target.alignment, streaming))


def program_of(build: Build) -> Program:
    """The program in a compiled folder, by the choices that its manifest names."""
    manifest = build.manifest
    try:
        target = chosen_target(
            build.target, manifest["optimize"], int(manifest["ram_bytes"]), int(manifest["flash_bytes"])
        )
        stream = manifest["streaming"]["limit_bytes"] if "streaming" in manifest else None
        limit = manifest["strips"]["limit_bytes"] if "strips" in manifest else None
    except (KeyError, TypeError, ValueError) as error:
        why = f"was compiled by another version of Octavo ({error!r})"
        raise OctavoError(str(build.folder), why[:200], "Compile the model again.") from error
    return plan_program(build.model, target, stream, "strips" in manifest, limit)
