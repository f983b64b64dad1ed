"""fold_batch_norm and replace_batch_norm: exact foldings happen, others don't."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from channels_first import RELU, RELU6, Source, applied, kinds, refused

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ops import (
    Add,
    BatchNorm,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mul,
    Neg,
    Reshape,
    Sub,
    TransposeConv2D,
)
from octavo.passes.fold_batch_norm import fold_batch_norm
from octavo.passes.pipeline import normalize
from octavo.passes.replace_batch_norm import replace_batch_norm
from octavo.passes.rewrite import rename_values

LINEAR: list[tuple[Any, tuple[int, ...], int]] = [
    (Conv2D(), (6, 3, 3, 4), 6),
    (Conv2D(groups=2), (6, 3, 3, 2), 6),
    (DepthwiseConv2D(), (1, 3, 3, 8), 8),
    (TransposeConv2D((2, 2)), (6, 2, 2, 4), 6),
    (FullyConnected(), (6, 4), 6),
]
PADDED: list[tuple[Any, tuple[int, ...], int]] = [
    (Conv2D(padding=(1, 0, 2, 1)), (6, 3, 3, 4), 6),
    (DepthwiseConv2D(padding=(1, 1, 1, 1)), (1, 3, 3, 8), 8),
]


def linear(s: Source, x: str, case: tuple[Any, tuple[int, ...], int], activation: Any = None) -> str:
    op, weights, out = case
    op = op if activation is None else type(op)(**{**vars(op), "activation": activation})
    return s.add(op, [x, s.random(*weights), s.random(out)], "linear")


def norm(s: Source, x: str) -> str:
    return s.add(BatchNorm(1e-3), [x, *s.norm_parameters(s.type(x).shape[-1])], "norm")


@pytest.mark.parametrize("case", LINEAR + PADDED, ids=lambda case: type(case[0]).__name__)
def test_after(case: Any) -> None:
    s = Source()
    after = applied(fold_batch_norm, s.finish([norm(s, linear(s, s.plain(6, 5, 4), case))]))
    assert kinds(after) == {type(case[0]).__name__: 1}


@pytest.mark.parametrize("case", LINEAR, ids=lambda case: type(case[0]).__name__)
def test_before(case: Any) -> None:
    s = Source()
    before = s.finish([linear(s, norm(s, s.plain(6, 5, 4)), case, RELU)])
    if isinstance(case[0], TransposeConv2D):
        assert refused(fold_batch_norm, before)
    else:
        assert kinds(applied(fold_batch_norm, before)) == {type(case[0]).__name__: 1}


@pytest.mark.parametrize("case", PADDED, ids=lambda case: type(case[0]).__name__)
def test_before_with_padding_is_exact_only_without_shift(case: Any) -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    assert refused(fold_batch_norm, s.finish([linear(s, norm(s, x), case)]))
    scaled = s.add(Mul(), [x, s.random(1, 1, 1, 4)], "scaled")
    assert "Mul" not in kinds(applied(fold_batch_norm, s.finish([linear(s, scaled, case)])))


@pytest.mark.parametrize("case", PADDED, ids=lambda case: type(case[0]).__name__)
def test_one_number_that_maps_to_zero_becomes_the_border(case: Any) -> None:
    s = Source()
    x = s.add(Sub(), [s.plain(6, 5, 4), s.values(127.0)], "centred")
    x = s.add(Mul(), [x, s.values([1 / 128, 1 / 64, 1 / 32, 1 / 16], (1, 1, 1, 4))], "scaled")
    after = applied(normalize, s.finish([linear(s, x, case)]))
    assert kinds(after) == {"Pad": 1, type(case[0]).__name__: 1} and after.nodes[0].op.value == 127.0  # type: ignore[attr-defined]


def test_mul_add_sub_neg_fold_on_both_sides_with_their_activation() -> None:
    s = Source()
    x = s.add(Mul(), [s.plain(6, 5, 4), s.values(1 / 255)], "x")
    x = linear(s, x, LINEAR[0])
    x = s.add(Mul(), [s.random(1, 1, 1, 6), x], "m")
    x = s.add(Sub(), [s.random(1, 1, 1, 6), s.add(Neg(), [x], "n")], "s")
    after = applied(normalize, s.finish([s.add(Add(RELU6), [x, s.random(1, 1, 1, 6)], "a")]))
    assert kinds(after) == {"Conv2D": 1} and after.nodes[0].op == Conv2D(activation=RELU6)


def test_constants_that_vary_over_the_image_stay() -> None:
    s = Source()
    x = linear(s, s.plain(6, 5, 4), LINEAR[0])
    assert refused(fold_batch_norm, s.finish([s.add(Mul(), [x, s.random(1, 4, 3, 1)], "y")]))


def test_a_scale_that_broadcasts_the_channels_stays() -> None:
    s = Source()
    x = s.add(Conv2D(), [s.plain(6, 5, 4), s.random(1, 1, 1, 4), s.random(1)], "y")
    assert refused(fold_batch_norm, s.finish([s.add(Mul(), [x, s.random(1, 1, 1, 6)], "z")]))


def test_a_value_with_other_readers_is_not_folded_after() -> None:
    s = Source()
    y = linear(s, s.plain(6, 5, 4), LINEAR[0])
    assert refused(fold_batch_norm, s.finish([norm(s, y), s.relu(y)]))
    assert refused(fold_batch_norm, s.finish([norm(s, y), y]))


def test_a_norm_read_by_several_convolutions_folds_into_all() -> None:
    s = Source()
    x = norm(s, s.plain(6, 5, 4))
    after = applied(fold_batch_norm, s.finish([linear(s, x, LINEAR[0]), linear(s, x, LINEAR[2])]))
    assert kinds(after) == {"Conv2D": 1, "DepthwiseConv2D": 1}
    assert refused(fold_batch_norm, s.finish([linear(s, x, LINEAR[0]), s.relu(x)]))


def test_an_activation_in_between_forbids_it() -> None:
    s = Source()
    assert refused(fold_batch_norm, s.finish([norm(s, linear(s, s.plain(6, 5, 4), LINEAR[0], RELU))]))


def test_before_a_fully_connected_through_the_flatten() -> None:
    s = Source()
    x = s.add(Reshape((1, 5 * 4)), [norm(s, s.plain(1, 5, 4))], "flat")
    assert kinds(applied(fold_batch_norm, s.finish([linear(s, x, (FullyConnected(), (3, 20), 3))]))) == {
        "Reshape": 1,
        "FullyConnected": 1,
    }
    s = Source()
    x = s.add(Reshape((1, 10, 2)), [norm(s, s.plain(1, 5, 4))], "split")
    assert refused(fold_batch_norm, s.finish([linear(s, x, (FullyConnected(), (3, 2), 3))]))


def _with_statistics(gamma: list[float], variance: list[float], epsilon: float) -> Graph:
    s = Source()
    y = s.add(Conv2D(), [s.plain(4, 4, 2), s.random(2, 3, 3, 2), s.random(2)], "y")
    parameters = [s.values(gamma, (2,)), s.random(2), s.random(2), s.values(variance, (2,))]
    return s.finish([s.add(BatchNorm(epsilon), [y, *parameters], "norm")])


def test_zero_gamma_and_tiny_variance() -> None:
    after = applied(fold_batch_norm, _with_statistics([0.0, 1.0], [1.0, 1e-30], 1e-12))
    (weights,) = [array for array in after.consts.values() if array.ndim == 4]
    assert not weights[0].any() and np.abs(weights[1]).max() > 1e4
    with pytest.raises(OctavoError, match="variance"):
        fold_batch_norm(_with_statistics([1.0, 1.0], [1.0, 0.0], 0.0))


@pytest.mark.parametrize(("shape", "expected"), [((4, 3, 5), {"DepthwiseConv2D": 1}), ((7, 5), {"Mul": 1, "Add": 1})])
def test_a_norm_alone_is_replaced(shape: tuple[int, ...], expected: dict[str, int]) -> None:
    s = Source()
    x = s.plain(*shape)
    assert kinds(applied(replace_batch_norm, s.finish([norm(s, x)]))) == expected
    assert refused(replace_batch_norm, s.finish([s.add(Mul(), [x, s.values(2.0, (1,) * (len(shape) + 1))], "y")]))


def test_mul_and_add_of_an_image_become_one_operator_with_the_activation() -> None:
    s = Source()
    x = s.add(Mul(), [s.plain(4, 3, 5), s.random(1, 1, 1, 5)], "m")
    after = applied(normalize, s.finish([s.relu(s.add(Add(), [x, s.random(1, 1, 1, 5)], "a"))]))
    assert kinds(after) == {"DepthwiseConv2D": 1} and after.nodes[0].op == DepthwiseConv2D(activation=RELU)


def test_a_norm_and_what_follows_become_one_operator() -> None:
    s = Source()
    x = norm(s, s.relu(s.plain(4, 3, 5)))
    x = s.add(Mul(), [x, s.random(1, 1, 1, 5)], "m")
    x = s.relu(s.add(Add(), [x, s.random(1, 1, 1, 5)], "a"))
    after = applied(normalize, s.finish([x]))
    assert kinds(after) == {"Clip": 1, "DepthwiseConv2D": 1}


def test_per_channel_means_before_padding_leave_one_addition() -> None:
    s = Source()
    x = s.add(Sub(), [s.plain(6, 5, 4), s.random(1, 1, 1, 4)], "centred")
    x = s.add(Mul(), [x, s.random(1, 1, 1, 4, low=0.5)], "scaled")
    after = applied(normalize, s.finish([linear(s, x, PADDED[0])]))
    assert kinds(after) == {"Add": 1, "Conv2D": 1}


def test_a_long_chain_folds_at_once() -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    for index in range(50):
        x = s.add(Mul() if index % 2 else Add(), [x, s.random(1, 1, 1, 4, low=0.6)], "step")
    after = applied(fold_batch_norm, s.finish([linear(s, x, LINEAR[0])]))
    assert kinds(after) == {"Conv2D": 1}


def moments_of(graph: Graph) -> Any:
    """Of the graph's only convolution."""
    node = next(node for node in graph.nodes if node.kind == "Conv2D")
    return graph.moments.get(node.inputs[2])


