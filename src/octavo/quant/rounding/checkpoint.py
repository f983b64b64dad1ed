"""What learned rounding has learned so far, in a file, so that interrupted work can go on."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.ir.plan import Quantized

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A file, and the digest of what the work started from: plan, data and settings."""

    path: Path
    digest: str

    @staticmethod
    def check(path: Path) -> None:
        """OctavoError unless ``path`` is a checkpoint, or a new file in a folder that exists."""
        if not path.absolute().parent.is_dir() or (path.exists() and not path.is_file()):
            raise OctavoError(f"checkpoint {path}", "is no place for a file", "Give a path in a folder that exists.")
        if path.exists():
            try:
                with safe_open(path, framework="numpy") as file:
                    known = "digest" in (file.metadata() or {})
            except (OSError, SafetensorError):
                known = False
            if not known:
                raise OctavoError(f"checkpoint {path}", "is a file that Octavo did not write", "Give another path.")

    @staticmethod
    def of(path: Path, quantized: Quantized, inputs: Mapping[str, Array], settings: str) -> Checkpoint:
        """For work on ``quantized`` with these samples and settings; OctavoError where no checkpoint can be."""
        Checkpoint.check(path)
        digest = hashlib.sha256(f"{settings} {quantized.plan.graph_digest}".encode())
        for name, encoding in sorted(quantized.plan.qparams.items()):
            digest.update(f"{name} {encoding.dtype} {encoding.levels}".encode())
            digest.update(encoding.scale.tobytes() + encoding.zero_point.tobytes())
        for arrays in (quantized.plan.integers, quantized.plan.biases, inputs):
            for name in sorted(arrays):
                digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
                digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return Checkpoint(path, digest.hexdigest())

    def write(self, done: int, quantized: Quantized) -> None:
        """Save after ``done`` blocks, in one move."""
        plan = quantized.plan
        arrays = {f"integers/{name}": array for name, array in plan.integers.items()}
        arrays |= {f"biases/{name}": array for name, array in plan.biases.items()}
        arrays |= {f"scale/{name}": encoding.scale for name, encoding in plan.qparams.items()}
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        reasons = {f"reason/{name}": text for name, text in plan.reasons.items()}
        self.store(lambda aside: save_file(contiguous, aside, {"digest": self.digest, "done": str(done), **reasons}))

    def store(self, write: Callable[[Path], object]) -> None:
        """Let ``write(aside)`` write the file, in one move; OctavoError when it cannot, and nothing is left behind."""
        try:
            with tempfile.TemporaryDirectory(prefix=f".{self.path.name}.", dir=self.path.absolute().parent) as aside:
                fresh = Path(aside) / self.path.name
                write(fresh)
                os.replace(fresh, self.path)
        except (OSError, SafetensorError) as error:
            raise self.refusal(f"cannot be written ({error})") from error

    def resume(self, quantized: Quantized) -> tuple[int, Quantized]:
        """How many blocks are done, and the plan after them; (0, the given plan) without a file."""
        if not self.path.exists():
            return 0, quantized
        try:
            with safe_open(self.path, framework="numpy") as file:
                said = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}
        except (OSError, SafetensorError) as error:
            raise self.refusal("cannot be read") from error
        if said.get("digest") != self.digest or not said.get("done", "").isdigit():
            raise self.refusal("was written for another model, other data or other settings")
        kinds: dict[str, dict[str, Array]] = {"integers": {}, "biases": {}, "scale": {}}
        for key, array in arrays.items():
            kind, _, name = key.partition("/")
            kinds.get(kind, {})[name] = array
        plan = quantized.plan
        known = kinds["scale"]
        qparams = {name: replace(e, scale=known.get(name, e.scale)) for name, e in plan.qparams.items()}
        reasons = {key.removeprefix("reason/"): text for key, text in said.items() if key.startswith("reason/")}
        changed = quantized.with_(
            integers=kinds["integers"], biases=kinds["biases"], qparams=qparams, reasons={**plan.reasons, **reasons}
        )
        return int(said["done"]), changed

    def refusal(self, why: str) -> OctavoError:
        """The error that says why the file is of no use."""
        return OctavoError(f"checkpoint {self.path}", why, "Delete it, or give another file.")
