"""A model's C as a shared library of this machine, many samples at a time."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from octavo.c.emit import emit
from octavo.c.library import csrc_dir
from octavo.device.sources import compile_sources, model_sources
from octavo.device.toolchain import WARNINGS, host_compiler, invoke
from octavo.errors import OctavoError
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel
from octavo.lower.padding import fold_padding
from octavo.lower.trim import trim
from octavo.targets import load_target

__all__ = ["HostModel", "host_form", "sanitized_run"]

NATIVE = ("-march=native",)
_THREAD_LOCAL_ARENA = "-DOCTAVO_ARENA_STORAGE=static _Thread_local"
# A register of constants then lies in one line of the cache.
_CACHE_LINES = "-DOCTAVO_RODATA=__attribute__((aligned(64)))"


class HostModel:
    """Compiles a generated folder on entry and runs it.

    Example::

        with HostModel(build.c_dir) as model:
            outputs = model.run(inputs)        # int8 [N, input bytes] -> int8 [N, output bytes]

    ``machine`` are the compiler's options for the instructions that may be used.
    """

    def __init__(self, c_dir: Path, machine: Sequence[str] = NATIVE) -> None:
        self._c_dir, self._machine = c_dir, machine

    def __enter__(self) -> HostModel:
        self._temporary = tempfile.TemporaryDirectory(prefix="octavo-host-")
        library = Path(self._temporary.name) / "model.so"
        sources = [*model_sources(self._c_dir), csrc_dir() / "boards/host/batch.c"]
        warnings = [flag for flag in WARNINGS if not flag.startswith("-std")]
        flags = ["-std=c11", *warnings, "-O3", *self._machine, "-fPIC", "-shared", _THREAD_LOCAL_ARENA, _CACHE_LINES]
        compile_sources("host build", host_compiler(), flags, sources, self._c_dir, library)
        self._library = ctypes.CDLL(str(library))
        for name in ("octavo_host_input_bytes", "octavo_host_output_bytes"):
            getattr(self._library, name).restype = ctypes.c_int64
        self._sizes = self._library.octavo_host_input_bytes(), self._library.octavo_host_output_bytes()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    def run(self, inputs: NDArray[np.int8], threads: int | None = None) -> NDArray[np.int8]:
        """Run all samples, spread over the processor's cores or so many threads (each has an arena of its own)."""
        in_bytes, out_bytes = self._sizes
        if inputs.ndim != 2 or inputs.shape[1] != in_bytes or inputs.dtype != np.int8:
            raise OctavoError(
                "host run", f"inputs are {inputs.dtype}{list(inputs.shape)}", f"Give int8 [N, {in_bytes}]."
            )
        inputs = np.ascontiguousarray(inputs)
        outputs = np.empty((len(inputs), out_bytes), np.int8)
        workers = min(threads or os.cpu_count() or 1, max(len(inputs), 1))
        edges = np.linspace(0, len(inputs), workers + 1).astype(int)

        def part(start: int, stop: int) -> None:
            self._library.octavo_host_run(
                ctypes.c_void_p(inputs[start:].ctypes.data),
                ctypes.c_void_p(outputs[start:].ctypes.data),
                ctypes.c_int64(stop - start),
            )

        if workers == 1:  # A few samples take less time than a thread needs to start.
            part(0, len(inputs))
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(part, edges[:-1], edges[1:]))
        return outputs


@contextmanager
def host_form(model: IntegerModel) -> Iterator[HostModel]:
    """``model`` by the kernels for this machine: other C than the one for its target, the same bytes, sooner.

    Example::

        with host_form(build.model) as host:
            outputs = host.run(inputs)
    """
    program = specialize(trim(fold_padding(model)).model, load_target("host"))
    with tempfile.TemporaryDirectory(prefix="octavo-host-") as name:
        for path, data in emit(program, plan_arena(program.graph), "model").items():
            file = Path(name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        with HostModel(Path(name)) as host:
            yield host


def sanitized_run(
    c_dir: Path, inputs: NDArray[np.int8], output_bytes: int, machine: Sequence[str] = ()
) -> NDArray[np.int8]:
    """Run the samples in a program built with AddressSanitizer and UndefinedBehaviorSanitizer.

    OctavoError with the first report when a sanitizer speaks.
    """
    with tempfile.TemporaryDirectory(prefix="octavo-sanitize-") as name:
        folder = Path(name)
        sources = [*model_sources(c_dir), csrc_dir() / "boards/host/files.c"]
        flags = [*WARNINGS, *machine, "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        compile_sources("sanitizer build", host_compiler(), flags, sources, c_dir, folder / "model")
        (folder / "inputs.bin").write_bytes(np.ascontiguousarray(inputs).tobytes())
        result = invoke("sanitizer run", [str(folder / "model")], folder)
        if result.returncode != 0:
            report = next((line for line in result.stderr.splitlines() if "rror" in line), "no report")
            raise OctavoError("sanitizer run", report, "This is a fault of the generated C: please report it.")
        return np.fromfile(folder / "outputs.bin", np.int8).reshape(len(inputs), output_bytes)
