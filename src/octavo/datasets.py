"""Samples from disk: .npz, .npy, or a folder of images. Files are not believed: headers and sizes are checked first."""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.images import Preprocessing, read_images
from octavo.num.evenly import evenly

__all__ = ["Array", "Dataset", "Inputs", "Preprocessing", "batches", "load_dataset"]

Array = npt.NDArray[Any]
Inputs = Array | dict[str, Array]

MAX_BYTES = 16 * 2**30
MAX_MEMBERS = 256
DTYPE_KINDS = "biuf"
# What zipfile and its decompressors raise for a bad checksum, a cut stream, encryption, an unknown compression.
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as the network takes them: one array [N, ...], or one by input name; ``labels`` is [N] or None."""

    inputs: Inputs
    labels: Array | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values()))) if isinstance(self.inputs, dict) else len(self.inputs)

    def __getitem__(self, part: slice | NDArray[np.int64]) -> Dataset:
        """The samples of a slice, as views, or those at some places."""
        taken: Inputs = (
            {name: array[part] for name, array in self.inputs.items()}
            if isinstance(self.inputs, dict)
            else self.inputs[part]
        )
        return Dataset(taken, None if self.labels is None else self.labels[part])

    def some(self, count: int) -> Dataset:
        """``count`` samples, evenly spaced, or all when there are fewer."""
        return self[evenly(len(self), count)] if count < len(self) else self


def batches(dataset: Dataset, size: int = 32) -> Iterator[Inputs]:
    """The inputs in order, ``size`` samples at a time; the last batch may be shorter."""
    for start in range(0, len(dataset), size):
        yield dataset[start : start + size].inputs


def load_dataset(path: Path, preprocessing: Preprocessing | None = None) -> Dataset:
    """Read a data set.

    ``.npz``: ``inputs`` [N, ...], or one array [N, ...] by input name, and optional ``labels`` [N]. ``.npy``: one array
    of inputs. A folder: its images in sorted order; with class subfolders, their sorted order gives the labels;
    ``preprocessing`` says how a picture becomes numbers, and belongs to folders only.

    Nothing is unpickled, and no array of more than 16 GiB is read. Raises OctavoError.
    """
    if path.is_dir():
        if preprocessing is None:
            raise OctavoError(
                str(path), "is a folder of images and needs preprocessing", "Add a [preprocessing] section to the TOML."
            )
        images, classes = read_images(path, preprocessing)
        return _checked(path, images, classes)
    if not path.is_file():
        raise OctavoError(str(path), "does not exist", "Give the path of a .npz, a .npy or a folder of images.")
    if preprocessing is not None:
        raise OctavoError(
            str(path),
            "takes no preprocessing: it holds samples as the network takes them",
            "Leave out [preprocessing], or give a folder of images.",
        )
    if path.suffix == ".npy":
        return _checked(path, _read_npy(path), None)
    if path.suffix == ".npz":
        return _from_arrays(path, _read_npz(path))
    raise OctavoError(
        str(path), f"has the ending {path.suffix!r}, which is no data set", "Use .npz, .npy or a folder of images."
    )


def _from_arrays(path: Path, arrays: dict[str, Array]) -> Dataset:
    labels = arrays.pop("labels", None)
    if not arrays:
        raise OctavoError(
            str(path), "holds no inputs", "Save an array named inputs [N, ...], or one for each input of the network."
        )
    if "inputs" in arrays:
        extra = sorted(set(arrays) - {"inputs"})
        if extra:
            raise OctavoError(
                str(path), f"holds {', '.join(extra)} beside inputs", "Keep inputs and labels, or arrays by input name."
            )
        return _checked(path, arrays["inputs"], labels)
    return _checked(path, arrays, labels)


def _checked(path: Path, inputs: Inputs, labels: Array | None) -> Dataset:
    """Finite numbers, at least one sample, and the same count everywhere."""
    named = inputs if isinstance(inputs, dict) else {"inputs": inputs}
    for name, array in named.items():
        where = f"{path}, {name}"
        if array.ndim == 0:
            raise OctavoError(where, "is a single number", "The first axis counts the samples: save [N, ...].")
        if array.size == 0:
            raise OctavoError(where, f"is empty: its shape is {list(array.shape)}", "Give at least one sample.")
        _refuse_non_finite(where, array)
    counts = {name: len(array) for name, array in named.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise OctavoError(str(path), f"its inputs differ in samples ({listed})", "Save the same number of each.")
    if labels is not None:
        _check_labels(f"{path}, labels", labels, next(iter(counts.values())))
    return Dataset(inputs, labels)


def _check_labels(where: str, labels: Array, samples: int) -> None:
    if labels.dtype.kind not in "iu":
        raise OctavoError(where, f"are {labels.dtype}, not integers", "Save class indices as integers.")
    if labels.shape != (samples,):
        raise OctavoError(
            where, f"have the shape {list(labels.shape)} for {samples} samples", "Save one label a sample."
        )


def _refuse_non_finite(where: str, array: Array) -> None:
    """Look in slices, so that the check needs little memory beside the array."""
    if array.dtype.kind != "f":
        return
    step = max(1, 2**22 * len(array) // array.size)
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step]).reshape(-1, array.size // len(array)).all(axis=1)
        if not finite.all():
            sample = start + int(np.argmin(finite))
            raise OctavoError(where, f"sample {sample} holds NaN or Inf", "Remove or mend that sample.")


def _read_npy(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            return _read_array(file, path.stat().st_size, str(path))
    except OSError as error:
        raise OctavoError(str(path), f"cannot be read ({error.strerror or error})", "Check the file.") from error


def _read_npz(path: Path) -> dict[str, Array]:
    """Every member of the archive; the sizes that their headers declare are added up before any data are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise _damaged(str(path), f"holds {len(members)} arrays, more than {MAX_MEMBERS}")
            _refuse_large(str(path), sum(member.file_size for member in members))
            arrays: dict[str, Array] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                where = f"{path}, {name}"
                if name == member.filename or name in arrays:
                    raise _damaged(where, "is not a .npy member, or is there twice")
                with archive.open(member) as file:
                    arrays[name] = _read_array(file, member.file_size, where)
            return arrays
    except UNREADABLE as error:
        raise _damaged(str(path), f"is not a readable .npz ({error})") from error


