"""Programs around a bundle, built with sanitizers; one does what it is told, in any order."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octavo.build import Build
from octavo.device.toolchain import WARNINGS
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack

__all__ = ["Bytes", "obedient", "program", "said", "samples"]

Bytes = NDArray[np.int8]
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def samples(build: Build, count: int, seed: int) -> tuple[Bytes, Bytes]:
    """Random integers and what the integer executor makes of them: int8 [N, bytes]."""
    graph, rng = build.model.graph, np.random.default_rng(seed)
    inputs = {}
    for name in graph.inputs:
        info = np.iinfo(graph.types[name].dtype)
        values = rng.integers(info.min, info.max, (count, *graph.types[name].shape[1:]), endpoint=True)
        inputs[name] = values.astype(info.dtype)
    outputs = {name: value.numpy() for name, value in integer_run(graph, inputs).items()}
    return pack(graph, graph.inputs, inputs), pack(graph, graph.outputs, outputs)


def program(c_dir: Path, main: str, folder: Path) -> Path:
    """The bundle's library and a main, with AddressSanitizer and UndefinedBehaviorSanitizer."""
    (folder / "main.c").write_text(main)
    sources = [str(path) for path in (folder / "main.c", *sorted((c_dir / "src").rglob("*.c")))]
    command = ["gcc", *WARNINGS, *SANITIZERS, f"-I{c_dir}/src", *sources, "-o", str(folder / "program")]
    subprocess.run(command, check=True)
    return folder / "program"


def said(path: Path, commands: Sequence[tuple[str, int, Bytes | None]]) -> bytes:
    """What the program of ``obedient`` writes: the bytes of all outputs that were taken."""
    told = b"".join(
        what.encode() + bytes([model]) + (b"" if data is None else data.tobytes()) for what, model, data in commands
    )
    done = subprocess.run([str(path)], input=told, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def obedient(header: str, builds: Sequence[Build]) -> str:
    """A main that reads commands: i (then the input's bytes), r or o, each with a model's number: put, run, take.

    Inputs and outputs stay where the model keeps them, in the arena.
    """
    cases = []
    for index, build in enumerate(builds):
        name, graph = str(build.manifest["name"]), build.model.graph
        put, arguments, take = [], [], []
        for i, value in enumerate(graph.inputs):
            put.append(f"ok = fread({name}_input{i}(), 1, {graph.types[value].nbytes}, stdin) > 0;")
            arguments.append(f"{name}_input{i}()")
        for i, value in enumerate(graph.outputs):
            take.append(f"ok = fwrite({name}_output{i}(), 1, {graph.types[value].nbytes}, stdout) > 0;")
            arguments.append(f"{name}_output{i}()")
        for what, lines in (("i", put), ("r", [f"{name}_run({', '.join(arguments)});"]), ("o", take)):
            body = "\n            ".join(lines)
            cases.append(f"        if (what == '{what}' && model == {index}) {{\n            {body}\n        }}")
    return f"""#include <stdio.h>
#include "{header}"

int main(void)
{{
    int ok = 1, what, model;
    while (ok && (what = getchar()) != EOF) {{
        model = getchar();
{chr(10).join(cases)}
    }}
    return !ok;
}}
"""