def normed(*then: str) -> tuple[Graph, tuple[Any, Any]]:
    """A convolution with batch norm and more affine functions; the norm's moments."""
    s = Source()
    y = linear(s, s.plain(6, 5, 4), LINEAR[0])
    gamma, beta, mean, variance = s.norm_parameters(6)
    y = s.add(BatchNorm(1e-3), [y, gamma, beta, mean, variance], "norm")
    for what in then:
        if what == "mul":
            y = s.add(Mul(), [y, s.values([-2.0, 1, 3, 0.5, 1, 1], (1, 1, 1, 6))], "scaled")
        elif what == "add":
            y = s.add(Add(RELU), [y, s.values(1.5)], "shifted")
        else:
            y = s.relu(y)
    deviation = np.abs(s.value(gamma)) * np.sqrt(s.value(variance) / (s.value(variance) + 1e-3))  # type: ignore[operator]
    return s.finish([y]), (s.value(beta), deviation)


def test_moments_are_the_norms() -> None:
    graph, (mean, deviation) = normed("relu")
    for found in (moments_of(fold_batch_norm(graph)), moments_of(normalize(graph))):
        np.testing.assert_allclose(found[0], mean, rtol=1e-6)
        np.testing.assert_allclose(found[1], deviation, rtol=1e-6)
        assert found[0].dtype == found[1].dtype == np.float64


