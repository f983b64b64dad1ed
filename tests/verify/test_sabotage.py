"""Deliberate faults in the C of a folder: each is found at its layer, with its cause."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo import program
from octavo.build import Build
from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.package import export
from octavo.verify import Verification, random_inputs, verify_build
from tests.lower.test_interleave import joined
from tests.oracles.device import require_device
from tests.test_strips import network as strips_network
from tests.verify.conftest import Spoil

MEAN = "octavo/dsp/mean_s8_dsp.h"
ROUNDED = "octavo_shift_left(2 * p->output_zero_point + 1, p->shift - 1)"
TRUNCATED = "octavo_shift_left(2 * p->output_zero_point, p->shift - 1)"
ON = ["host", "cortex-m4"]


def verified(build: Build, inputs: dict[str, Array], on: str) -> Verification:
    if on != "host":
        require_device(on)
    return verify_build(build, inputs, on)


def kinds(result: Verification) -> list[str]:
    assert result.divergence is not None and not result.ok
    return [cause.kind for cause in result.divergence.causes]


@pytest.mark.parametrize("on", ON)
def test_wrong_rounding_in_one_kernel(spoil: Spoil, inputs: dict[str, Array], on: str) -> None:
    result = verified(spoil((MEAN, ROUNDED, TRUNCATED)), inputs, on)
    assert kinds(result) == ["broken kernel"]
    found = result.divergence
    assert found is not None and (found.layer, found.value, found.kernel) == ("mean", "mean", "mean_s8_dsp")
    assert abs(found.found - found.expected) == 1 and found.elements == 8 and 0 < found.different <= 8
    assert found.witness == ("none" if on == "host" else "differs")
    assert MEAN in found.causes[0].text and MEAN in result.notes[0]
    assert [layer.state for layer in result.layers] == ["agrees"] * 4 + ["differs"] + ["not reached"] * 2


def test_a_kernel_that_only_the_core_gets_wrong(spoil: Spoil, inputs: dict[str, Array]) -> None:
    wrong = f"{ROUNDED}\n#ifdef __arm__\n        - 1000000\n#endif\n       "
    result = verified(spoil((MEAN, ROUNDED, wrong)), inputs, "cortex-m4")
    assert kinds(result) == ["miscompiled kernel"]
    assert result.divergence is not None and result.divergence.layer == "mean"
    assert result.divergence.witness == "agrees"


@pytest.mark.parametrize("on", ON)
def test_an_output_moved_over_a_value_that_is_read_later(spoil: Spoil, inputs: dict[str, Array], on: str) -> None:
    """The depthwise layer writes at byte 64, and the sum reads it there: over c, which the sum reads, too."""
    moved = spoil(
        ("model.c", "AT(576), AT(1152));", "AT(64), AT(1152));"),
        ("model.c", "(AT(0), AT(576), AT(0));", "(AT(0), AT(64), AT(0));"),
    )
    result = verified(moved, inputs, on)
    found = result.divergence
    assert kinds(result)[0] == "overlapping buffers"
    assert found is not None and (found.layer, found.value) == ("d", "c")
    text = found.causes[0].text
    assert "d wrote over c (bytes 0 to 575" in text and "d (bytes 64 to 639), by the plan from 576 on" in text


def test_working_memory_moved_over_a_value(spoil: Spoil, inputs: dict[str, Array]) -> None:
    result = verified(spoil(("model.c", "AT(576), AT(1152));", "AT(576), AT(100));")), inputs, "host")
    assert kinds(result)[0] == "overlapping buffers"
    assert result.divergence is not None and (result.divergence.layer, result.divergence.value) == ("d", "c")
    assert "d:scratch (bytes 100 to 363)" in result.divergence.causes[0].text


def test_a_value_that_merely_lies_elsewhere(spoil: Spoil, inputs: dict[str, Array]) -> None:
    moved = spoil(
        ("model.c", "model_data_fc_stream, AT(8))", "model_data_fc_stream, AT(24))"),
        ("model.c", "s8_6(AT(8)", "s8_6(AT(24)"),
    )
    result = verified(moved, inputs, "host")
    assert kinds(result)[0] == "misplaced value"
    assert result.divergence is not None and result.divergence.layer == "fc"
    assert "has fc at byte 24 of the arena, the plan at 8" in result.divergence.causes[0].text


@pytest.mark.parametrize("on", ON)
def test_weights_of_another_training(spoil: Spoil, inputs: dict[str, Array], on: str) -> None:
    result = verified(spoiled_weights(spoil, swap=False), inputs, on)
    assert kinds(result)[0] == "stale weights"
    assert result.divergence is not None and result.divergence.layer == "d"
    assert result.stale == ("d:scale",)


def test_weights_with_their_bytes_swapped(spoil: Spoil, inputs: dict[str, Array]) -> None:
    result = verified(spoiled_weights(spoil, swap=True), inputs, "host")
    assert kinds(result)[0] == "byte order"
    assert result.divergence is not None and result.divergence.layer == "d"


def spoiled_weights(spoil: Spoil, swap: bool) -> Build:
    """The folder with other numbers in the depthwise layer's table of 32-bit integers."""
    build = spoil()
    file = build.c_dir / "src/model_data.c"
    head, numbers, tail = re.split(r"(?<=model_data_d_scale)(\[\d+\][^{]*\{[^}]*\})", file.read_text(), maxsplit=1)
    start, end = numbers.index("{"), numbers.index("}")
    values = np.array([int(word) for word in numbers[start + 1 : end].split(",")], np.int32)
    values = values.byteswap() if swap else values + 1_000_000
    words = ", ".join("(-2147483647 - 1)" if v == -(2**31) else str(v) for v in values)
    file.write_text(head + numbers[:start] + "{" + words + numbers[end:] + tail)
    return build


