"""Several compiled models as one library whose models share one arena."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavo import __version__
from octavo.c.bundle import Part, emit_bundle
from octavo.c.packages import package_files
from octavo.c.text import check_prefix
from octavo.compiled import Compiled, read_compiled
from octavo.errors import OctavoError
from octavo.files import GENERATOR, MARKER, replace_folder
from octavo.memory import place_parts

__all__ = ["Bundle", "bundle"]

MANIFEST_VERSION = 1
MAX_MODELS = 32
_SHARED = "src/octavo/"
# What follows a model's name in its files, objects and functions, and another model's name must not be.
_WORDS = ("DATA", "ARENA", "STREAM", "QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class Bundle:
    """A written bundle; its C is in the folder that has its name."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def c_dir(self) -> Path:
        """The library for firmware: C in ``src/``, the self-test in ``selftest/``."""
        return self.folder / str(self.manifest["name"])


def bundle(
    folders: Sequence[str | Path],
    output: str | Path,
    name: str = "bundle",
    together: Iterable[Iterable[str]] = (),
) -> Bundle:
    """Write one library of the models in ``folders``, which ``octavo compile`` wrote, into ``output``.

    The models share one arena: they run one after another, and what one leaves there is lost when the next one runs.
    Each set in ``together`` names models that keep their bytes at the same time; they lie side by side. ``name`` is the
    prefix of the bundle's own C. Raises OctavoError when a folder was altered or is of another Octavo, when names or
    targets don't go together, and when the memory is too small that the target has, or a model was compiled for.
    """
    check_prefix(name)
    output = Path(output)
    if not 2 <= len(folders) <= MAX_MODELS:
        raise OctavoError("bundle", f"{len(folders)} folders were given", f"Name 2 to {MAX_MODELS} folders.")
    for folder in map(Path, folders):
        if folder.resolve().is_relative_to(output.resolve()):
            raise OctavoError(str(output), f"holds {folder}, which is read", "Choose another output folder.")
    models = [read_compiled(Path(folder)) for folder in folders]
    target = models[0].target
    if odd := next((model for model in models if model.target != target), None):
        why = f"is compiled for {odd.target.name}, {models[0].name} for {'another ' * (odd.target.name == target.name)}"
        why += target.name
        raise OctavoError(str(odd.folder), why, "Compile all models for one target.")
    groups = _groups(models, together)
    parts = _parts(models, groups)
    _check_fit(models, parts)
    library = _library(name, models, parts)
    library |= package_files(name, __version__, library, [model.name for model in models])
    files = {f"{name}/{path}": data for path, data in sorted(library.items())}
    manifest = _manifest(name, models, parts, groups)
    manifest["sha256"] = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    files[MARKER] = (json.dumps(manifest, indent=1) + "\n").encode()
    replace_folder(output, files)
    return Bundle(output, manifest)


def _groups(models: Sequence[Compiled], together: Iterable[Iterable[str]]) -> list[frozenset[str]]:
    """The sets of models that keep their bytes at the same time."""
    known = [model.name for model in models]
    groups = []
    for names in map(list, together):
        unknown = [name for name in names if name not in known]
        if unknown or len(names) < 2 or len(set(names)) < len(names):
            why = f"names {unknown[0]}, which is not in the bundle" if unknown else "is not two or more models"
            raise OctavoError(f"together {','.join(names)}"[:200], why, f"Choose among {', '.join(known)}.")
        groups.append(frozenset(names))
    return groups


def _parts(models: Sequence[Compiled], groups: Sequence[frozenset[str]]) -> list[Part]:
    _check_names([model.name for model in models])
    sizes = {model.name: model.arena_bytes for model in models}
    offsets = place_parts(sizes, groups, {model.name: model.alignment for model in models})
    parts = []
    for model in models:
        kept_by = {other for group in groups if model.name in group for other in group} - {model.name}
        parts.append(Part(model.entry, offsets[model.name], model.arena_bytes, tuple(sorted(kept_by))))
    return parts


def _check_names(names: Sequence[str]) -> None:
    """OctavoError when two models' macros, files or constants could have one name; file systems may know no case."""
    upper = [name.upper() for name in names]
    for index, one in enumerate(upper):
        for other in range(len(upper)):
            taken = one, *(f"{one}_{word}" for word in _WORDS)
            objects = f"{one}_DATA_", f"{one}_STREAM_"
            if other != index and (upper[other] in taken or upper[other].startswith(objects)):
                why = f"and {names[index]} give the same names to files or constants"
                raise OctavoError(f"model {names[other]}", why, "Compile one of them with another --name.")


def _check_fit(models: Sequence[Compiled], parts: Sequence[Part]) -> None:
    arena, constants = max(part.offset + part.size for part in parts), sum(model.flash_bytes for model in models)
    ram, flash = min(model.ram_limit for model in models), min(model.flash_limit for model in models)
    for what, taken, limit, remedy in (
        ("arena takes", arena, ram, "Let fewer models keep their data together."),
        ("weights take", constants, flash, "Bundle fewer or smaller models."),
    ):
        if taken > limit:
            kind = "RAM" if what.startswith("arena") else "flash"
            why = f"the {what} {taken:,} of {limit:,} bytes of {kind}, {taken - limit:,} too many"
            raise OctavoError(f"bundle for {models[0].target.name}", why, remedy)


def _library(name: str, models: Sequence[Compiled], parts: Sequence[Part]) -> dict[str, bytes]:
    """The models' files and the bundle's; kernels that several models use stand there once."""
    files: dict[str, bytes] = {}
    owner: dict[str, str] = {}
    for model in models:
        for path, data in model.files.items():
            place = path if path.startswith("src/") else path.replace("selftest/", f"selftest/{model.name}/", 1)
            if place not in files:
                files[place], owner[place] = data, model.name
            elif not place.startswith(_SHARED) or files[place] != data:
                where, why = str(model.folder / model.name / path), f"differs from that of {owner[place]}"
                raise OctavoError(where, why, "Compile all models again, with one Octavo.")
    own = emit_bundle(name, parts)
    replaced = {f"src/{model.name}_arena.h" for model in models}
    taken = {path.casefold() for path in files} & {path.casefold() for path in own if path not in replaced}
    if taken:
        raise OctavoError(f"name {name}", f"a model has {min(taken)}, too", "Give --name another word.")
    return files | own


def _manifest(
    name: str, models: Sequence[Compiled], parts: Sequence[Part], groups: Sequence[frozenset[str]]
) -> dict[str, Any]:
    rows = [
        {
            "name": model.name,
            "arena_offset": part.offset,
            "arena_bytes": part.size,
            "kept_by": list(part.kept_by),
            "model_bytes": model.model_bytes,
        }
        for model, part in zip(models, parts, strict=True)
    ]
    return {
        "generator": GENERATOR,
        "version": MANIFEST_VERSION,
        "octavo": __version__,
        "name": name,
        "target": models[0].target.name,
        "models": rows,
        "together": [sorted(group) for group in groups],
        "arena_bytes": max(part.offset + part.size for part in parts),
        "arena_bytes_apart": sum(part.size for part in parts),
        "model_bytes": sum(model.model_bytes for model in models),
    }
