"""Data sets from disk: what numpy and pillow wrote comes back; what is damaged or hostile is refused with one error."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from octavo.datasets import Dataset, Preprocessing, batches, load_dataset
from octavo.errors import OctavoError

RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.standard_normal((70, 3, 4, 5)).astype(np.float32)


def _refusal(path: Path, preprocessing: Preprocessing | None = None) -> str:
    with pytest.raises(OctavoError) as caught:
        load_dataset(path, preprocessing)
    assert caught.value.where and caught.value.why and caught.value.remedy
    return str(caught.value)


def _npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, contents in members.items():
            archive.writestr(f"{name}.npy", contents)
    return path


def _npy_bytes(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def _header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [
        IMAGES,
        np.asfortranarray(IMAGES),
        IMAGES.astype(">f4"),
        IMAGES.astype(np.float16),
        RANDOM.integers(-128, 128, (6, 10), np.int8),
        RANDOM.random((6, 2)) > 0.5,
        np.arange(5.0),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_npz_comes_back(tmp_path: Path, save: Any, array: np.ndarray) -> None:
    labels = np.arange(len(array), dtype=np.uint8)
    save(tmp_path / "data.npz", inputs=array, labels=labels)
    dataset = load_dataset(tmp_path / "data.npz")
    assert isinstance(dataset.inputs, np.ndarray) and dataset.inputs.dtype.isnative
    np.testing.assert_array_equal(dataset.inputs, array)
    np.testing.assert_array_equal(dataset.labels, labels)
    assert len(dataset) == len(array)


def test_npy_comes_back(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", IMAGES)
    dataset = load_dataset(tmp_path / "data.npy")
    assert dataset.labels is None
    np.testing.assert_array_equal(dataset.inputs, IMAGES)


def test_inputs_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=IMAGES, mask=np.ones((70, 2)), labels=np.zeros(70, np.int64))
    dataset = load_dataset(tmp_path / "data.npz")
    assert isinstance(dataset.inputs, dict) and sorted(dataset.inputs) == ["image", "mask"]
    taken = list(batches(dataset.some(40), 32))
    assert [len(batch["image"]) for batch in taken if isinstance(batch, dict)] == [32, 8]
    assert [len(batch["mask"]) for batch in taken if isinstance(batch, dict)] == [32, 8]


def test_batches_are_the_inputs_in_order() -> None:
    dataset = Dataset(IMAGES)
    taken = list(batches(dataset, 32))
    assert [len(batch) for batch in taken] == [32, 32, 6]
    np.testing.assert_array_equal(np.concatenate(taken), IMAGES)
    assert len(dataset.some(1000)) == 70


def test_some_samples_are_evenly_spaced_with_their_labels() -> None:
    """A folder of images comes class by class: the first ones would be of one class."""
    some = Dataset(IMAGES, np.repeat(np.arange(7), 10)).some(14)
    assert isinstance(some.inputs, np.ndarray) and some.labels is not None
    np.testing.assert_array_equal(some.inputs, IMAGES[::5])
    np.testing.assert_array_equal(some.labels, np.repeat(np.arange(7), 2))


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"labels": np.zeros(3, np.int64)}, "holds no inputs"),
        ({"inputs": np.zeros((3, 2)), "labels": np.zeros(4, np.int64)}, "for 3 samples"),
        ({"inputs": np.zeros((3, 2)), "labels": np.zeros((3, 1), np.int64)}, "for 3 samples"),
        ({"inputs": np.zeros((3, 2)), "labels": np.zeros(3)}, "not integers"),
        ({"inputs": np.zeros((0, 2))}, "is empty"),
        ({"inputs": np.float32(1)}, "single number"),
        ({"inputs": np.array([[1, 2], [3, np.nan]])}, "sample 1 holds NaN or Inf"),
        ({"inputs": np.array([[1, np.inf], [3, 4]], np.float32)}, "sample 0 holds NaN or Inf"),
        ({"inputs": np.zeros((3, 2)), "mask": np.zeros((3, 2))}, "holds mask beside inputs"),
        ({"image": np.zeros((3, 2)), "mask": np.zeros((2, 2))}, "differ in samples"),
        ({"inputs": np.array(["a", "b"])}, "objects, text and records"),
        ({"inputs": np.zeros(2, np.complex64)}, "objects, text and records"),
    ],
)
def test_refused_contents(tmp_path: Path, arrays: dict[str, Any], why: str) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    assert why in _refusal(tmp_path / "data.npz")


class _Trap:
    """Unpickling this would create the file that it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["data.npz", "data.npy"])