def _read_array(file: IO[bytes], length: int, where: str) -> Array:
    """An array from its .npy form of ``length`` bytes; the header must account for exactly that many."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise _damaged(where, f"is .npy version {version[0]}.{version[1]}")
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
    except OctavoError:
        raise
    except Exception as error:  # The header is text that numpy parses: whatever goes wrong, the file is to blame.
        raise _damaged(where, f"has no valid .npy header ({error})") from error
    if dtype.kind not in DTYPE_KINDS or dtype.itemsize > 8:
        raise OctavoError(
            where, f"holds {dtype}: objects, text and records are not read", "Save a plain array of numbers."
        )
    declared = math.prod(shape) * dtype.itemsize
    _refuse_large(where, declared)
    if any(size < 0 for size in shape) or file.tell() + declared != length:
        raise _damaged(where, f"declares {list(shape)} of {dtype}, which its {length} bytes do not hold")
    array: Array = _read_bytes(file, declared, where).view(dtype).astype(dtype.newbyteorder("="), copy=False)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _read_bytes(file: IO[bytes], count: int, where: str) -> npt.NDArray[np.uint8]:
    """Read in pieces into one buffer, so that memory holds the array once."""
    try:
        buffer = np.empty(count, np.uint8)
    except MemoryError as error:
        raise OctavoError(where, f"needs {count / 2**30:.1f} GiB of memory", "Give fewer samples.") from error
    at = 0
    while at < count:
        piece = file.read(min(2**24, count - at))
        if not piece:
            raise _damaged(where, "ends early")
        buffer[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    if file.read(1):
        raise _damaged(where, "goes on after its data")
    return buffer


def _refuse_large(where: str, size: int) -> None:
    if size > MAX_BYTES:
        raise OctavoError(where, f"declares {size / 2**30:.1f} GiB", f"Split it: at most {MAX_BYTES // 2**30} GiB.")


def _damaged(where: str, why: str) -> OctavoError:
    return OctavoError(where, why, "Save it again with numpy.savez or numpy.save.")
