"""Verifies a compiled folder: on this machine, on an emulated board, or on a board behind a serial port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from octavo.build import Build, profiled_target
from octavo.c.serial import DIGEST_BYTES, Constant, constants, protocol_files, serial_files
from octavo.device.links import Link, serial_port
from octavo.device.monitor import ARENA, Monitor
from octavo.device.probe import on_emulated_board, on_host
from octavo.errors import OctavoError
from octavo.files import GENERATOR, MARKER, replace_folder
from octavo.ir.graph import Array
from octavo.num.qparams import integer_limits
from octavo.program import Program, program_of
from octavo.run.integer_run import integer_run
from octavo.timeline import arena_rows
from octavo.verify.causes import Evidence, likely_causes
from octavo.verify.result import Cause, Divergence, Layer, Verification
from octavo.verify.static import altered_files, moved_values, plan_fault
from octavo.verify.taps import Place, calls_of, hidden_values, places_of, taps_of
from octavo.verify.walk import Stop, Walk, byte_order

__all__ = ["random_inputs", "verify_build", "write_firmware"]


@dataclass(frozen=True)
class _Subject:
    """A folder, ready to be walked."""

    build: Build
    program: Program
    places: Mapping[str, Place]
    walk: Walk
    held: tuple[Constant, ...]
    digest: bytes
    files: Mapping[str, bytes]


def verify_build(
    build: Build,
    inputs: Mapping[str, Array],
    on: str | None = None,
    port: str | None = None,
    baud: int = 115200,
    seconds: float = 60.0,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Run samples, integers by input [N, ...], layer by layer on the target ``on`` (host; default: the one compiled
    for) or on the board at ``port``, and compare every value with the integers in Python.

    It ends at the first divergence. ``seconds`` is what one layer may take; ``progress(marks)`` counts len(samples) *
    (layers + 1) marks. OctavoError when there is no device, or it runs another model.
    """
    subject = _subject(build)
    where = port or on or build.target.name
    with _device(subject, where, port, baud) as link:
        monitor = Monitor(link, seconds)
        _check_model(subject, monitor)
        return _verified(subject, monitor, where, inputs, progress)


def random_inputs(build: Build, samples: int, seed: int = 0) -> dict[str, Array]:
    """Integers [N, ...] by input, of the whole range; float16 around 1, of both signs."""
    rng, graph = np.random.default_rng(seed), build.model.graph
    found: dict[str, Array] = {}
    for name in graph.inputs:
        type_ = graph.types[name]
        shape = (samples, *type_.shape[1:])
        if type_.dtype == "float16":
            found[name] = rng.normal(size=shape).astype(np.float16)
        else:
            found[name] = rng.integers(*integer_limits(type_.dtype), shape, endpoint=True).astype(type_.dtype)
    return found


def write_firmware(build: Build, folder: Path) -> None:
    """Write the C that lets a board speak the protocol, beside the model's own, whole or not at all."""
    files = {**protocol_files(), **_subject(build).files}
    sums = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}
    files[MARKER] = (json.dumps({"generator": GENERATOR, "sha256": sums}, indent=1) + "\n").encode()
    replace_folder(folder, files)


def _subject(build: Build) -> _Subject:
    program = program_of(build)
    graph, name = program.code.graph, str(build.manifest["name"])
    places = places_of(build.manifest, str(build.folder))
    rows = {row["name"]: row for row in arena_rows(graph, program.arena, program.streaming)}
    same = all(
        name in places and (row["first"], row["last"], row["bytes"])
        == (places[name].first, places[name].last, places[name].nbytes)
        for name, row in rows.items()
    )  # fmt: skip
    if not same or len(rows) != len(places):
        raise OctavoError(
            str(build.folder), "was compiled by another version of Octavo, or its plan was changed",
            "Compile the model again.",
        )  # fmt: skip
    calls = calls_of(graph)
    sums = build.manifest["sha256"]
    source = sorted((path, str(value)) for path, value in sums.items() if path.startswith(f"{name}/src/"))
    digest = hashlib.sha256(repr(source).encode()).digest()[:DIGEST_BYTES]
    offset = places[graph.inputs[0]].offset
    files = serial_files(program.code, name, len(calls), offset, program.streaming, digest)
    walk = Walk(calls, taps_of(graph, places), graph.inputs)
    held = constants(program.code, name, program.streaming)
    return _Subject(build, program, places, walk, held, digest, files)


@contextmanager
def _device(subject: _Subject, where: str, port: str | None, baud: int) -> Iterator[Link]:
    build = subject.build
    if port is not None:
        with serial_port(port, baud) as link:
            yield link
    elif where == "host":
        with on_host(build.c_dir, subject.files) as link:
            yield link
    else:
        with on_emulated_board(build.c_dir, subject.files, profiled_target(build, where)) as link:
            yield link