def test_later_folds_move_the_moments() -> None:
    graph, (mean, deviation) = normed("mul", "add")
    scale = np.array([-2.0, 1, 3, 0.5, 1, 1])
    found = moments_of(normalize(graph))
    np.testing.assert_allclose(found[0], mean * scale + 1.5, rtol=1e-6)
    np.testing.assert_allclose(found[1], deviation * np.abs(scale), rtol=1e-6)


def test_folding_before_keeps_the_moments() -> None:
    s = Source()
    x = s.add(Mul(), [s.plain(6, 5, 4), s.random(1, 1, 1, 4)], "scaled")
    graph = s.finish([norm(s, linear(s, x, LINEAR[0]))])
    after = normalize(graph)
    assert kinds(after) == {"Conv2D": 1} and len(after.moments) == 1


def test_other_affine_functions_tell_no_moments() -> None:
    s = Source()
    y = s.add(Mul(), [linear(s, s.plain(6, 5, 4), LINEAR[0]), s.random(1, 1, 1, 6)], "m")
    assert not normalize(s.finish([y])).moments


def test_moments_leave_with_their_bias() -> None:
    graph = normalize(normed()[0])
    (bias,) = graph.moments
    assert not graph.with_(consts={k: v for k, v in graph.consts.items() if k != bias}).moments
    renamed = rename_values(graph, {bias: "other"})
    assert list(renamed.moments) == ["other"]


def test_equal_biases_of_different_layers_keep_their_moments() -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    ys = []
    for gamma in (1.0, 2.0, 2.0):
        y = s.add(Conv2D(), [x, s.random(6, 1, 1, 4), s.values(np.zeros(6), (6,))], "y")
        parameters = [s.values(np.full(6, value), (6,)) for value in (gamma, 0.0, 0.0, 1.0)]
        ys.append(s.add(BatchNorm(1e-3), [y, *parameters], "norm"))
    after = normalize(s.finish(ys))
    biases = [node.inputs[2] for node in after.nodes]
    assert len(set(biases)) == 3, "layers of different weights have biases of their own"
    assert [float(after.moments[bias][1][0]) for bias in biases] == pytest.approx([1.0, 2.0, 2.0], rel=1e-3)


def test_a_norm_that_stays_tells_its_moments() -> None:
    s = Source()
    x = s.plain(6, 5, 4)
    after = normalize(s.finish([s.relu(norm(s, x)), s.relu(x)]))
    node = next(node for node in after.nodes if node.kind == "DepthwiseConv2D")
    assert node.inputs[2] in after.moments
