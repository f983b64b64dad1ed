"""Reads exported programs (.pt2): a zip archive of JSON and raw tensors. Nothing is unpickled, nothing evaluated.

torch.export.load is not used. It unpickles sample inputs, tensor subclasses and custom objects with
weights_only=False, evaluates shape expressions, and imports modules that the file names, so it is for one's own files
only. This reader takes the members it needs, within bounds, and never looks at the others.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from octavo.errors import OctavoError
from octavo.formats.torch_export.program import Program
from octavo.formats.torch_export.reader import read_program
from octavo.formats.torch_export.serialized import DTYPES, from_json
from octavo.ir.build import MAX_ELEMENTS
from octavo.ir.graph import Graph

__all__ = ["read_pt2"]

_MAX_BYTES = 2**31
_MAX_JSON = 2**26
_SLACK = 2**20
_RAW = re.compile(r"(?:weight|tensor)_\d{1,9}", re.ASCII)
_STRIDED = 7
_REMEDY = "Export the module again: torch.export.save(torch.export.export(module.eval(), inputs), path)."


def read_pt2(path: Path) -> Graph:
    """The float graph of a .pt2 file; OctavoError, and nothing else, for files that are damaged or unsafe."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            program = _program(archive, path)
        return read_program(program, path.stem)
    except FileNotFoundError as error:
        raise OctavoError(str(path), "is not there", "Check the path.") from error
    except OctavoError:
        raise
    except Exception as error:  # a damaged archive fails anywhere
        text = " ".join(str(error).split())[:300]
        raise OctavoError(str(path), f"is damaged ({type(error).__name__}: {text})", _REMEDY) from error


def _program(archive: zipfile.ZipFile, path: Path) -> Program:
    members = _members(archive, path)
    models = [name for name in members if name.startswith("models/") and name.endswith(".json")]
    if len(models) != 1:
        why = "holds several models" if models else "is not an exported program of torch 2.8 or later"
        raise OctavoError(str(path), why, _REMEDY)
    if members.get("byteorder") and archive.read(members["byteorder"]).strip() != b"little":
        raise OctavoError(str(path), "was saved on a machine with another byte order", _REMEDY)
    model = models[0].removeprefix("models/").removesuffix(".json")
    tensors: dict[str, torch.Tensor] = {}
    # Only a tensor with stride 0 has more elements than bytes; what it grows to stays near the file's own size.
    budget = min(MAX_ELEMENTS, sum(info.file_size for info in members.values()) + _SLACK)
    for kind in ("weights", "constants"):
        config = _json(archive, members[f"data/{kind}/{model}_{kind}_config.json"], path)["config"]
        for name, payload in config.items():
            tensors[name] = _tensor(archive, members, f"data/{kind}/", payload, budget, path)
            budget -= tensors[name].numel()
    return from_json(_json(archive, members[models[0]], path), tensors)


def _members(archive: zipfile.ZipFile, path: Path) -> Mapping[str, zipfile.ZipInfo]:
    """The members by name, without the folder that all of them are in."""
    infos = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise OctavoError(str(path), "is compressed, which torch.export.save does not do", _REMEDY)
    members = {info.filename.partition("/")[2]: info for info in infos}
    if sum(info.file_size for info in infos) > _MAX_BYTES or len(members) != len(infos):
        raise OctavoError(str(path), "is too large or names a member twice", _REMEDY)
    return members


def _json(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Any:
    if member.file_size > _MAX_JSON:
        raise OctavoError(str(path), f"{member.filename[:80]} is too large", _REMEDY)
    return json.loads(archive.read(member))


def _tensor(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    folder: str,
    payload: Mapping[str, Any],
    budget: int,
    path: Path,
) -> torch.Tensor:
    """A raw tensor of at most ``budget`` elements; torch checks that the strides stay inside."""
    member = str(payload["path_name"])
    if payload["use_pickle"] or not _RAW.fullmatch(member):
        raise OctavoError(
            str(path), f"holds the pickled object {member[:80]!r}, which could run code when loaded", _REMEDY
        )
    meta = payload["tensor_meta"]
    size, stride = ([int(d["as_int"]) for d in meta[key]] for key in ("sizes", "strides"))
    if meta["layout"] != _STRIDED or min(size, default=0) < 0 or math.prod(size) > budget:
        raise OctavoError(str(path), f"the tensor {member} is sparse or too large", _REMEDY)
    data, dtype = bytearray(archive.read(members[folder + member])), DTYPES[meta["dtype"]]
    if not math.prod(size):
        return torch.zeros(size, dtype=dtype)
    flat = torch.frombuffer(data, dtype=dtype, count=len(data) // dtype.itemsize)
    return torch.as_strided(flat, size, stride, int(meta["storage_offset"]["as_int"])).clone()
