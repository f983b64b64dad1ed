"""Options of a layer by name."""

from __future__ import annotations

import pytest

from octavo.errors import OctavoError
from octavo.num.formats import FORMATS, find_format
from octavo.num.options import OPTIONS, find_options

AFFINE, ALL = find_format("affine"), tuple(FORMATS)


def test_every_name_is_an_option() -> None:
    options = {option.name: option for option in find_options(OPTIONS, AFFINE, ALL)}
    assert len(options) == 14
    assert (options["int3"].weights.bits, options["int3"].activation_bits) == (3, 8)
    assert (options["16x4"].weights.bits, options["16x4"].activation_bits) == (4, 16)


def test_options_keep_what_the_format_says_of_weights() -> None:
    base = find_format("power-of-two").with_weights("per-tensor")
    (option,) = find_options(("int4",), base, ALL)
    assert option.weights.power_of_two and option.weights.granularity == "per-tensor"
    grouped = find_options(("int8", "int4"), find_format("int4").with_weights("per-group"), ALL)
    assert [option.weights.granularity for option in grouped] == ["per-channel", "per-group"]


@pytest.mark.parametrize(
    "names, base, allowed, word",
    [
        (("int8", "float16"), AFFINE, ALL, "no executor has both"),
        (("int9",), AFFINE, ALL, "is unknown.*int8, int7"),
        (("int8", "int8"), AFFINE, ALL, "not all different"),
        ((), AFFINE, ALL, "are none"),
        (("int4",), AFFINE, ("affine", "16x8"), "needs the format int4.*It has affine, 16x8"),
        (("16x8",), AFFINE, ("affine", "int4"), "needs the format 16x8"),
        (("int8",), find_format("log2"), ALL, "cannot be mixed"),
        (("int8",), find_format("16x8"), ALL, "cannot be mixed"),
    ],
)
def test_refusals(names: tuple[str, ...], base: object, allowed: tuple[str, ...], word: str) -> None:
    with pytest.raises(OctavoError, match=word):
        find_options(names, base, allowed)  # type: ignore[arg-type]