@pytest.mark.parametrize("size", [3000, 66000])
def test_a_kernel_that_takes_much_stack(spoil: Spoil, inputs: dict[str, Array], size: int) -> None:
    """The kernel's result stays right; a stack of 65,536 bytes does not hold the larger."""
    loop = f"for (int32_t i = 0; i < {size}; ++i) {{\n        big[i] = 1;\n    }}\n    (void)big;\n    "
    big = f"volatile char big[{size}];\n    {loop}"
    rest = "const int32_t rest = p->inner % 4;"
    result = verified(spoil((MEAN, rest, big + rest)), inputs, "cortex-m4")
    assert result.divergence is None and result.stack_size == 65536
    assert min(size, 65536) <= result.stack_bytes <= min(size + 300, 65536)
    assert result.stack_overflowed == (size > 65536) != result.ok


def test_a_plan_that_overlaps(
    build: Build, inputs: dict[str, Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan and C agree with each other, and are wrong."""
    plan = program.plan_arena

    def overlapping(*arguments: object) -> object:
        arena = plan(*arguments)  # type: ignore[arg-type]
        return replace(arena, offsets={**arena.offsets, "d": 64})

    with monkeypatch.context() as patched:
        patched.setattr(program, "plan_arena", overlapping)
        wrong = export(build.quantized, tmp_path / "wrong")
    result = verified(wrong, inputs, "host")
    found = result.divergence
    assert kinds(result) == ["overlapping buffers", "overlapping buffers"]
    assert found is not None and (found.layer, found.value) == ("d", "c")
    assert "it writes d (bytes 64 to 639)" in found.causes[0].text
    assert "the plan itself is wrong" in found.causes[1].text


def test_a_wrong_pixel_among_other_channels(tmp_path: Path) -> None:
    """The copy of a branch into the joined image leaves out its last pixel; the other branches' channels are right."""
    build = export(joined(0), tmp_path / "b")
    kernel = build.c_dir / "src/octavo/portable/place_s8.h"
    text = kernel.read_text()
    assert "i < p->pixels" in text
    kernel.write_text(text.replace("i < p->pixels", "i < p->pixels - 1"))
    found = verify_build(build, random_inputs(build, 1), "host").divergence
    assert found is not None and found.kernel == "place_s8" and found.causes[0].kind == "broken kernel"
    height, width, channels = next(
        row["output_shape"][1:] for row in build.manifest["layers"] if row["kernel"] == "place_s8"
    )
    assert found.element[:2] == (height - 1, width - 1) and found.different <= channels
    assert found.elements == height * width * channels


def test_an_output_moved_over_its_own_input(spoil: Spoil, inputs: dict[str, Array]) -> None:
    moved = spoil(("model.c", "model_data_c_stream, AT(0),", "model_data_c_stream, AT(300),"))
    result = verified(moved, inputs, "host")
    assert kinds(result)[0] == "overlapping buffers"
    found = result.divergence
    assert found is not None and (found.layer, found.value) == ("c", "c")
    text = found.causes[0].text
    assert "the C of c has c at byte 300 of the arena, the plan at 0; placed so, values image, c" in text


def test_a_fault_names_its_layer(spoil: Spoil, inputs: dict[str, Array]) -> None:
    rest = "const int32_t rest = p->inner % 4;"
    fault = "(void)*(volatile const int8_t *)0xE0200000u;\n    "
    with pytest.raises(OctavoError, match="in mean: the program ended with 70: fault"):
        verified(spoil((MEAN, rest, fault + rest)), inputs, "cortex-m4")


def test_a_kernel_inside_of_strips(tmp_path: Path) -> None:
    """Values between strips are never whole: what the strips make is what differs."""
    build = export(strips_network.__wrapped__(), tmp_path / "b", "wide", "cortex-m4", strips=True)
    kernel = build.c_dir / "src/octavo/dsp/depthwise_conv2d_s8_dsp.h"
    text = kernel.read_text()
    assert text.count("octavo_dsp_finish(") >= 1
    kernel.write_text(text.replace("octavo_dsp_finish(", "octavo_dsp_finish(128 + ", 1))
    found = verify_build(build, random_inputs(build, 1), "host").divergence
    assert found is not None and found.kernel == "strips" and found.source.startswith("first to ")
    assert [cause.kind for cause in found.causes] == ["broken kernel"]
