"""Which layers keep their weights in four bits, and how many bytes that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from octavo.kernels.log2 import are_powers_of_two, log2_bytes, log2_codes
from octavo.kernels.specialize import VARIANTS, keeps_four_bits, specialize
from octavo.ops.base import IntegerOp
from octavo.targets import load_target
from tests.networks.integer_layers import (
    Layer,
    convolution,
    depthwise,
    fully_connected,
    in_int4,
    in_log2,
    side_by_side,
)

KINDS: dict[str, Callable[[np.random.Generator], Layer]] = {
    "conv2d": convolution,
    "pointwise": lambda rng: next(
        layer for layer in iter(lambda: convolution(rng, (1, 1)), None) if layer[0].stride_h == layer[0].stride_w == 1
    ),
    "depthwise_conv2d": depthwise,
    "fully_connected": fully_connected,
}


def kernel_of(layer: Layer, *features: str) -> tuple[str, int]:
    """The layer's kernel on a target of such features, and the bytes of its weights with what is around them."""
    program = specialize(side_by_side([layer]), replace(load_target("cortex-m4"), features=features)).graph
    (node,) = program.nodes
    assert isinstance(node.op, IntegerOp)
    return node.op.kernel, sum(array.nbytes for array in program.consts.values())


def with_one_three(layer: Layer) -> Layer:
    """A weight that is no power of two."""
    weights = layer[2][0].copy()
    weights.reshape(-1)[-1] = 3
    return layer[0], layer[1], [weights, *layer[2][1:]], layer[3]


def test_a_code_is_a_sign_and_an_exponent_plus_one() -> None:
    levels = np.array([0, *(2**e for e in range(7)), *(-(2**e) for e in range(7))])
    codes = log2_codes(levels)
    assert len(set(codes)) == 15 and set(codes) == set(range(16)) - {8}
    exponents, signs = codes % 8, np.where(codes < 8, 1, -1)
    np.testing.assert_array_equal(np.where(exponents == 0, 0, signs * 2.0 ** (exponents - 1)), levels)
    assert are_powers_of_two(levels)
    assert not any(are_powers_of_two(np.array([level])) for level in (3, -5, 63, 65, 127, -127, -128))
    assert [int(v) & 0xFF for v in log2_bytes(np.array([[1, -64, 2]]))[0]] == [0x1F, 0x20]


@pytest.mark.parametrize("kind", KINDS)
def test_the_dsp_extension_chooses_by_the_weights(kind: str) -> None:
    rng = np.random.default_rng(3)
    layer = KINDS[kind](rng)
    small, powers = in_int4(rng, layer), in_log2(rng, layer)
    assert kernel_of(powers, "dsp")[0] == f"{kind}_log2_dsp"
    assert kernel_of(with_one_three(powers), "dsp")[0] == f"{kind}_s8_dsp"
    assert kernel_of(small, "dsp")[0] == (f"{kind}_s8_dsp" if kind == "depthwise_conv2d" else f"{kind}_w4_dsp")


def test_without_multiplications_by_the_weights() -> None:
    rng = np.random.default_rng(4)
    for kind in (convolution, fully_connected):
        layer = kind(rng)
        assert kernel_of(in_int4(rng, layer), "shifts")[0] == "conv2d_w4_shifts"
        assert kernel_of(in_log2(rng, layer), "shifts")[0] == "conv2d_w4_shifts"
        assert kernel_of(with_one_three(in_log2(rng, layer)), "shifts")[0] == layer[0].kernel


def test_codes_take_half_the_bytes() -> None:
    """Of large layers, where channels' biases, multipliers and padding to whole words hardly count."""
    rng = np.random.default_rng(5)
    op, (image,), constants, shape = fully_connected(rng)
    wide = replace(op, in_features=512, out_features=64, rows=1)
    weights = rng.integers(-127, 128, (64, 512)).astype(np.int8)
    ends = [np.resize(array, 64) if wide.per_channel or i == 0 else array for i, array in enumerate(constants[1:])]
    layer: Layer = wide, [replace(image, shape=(1, 512))], [weights, *ends], (1, 64)
    whole = kernel_of(layer, "dsp")[1]
    for halved in (in_log2(rng, layer), in_int4(rng, layer)):
        assert kernel_of(halved, "dsp")[1] == pytest.approx(whole - 512 * 64 // 2, abs=64)
        assert kernel_of(halved, "shifts")[1] < 0.56 * whole


@pytest.mark.parametrize("feature", [(), *((name,) for name in VARIANTS if "add_s8" in VARIANTS[name]), ("shifts",)])
def test_what_is_said_of_a_target_is_what_its_kernels_store(feature: tuple[str, ...]) -> None:
    rng = np.random.default_rng(6)
    op, *rest = KINDS["pointwise"](rng)
    layer: Layer = op, *rest
    fewer = kernel_of(in_int4(rng, layer), *feature)[1] < 0.8 * kernel_of(layer, *feature)[1]
    assert keeps_four_bits(replace(load_target("cortex-m4"), features=feature)) == fewer
