"""A folder of pictures as numbers: resize, colour, scale, normalise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from octavo.errors import OctavoError

__all__ = ["Preprocessing", "read_images"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".webp")
RESIZES = ("nearest", "bilinear", "bicubic", "lanczos")
CHANNELS = {"rgb": 3, "gray": 1}
LAYOUTS = ("NCHW", "NHWC")
MAX_SIDE = 8192
MAX_PIXELS = 2**26
MAX_BYTES = 16 * 2**30
SECTION = "[preprocessing]"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the network's input: value = (pixel * scale - mean) / std, for each channel.

    ``size`` is (height, width); the picture is stretched to it. ``scale`` is 1 by default (pixels 0 to 255); torch's
    habit is scale 1/255 with mean and std for that range.
    """

    size: tuple[int, int]
    resize: str = "bilinear"
    color: str = "rgb"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    layout: str = "NCHW"

    def __post_init__(self) -> None:
        if len(self.size) != 2 or any(side < 1 or side > MAX_SIDE for side in self.size):
            raise _refused("size", list(self.size), f"[height, width], each from 1 to {MAX_SIDE}")
        for key, allowed in (("resize", RESIZES), ("color", tuple(CHANNELS)), ("layout", LAYOUTS)):
            if getattr(self, key) not in allowed:
                raise _refused(key, getattr(self, key), " or ".join(allowed))
        channels = CHANNELS[self.color]
        for key in ("mean", "std"):
            if len(getattr(self, key)) not in (1, channels):
                raise _refused(key, list(getattr(self, key)), f"one number, or {channels} for color {self.color!r}")
        if not np.isfinite([*self.mean, *self.std, self.scale]).all() or 0.0 in self.std:
            raise _refused("mean, std, scale", "not finite, or std is 0", "finite numbers, and a std other than 0")

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> Preprocessing:
        """From the ``[preprocessing]`` section of a configuration file."""
        if not isinstance(table, Mapping):
            raise OctavoError(SECTION, "is not a section", f"Write a section with {_keys()}.")
        unknown = sorted(set(table) - {field.name for field in fields(cls)})
        if unknown:
            raise OctavoError(SECTION, f"has the unknown keys {', '.join(unknown)}", f"Allowed: {_keys()}.")
        if "size" not in table:
            raise OctavoError(SECTION, "has no size", "Add size = [height, width].")
        values: dict[str, Any] = dict(table)
        size = values["size"]
        if not isinstance(size, list) or not all(type(side) is int for side in size):
            raise _refused("size", size, "[height, width]")
        values["size"] = tuple(size)
        for key in ("mean", "std"):
            if key in values:
                values[key] = _numbers(key, values[key])
        if "scale" in values:
            values["scale"] = _numbers("scale", values["scale"])[0]
        return cls(**values)


def _keys() -> str:
    return ", ".join(field.name for field in fields(Preprocessing))


def _refused(key: str, value: object, wanted: str) -> OctavoError:
    return OctavoError(f"{SECTION} {key}", f"is {value!r}", f"Give {wanted}.")


def _numbers(key: str, value: object) -> tuple[float, ...]:
    values: list[Any] = value if isinstance(value, list) and key != "scale" else [value]
    if not values or not all(type(number) in (int, float) for number in values):
        raise _refused(key, value, "a number" if key == "scale" else "a number or a list of numbers")
    return tuple(float(number) for number in values)


def read_images(folder: Path, how: Preprocessing) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64] | None]:
    """The pictures of a folder as float32 [N, C, H, W] or [N, H, W, C], and their labels if it has class subfolders."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    loose = _pictures(folder)
    if classes and loose:
        raise OctavoError(
            str(folder), "holds both pictures and folders", "Keep all pictures in class folders, or all directly in it."
        )
    grouped = [_pictures(path) for path in classes] if classes else [loose]
    paths = [path for group in grouped for path in group]
    if not paths:
        raise OctavoError(str(folder), "holds no pictures", f"Give a folder with {', '.join(SUFFIXES)} files.")
    height, width = how.size
    channels = CHANNELS[how.color]
    if 4 * len(paths) * channels * height * width > MAX_BYTES:
        raise OctavoError(str(folder), "holds more than 16 GiB of samples", "Give fewer pictures or a smaller size.")
    shape = (channels, height, width) if how.layout == "NCHW" else (height, width, channels)
    images = np.empty((len(paths), *shape), np.float32)
    for image, path in zip(images, paths, strict=True):
        image[...] = _read(path, how)
    labels = np.repeat(np.arange(len(grouped)), [len(group) for group in grouped]) if classes else None
    return images, labels


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)


def _read(path: Path, how: Preprocessing) -> npt.NDArray[np.float32]:
    module = _pillow()
    height, width = how.size
    try:
        with module.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise OctavoError(str(path), f"has {picture.width}x{picture.height} pixels", "Give a smaller picture.")
            resized = picture.convert("RGB" if how.color == "rgb" else "L").resize(
                (width, height), module.Resampling[how.resize.upper()]
            )
    except OctavoError:
        raise
    except (OSError, ValueError, SyntaxError, module.DecompressionBombError) as error:
        raise OctavoError(str(path), f"is not a readable picture ({error})", "Remove or replace it.") from error
    pixels = np.asarray(resized, np.float32).reshape(height, width, CHANNELS[how.color])
    scale, mean, std = np.float32(how.scale), np.array(how.mean, np.float32), np.array(how.std, np.float32)
    values: npt.NDArray[np.float32] = (pixels * scale - mean) / std
    return values.transpose(2, 0, 1) if how.layout == "NCHW" else values


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise OctavoError("folders of images", "need pillow", "pip install 'octavo[images]'.") from error
    return Image
