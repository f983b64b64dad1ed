"""Reads exported programs (.pt2) without unpickling anything."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from octavo.errors import OctavoError
from octavo.formats.torch_export.reader import read_program
from octavo.ir.graph import Graph

__all__ = ["read_pt2"]

_MAX_BYTES = 2**31
_SYMBOL = r"Symbol\('[su]\d{1,6}'(?:, (?:positive|nonnegative|integer)=True)*\)"
_EXPRESSION = re.compile(rf"(?:{_SYMBOL}|[su]\d{{1,6}}|(?:Mul|Add|Integer)\(|\d{{1,12}}|[-+() ,]|\*(?!\s*\*))*")
_JSON = re.compile(r"models/\w+\.json|data/(?:weights|constants)/\w+\.json")
_RAW = re.compile(r"data/weights/weight_\d+|data/constants/tensor_\d+|\.data/\w+|byteorder|archive_(?:format|version)")
_TARGET = re.compile(r"torch\.ops\.\w+\.\w+\.\w+|_operator\.\w+")
_REMEDY = "Export the module again: torch.export.save(torch.export.export(module.eval(), inputs), path)."


def read_pt2(path: Path) -> Graph:
    """The float graph of a .pt2 file; OctavoError, and nothing else, for files that are damaged or unsafe."""
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.export").setLevel(logging.ERROR)
            program = torch.export.load(io.BytesIO(_cleaned(path)))
        return read_program(program, path.stem)
    except OctavoError:
        raise
    except Exception as error:  # torch raises anything on a damaged archive
        text = " ".join(str(error).split())[:300]
        raise OctavoError(str(path), f"is damaged ({type(error).__name__}: {text})", _REMEDY) from error


def _cleaned(path: Path) -> bytes:
    # torch.export.load unpickles sample inputs, pickled tensors, custom objects and the legacy format without
    # weights_only, and gives shape expressions to sympify, which evaluates them. So only raw tensors and checked JSON
    # pass, in a copy of the archive whose sample inputs are empty (torch then unpickles nothing).
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        infos = source.infolist()
        names = [info.filename for info in infos]
        if sum(info.file_size for info in infos) > _MAX_BYTES or len(set(names)) != len(names):
            raise OctavoError(str(path), "is too large or names a member twice", _REMEDY)
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise OctavoError(str(path), "is compressed, which torch.export.save does not do", _REMEDY)
        if not any("/models/" in name for name in names):
            raise OctavoError(str(path), "is not an exported program of torch 2.8 or later", _REMEDY)
        for name in names:
            member = name.split("/", 1)[1] if "/" in name else name
            data = source.read(name)
            if member.startswith("extra/"):
                continue
            if member.startswith("data/sample_inputs/"):
                data = b""
            elif _JSON.fullmatch(member):
                content = json.loads(data)
                _check(content, path)
                data = json.dumps(content).encode()
            elif not _RAW.fullmatch(member):
                raise OctavoError(str(path), f"holds {name!r}, which could run code when loaded", _REMEDY)
            target.writestr(name, data)
    return copy.getvalue()


def _check(value: Any, path: Path) -> None:
    """Refuse pickles, custom objects and expressions that are not plain sums and products."""
    if isinstance(value, list):
        for item in value:
            _check(item, path)
    if not isinstance(value, dict):
        return
    if {"target", "inputs"} <= value.keys() and not _TARGET.fullmatch(str(value["target"])):
        raise OctavoError(str(path), f"calls {str(value['target'])[:80]!r}, which is not an operator", _REMEDY)
    for key, item in value.items():
        if key == "use_pickle" and item:
            raise OctavoError(str(path), "holds pickled tensors, which could run code when loaded", _REMEDY)
        if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(item)):
            raise OctavoError(str(path), f"holds the object {item!r}, which could run code when loaded", _REMEDY)
        if key == "expr_str" and not _EXPRESSION.fullmatch(str(item)):
            raise OctavoError(str(path), f"holds the expression {str(item)[:80]!r}", _REMEDY)
        _check(item, path)
