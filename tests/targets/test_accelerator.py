"""Accelerators: what a file may say, and one clear error for whatever it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from octavo.errors import OctavoError
from octavo.num.formats import FORMATS
from octavo.ops import OPERATORS
from octavo.targets import Accelerator, available_targets, load_target
from octavo.targets.accelerator import OPERATOR_NAMES

GOOD = """
name = "mine"
description = "an NPU"
flash_bytes = 65536
ram_bytes = 16384
formats = ["affine"]
[accelerator]
source = "a manual"
clock_hz = 500000000
inputs = 16
outputs = 8
elements = 4
tables = true
units = { depthwise = 4 }
speed = { affine = 0.5 }
flash_bytes_per_cycle = 1.5
picojoules_per_mac = 0.5
[accelerator.operators]
Conv2D = { kernel = [7, 5], stride = [2, 2], groups = 1, activations = ["relu"] }
Add = {}
"""


def load(folder: Path, text: str) -> Accelerator | None:
    path = folder / "mine.toml"
    path.write_text(text)
    return load_target(path).accelerator


def test_a_users_file(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD)
    assert found is not None and found.macs_per_cycle == 128 and dict(found.units) == {"depthwise": 4}
    conv = found.operators["Conv2D"]
    assert (conv.kernel, conv.groups, conv.activations) == ((7, 5), 1, ("relu",))
    assert conv.dilation == (65536, 65536) and found.operators["Add"].activations


def test_the_names_are_those_of_the_operators() -> None:
    assert sorted(OPERATOR_NAMES) == sorted(OPERATORS)


def test_shipped_accelerators() -> None:
    shipped = {name for name in available_targets() if load_target(name).accelerator is not None}
    assert shipped == {
        "dsp-float16", "esp32-s3", "ethos-u55-128", "ethos-u65-256", "npu-16x16", "npu-32x32", "npu-log2", "tflite-npu",
    }  # fmt: skip
    for name in shipped:
        with pytest.raises(OctavoError, match="octavo check tells how a network fits"):
            load_target(name).require_code()
        assert set(load_target(name).formats) <= set(FORMATS)
    load_target("cortex-m4").require_code()


@pytest.mark.parametrize(
    "change, word",
    [
        (("inputs = 16", "inputs = 0"), "accelerator: inputs is 0, not between 1 and 4096"),
        (("inputs = 16", "inputs = -16"), "inputs is -16"),
        (("inputs = 16", "inputs = 99999999"), "inputs is 99999999"),
        (("inputs = 16", "inputs = 16.0"), "inputs is 16.0, not a whole number"),
        (("inputs = 16", "inputs = true"), "inputs is True, not a whole number"),
        (("inputs = 16", "input = 16"), "accelerator has the unknown keys input; allowed: source, clock_hz"),
        (("inputs = 16\n", ""), "accelerator lacks the keys inputs"),
        (("elements = 4", "elements = nan"), "elements is nan"),
        (("elements = 4", "elements = 0"), "elements is 0, not above 0"),
        (("elements = 4", "elements = inf"), "elements is inf"),
        (("elements = 4", 'elements = "4"'), "elements is '4', not a number"),
        (("= 1.5", "= -1.5"), "flash_bytes_per_cycle is -1.5"),
        (("= 1.5", "= nan"), "flash_bytes_per_cycle is nan"),
        (("picojoules_per_mac = 0.5", "picojoules_per_mac = -0.5"), "picojoules_per_mac is -0.5"),
        (("500000000", "1"), "clock_hz is 1, not between"),
        (('"a manual"', '""'), "source must say"),
        (("tables = true", "tables = 1"), "tables is 1, not true or false"),
        (("{ depthwise = 4 }", "{ diagonal = 4 }"), "units names 'diagonal'; allowed: depthwise, pointwise"),
        (("{ depthwise = 4 }", "{ depthwise = true }"), "units of depthwise is True, not a number"),
        (("{ depthwise = 4 }", "{ depthwise = nan }"), "units of depthwise is nan"),
        (("{ depthwise = 4 }", "4"), "units must be a table"),
        (("{ affine = 0.5 }", "{ int3 = 0.5 }"), "speed names 'int3'"),
        (("Add = {}", "Addition = {}"), "operators names 'Addition'; allowed: Abs, Add"),
        (("Add = {}", "Add = 3"), "Add must be a table"),
        (("Add = {}", "Add = { kernels = [1, 1] }"), "Add has the unknown keys kernels; allowed: formats, kernel"),
        (("[7, 5]", "[7]"), r"accelerator.operators.Conv2D: kernel is \[7\], not \[height, width\]"),
        (("[7, 5]", "[7, 0]"), "Conv2D: kernel is 0, not between 1"),
        (("[7, 5]", "[7, 70000]"), "kernel is 70000"),
        (("[7, 5]", "[7.0, 5.0]"), "Conv2D: kernel is .*, not a list of whole numbers"),
        (("[7, 5]", "7"), "kernel is 7, not a list"),
        (("groups = 1", "groups = -1"), "groups is -1"),
        (("groups = 1", "multiple = 100000"), "multiple is 100000, not between 1 and 1024"),
        (("groups = 1", "ranks = [9]"), "ranks is 9, not between 1 and 8"),
        (("groups = 1", "square = [0]"), "square is 0"),
        (("groups = 1", "cycles_per_element = nan"), "cycles_per_element is nan"),
        (("groups = 1", 'formats = ["int3"]'), "formats names 'int3'"),
        (('["relu"]', '["gelu"]'), "activations names 'gelu'; allowed: relu, relu6, relu1, clip"),
        (('["relu"]', '"relu"'), "activations is 'relu', not a list of texts"),
        (("tables = true", 'vela = "rm -rf"'), "vela is 'rm -rf'"),
        (("tables = true", 'vela = "--version"'), "vela is '--version'"),
        (('formats = ["affine"]', 'features = ["dsp"]'), "accelerator goes with none of board, cycles and features"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, change: tuple[str, str], word: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(OctavoError, match=word) as error:
        load(tmp_path, GOOD.replace(*change, 1))
    assert "mine.toml" in error.value.where and "docs/check.md" in error.value.remedy


def test_no_operators_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OctavoError, match="operators must name at least one"):
        load(tmp_path, GOOD[: GOOD.index("Conv2D =")])
    with pytest.raises(OctavoError, match="accelerator must be a table"):
        load(tmp_path, GOOD[: GOOD.index("[accelerator]")] + "accelerator = 3")