def _check_model(subject: _Subject, monitor: Monitor) -> None:
    greeting = monitor.greeting
    sizes = (int(subject.build.manifest["arena_bytes"]), len(subject.walk.calls), len(subject.held))
    if greeting.digest != subject.digest or (greeting.arena_bytes, greeting.layers, greeting.constants) != sizes:
        raise OctavoError(
            "device",
            f"runs another model: its digest is {greeting.digest.hex()}, the folder's {subject.digest.hex()}",
            f"Build the firmware from {subject.build.folder} and flash it.",
        )


def _verified(
    subject: _Subject, monitor: Monitor, where: str, inputs: Mapping[str, Array], progress: Callable[[int], None]
) -> Verification:
    walk = subject.walk
    stale = _stale(subject, monitor)
    samples = len(next(iter(inputs.values())))
    ticks = [0] * len(walk.calls)
    compared = reached = 0
    divergence: Divergence | None = None

    def at(mark: int, spent: int, count: int) -> None:
        nonlocal compared, reached
        compared += count
        reached = mark
        if mark:
            ticks[mark - 1] = spent
        progress(1)

    for sample in range(samples):
        expected = _expected(subject.program, {name: array[sample : sample + 1] for name, array in inputs.items()})
        stop = walk.run(monitor, expected, at)
        if stop is not None:
            divergence = _divergence(subject, monitor, where, sample, stop, expected, stale)
            break
    used, size = monitor.stack()
    states = ["agrees"] * len(walk.calls)
    if divergence is not None:
        states = [*states[: max(reached - 1, 0)], *["differs"] * (reached > 0)]
        states += ["not reached"] * (len(walk.calls) - len(states))
    layers = tuple(
        Layer(call.node.name, call.node.source or call.node.name, call.kernel, state, spent)
        for call, state, spent in zip(walk.calls, states, ticks, strict=True)
    )
    notes = []
    altered = altered_files(subject.build)
    if altered:
        notes.append(f"changed since it was compiled: {', '.join(altered)}")
    hidden = hidden_values(subject.build.model.graph, subject.program.code.graph)
    return Verification(
        where, samples, layers, compared, hidden, divergence, tuple(stale), used, size, monitor.repeated, tuple(notes)
    )


def _expected(program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every value of the program for one sample."""
    values: dict[str, Array] = dict(inputs)
    integer_run(program.layers.graph, inputs, lambda name, tensor: values.__setitem__(name, tensor.numpy().copy()))
    for node in program.code.graph.nodes:
        # Copies to their place in a larger value are the program's alone.
        values.setdefault(node.outputs[0], values.get(node.inputs[0], np.empty(0)))
    return values


def _stale(subject: _Subject, monitor: Monitor) -> dict[str, bool]:
    """Constants of the device that are not the program's: by value, whether their bytes are merely swapped."""
    wrong: dict[str, bool] = {}
    for index, constant in enumerate(subject.held):
        right, other = (
            (constant.swapped, constant.data) if byte_order(monitor) == ">" else (constant.data, constant.swapped)
        )
        if not monitor.equals(ARENA + 1 + index, 0, right):
            swapped = right != other and monitor.equals(ARENA + 1 + index, 0, other)
            wrong |= dict.fromkeys(constant.values, swapped)
    return wrong


def _divergence(
    subject: _Subject,
    monitor: Monitor,
    where: str,
    sample: int,
    stop: Stop,
    expected: Mapping[str, Array],
    stale: Mapping[str, bool],
) -> Divergence:
    walk, seen = subject.walk, stop.seen
    arena = monitor.read(ARENA, 0, monitor.greeting.arena_bytes)
    used, size = monitor.stack()
    witness = "none" if where == "host" else _witness(subject, stop, expected)
    moved = moved_values(subject.build, subject.program, walk.calls, subject.places)
    real = {name: at for name, _, at in moved.get(stop.mark - 1, ()) if name in subject.places}
    shifted = {name: replace(subject.places[name], offset=at) for name, at in real.items()}
    evidence = Evidence(
        stop, walk.calls, subject.places, expected, arena, stale, moved, altered_files(subject.build),
        plan_fault(subject.program, subject.places),
        plan_fault(subject.program, {**subject.places, **shifted}) if shifted else "",
        0 < size <= used, witness,
    )  # fmt: skip
    causes = tuple(Cause(kind, text) for kind, text in likely_causes(evidence))
    place = (0, *seen.first)
    got, right = (
        seen.tap.array(seen.data, byte_order(monitor))[place],
        expected[seen.tap.value].reshape(seen.tap.shape)[place],
    )
    call = evidence.call
    name, kernel = (call.node.name, call.kernel) if call else ("", "")
    return Divergence(
        sample, name, evidence.where, kernel, seen.tap.value, seen.first, right.item(), got.item(),
        int(seen.wrong.sum()), int(seen.wrong.size), witness, causes,
    )  # fmt: skip


def _witness(subject: _Subject, stop: Stop, expected: Mapping[str, Array]) -> str:
    """How the folder's C behaves on this machine, up to where the device stopped."""
    try:
        with on_host(subject.build.c_dir, subject.files) as link:
            other = subject.walk.run(Monitor(link), expected, last=stop.mark)
    except OctavoError:
        return "none"
    if other is None:
        return "agrees"
    return "differs" if other.mark == stop.mark else "differs earlier"