def test_nothing_is_unpickled(tmp_path: Path, name: str) -> None:
    contents = _npy_bytes(np.array([_Trap(tmp_path / "sprung")], object), allow_pickle=True)
    if name == "data.npy":
        (tmp_path / name).write_bytes(contents)
    else:
        _npz(tmp_path / name, inputs=contents)
    assert "objects" in _refusal(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (_header((2**20, 2**20)), "declares 4096.0 GiB"),
        (_header((2**62, 2**62)), "GiB"),
        (_header((-1, 4)) + bytes(16), "declares"),
        (_header((4, 4)) + bytes(63), "do not hold"),
        (_header((4, 4)) + bytes(65), "do not hold"),
        (b"\x93NUMPY\x03\x00", ".npy version 3.0"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "no valid .npy header"),
        (b"not an array", "no valid .npy header"),
        (b"", "no valid .npy header"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_headers_are_not_believed(tmp_path: Path, contents: bytes, why: str, suffix: str) -> None:
    path = tmp_path / f"data{suffix}"
    if suffix == ".npy":
        path.write_bytes(contents)
    else:
        _npz(path, inputs=contents)
    assert why in _refusal(path)


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    """The archive's directory and the array's header promise 8 GiB together; the data are 16 bytes."""
    declared = 2**33
    header = _header((declared // 4,))
    path = _npz(tmp_path / "data.npz", inputs=header + bytes(16))
    contents = bytearray(path.read_bytes())
    entry = contents.rindex(b"PK\x01\x02")
    contents[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(contents)
    assert "do not hold" in _refusal(path)


def test_damaged_files_are_one_clear_error(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "good.npz", inputs=np.round(IMAGES[:6]), labels=np.arange(6))
    good = (tmp_path / "good.npz").read_bytes()
    path = tmp_path / "bad.npz"
    for _ in range(300):
        contents = bytearray(good[: RANDOM.integers(0, len(good) + 1)] if RANDOM.random() < 0.3 else good)
        for at in RANDOM.integers(0, max(len(contents), 1), RANDOM.integers(0, 4) if contents else 0):
            contents[at] ^= 1 << RANDOM.integers(0, 8)
        path.write_bytes(contents)
        try:
            load_dataset(path)
        except OctavoError as error:
            assert str(path) in error.where


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    assert "does not exist" in _refusal(tmp_path / "none.npz")
    (tmp_path / "data.csv").write_text("1,2")
    assert "'.csv'" in _refusal(tmp_path / "data.csv")
    np.save(tmp_path / "data.npy", IMAGES)
    assert "takes no preprocessing" in _refusal(tmp_path / "data.npy", Preprocessing((4, 4)))


# Folders of images


def _picture(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def test_class_folders_give_labels(tmp_path: Path) -> None:
    _picture(tmp_path / "dog" / "1.png", (10, 20, 30))
    _picture(tmp_path / "cat" / "2.png", (1, 2, 3))
    _picture(tmp_path / "cat" / "1.PNG", (4, 5, 6))
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")
    dataset = load_dataset(tmp_path, Preprocessing((2, 3), layout="NHWC"))
    assert isinstance(dataset.inputs, np.ndarray) and dataset.inputs.dtype == np.float32
    assert dataset.inputs.shape == (3, 2, 3, 3)
    np.testing.assert_array_equal(dataset.inputs[:, 0, 0], [[4, 5, 6], [1, 2, 3], [10, 20, 30]])
    np.testing.assert_array_equal(dataset.labels, [0, 0, 1])


def test_pixels_are_scaled_then_normalised_by_channel(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png", (51, 102, 255))
    table = {"size": [2, 3], "scale": 1 / 255, "mean": [0.2, 0.2, 0.5], "std": [1, 2, 0.25], "layout": "NCHW"}
    dataset = load_dataset(tmp_path, Preprocessing.from_toml(table))
    assert dataset.labels is None
    assert isinstance(dataset.inputs, np.ndarray) and dataset.inputs.shape == (1, 3, 2, 3)
    np.testing.assert_allclose(dataset.inputs[0, :, 0, 0], [0, 0.1, 2], atol=1e-6)


def test_resize_is_pillows(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (8, 12), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    how = Preprocessing.from_toml({"size": [3, 5], "resize": "bicubic", "color": "gray", "layout": "NHWC"})
    expected = np.asarray(Image.fromarray(pixels).resize((5, 3), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(np.asarray(load_dataset(tmp_path, how).inputs)[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, "has no size"),
        ({"size": [2, 2], "crop": 3}, "Allowed: size, resize, color, mean, std, scale, layout"),
        ({"size": 2}, "[height, width]"),
        ({"size": [2]}, "[height, width]"),
        ({"size": [2, 0]}, "[height, width]"),
        ({"size": [2, 2.5]}, "[height, width]"),
        ({"size": [2, 2], "resize": "area"}, "nearest or bilinear"),
        ({"size": [2, 2], "color": "bgr"}, "rgb or gray"),
        ({"size": [2, 2], "layout": "CHW"}, "NCHW or NHWC"),
        ({"size": [2, 2], "mean": [1, 2]}, "one number, or 3"),
        ({"size": [2, 2], "color": "gray", "mean": [1, 2, 3]}, "one number, or 1"),
        ({"size": [2, 2], "std": 0}, "std other than 0"),
        ({"size": [2, 2], "std": "one"}, "a number or a list"),
        ({"size": [2, 2], "scale": [1]}, "a number"),
        ({"size": [2, 2], "mean": float("nan")}, "finite"),
        ({"size": [2, 2], "resize": ["bilinear"]}, "nearest or bilinear"),
    ],
)
def test_refused_preprocessing(table: dict[str, Any], why: str) -> None:
    with pytest.raises(OctavoError) as caught:
        Preprocessing.from_toml(table)
    assert why in str(caught.value)


def test_refused_folders(tmp_path: Path) -> None:
    how = Preprocessing((2, 2))
    assert "needs preprocessing" in _refusal(tmp_path)
    assert "holds no pictures" in _refusal(tmp_path, how)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert "broken.png" in _refusal(tmp_path, how)
    _picture(tmp_path / "class" / "1.png", (0, 0, 0))
    assert "both pictures and folders" in _refusal(tmp_path, how)
