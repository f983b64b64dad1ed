"""High-bias absorption: exact above the threshold, an estimate below it, and a reason where it does not apply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.ops import AveragePool2D, Conv2D, DepthwiseConv2D, LeakyRelu, MaxPool2D
from octavo.passes.absorb import absorb_biases
from octavo.passes.equalize import equalize
from octavo.passes.pipeline import normalize
from octavo.quant.data_free import expected_statistics
from octavo.run.float_run import float_run
from tests.networks.batch_norm import RELU, RELU6, Trained


class Lifted(Trained):
    """Batch norms of high means: some of them are many deviations above zero."""

    def norm(self, x: str) -> str:
        found = super().norm(x)
        gamma, beta = (self._consts[name] for name in self._nodes[-1].inputs[1:3])
        for array, values in ((gamma, np.linspace(0.1, 0.5, gamma.size)), (beta, np.linspace(3.0, 0.5, beta.size))):
            array.setflags(write=True)
            array[:] = values
        node = self._nodes[-1]
        self.data[found] = node.op.eval_float(  # type: ignore[attr-defined]
            self.data[x], *(torch.from_numpy(np.array(self._consts[name])) for name in node.inputs[1:])
        )
        return found


PLAIN = Conv2D()


def network(activation: Any = RELU, second: Any = PLAIN, between: Any = None) -> tuple[Graph, Any]:
    b = Lifted((6, 6, 4), samples=32)
    y = b.layer(Conv2D(), b.x, 8, 1, "first", activation)
    if between is not None:
        y = b.add(between, [y], "between")
    y = b.layer(second, y, 8, 3 if any(second.padding) else 1, "second")
    return normalize(b.finish([y])), b.samples


def difference(before: Graph, after: Graph, data: Any) -> torch.Tensor:
    (old,), (new,) = (tuple(float_run(graph, {"x": data}).values()) for graph in (before, after))
    return (old - new).abs() / old.std()


@pytest.mark.parametrize("activation", [RELU, RELU6], ids=["relu", "relu6"])
@pytest.mark.parametrize("between", [None, MaxPool2D(), AveragePool2D()], ids=["straight", "max", "average"])
def test_exact_where_the_outputs_stay_above(activation: Any, between: Any) -> None:
    graph, data = network(activation, between=between)
    found = absorb_biases(graph, spread=8.0)
    verify(found.graph)
    (moved,) = found.absorbed
    assert moved.source == "first" and 0 < moved.channels <= 8 and moved.share < 1e-12
    assert difference(graph, found.graph, data).max() < 1e-5
    bias = graph.nodes[0].inputs[2]
    mean, deviation = graph.moments[bias]
    np.testing.assert_allclose(
        graph.consts[bias] - found.graph.consts[bias], np.maximum(mean - 8 * deviation, 0), atol=1e-6
    )
    np.testing.assert_allclose(found.graph.moments[bias][0], mean - np.maximum(mean - 8 * deviation, 0))


def test_share_and_error_are_as_estimated() -> None:
    graph, data = network()
    found = absorb_biases(graph, spread=1.0)
    (moved,) = found.absorbed
    mean, deviation = graph.moments[graph.nodes[0].inputs[2]]
    first = graph.with_(outputs=(graph.nodes[0].outputs[0],), nodes=graph.nodes[:1])
    (y,) = float_run(first, {"x": data}).values()
    lowered = np.maximum(mean - deviation, 0)
    below = (y.numpy() < lowered).mean()
    assert moved.share == pytest.approx(below, rel=0.2)
    excess = np.maximum(lowered - y.numpy(), 0).mean((0, 1, 2))
    assert moved.error == pytest.approx(excess[lowered > 0].mean(), rel=0.3)
    assert 1e-3 < float(difference(graph, found.graph, data).max())


def test_ranges_become_smaller_and_the_output_keeps_its_moments() -> None:
    graph, _ = network()
    after = absorb_biases(graph).graph
    old, new = (expected_statistics(g, (-4.0, 4.0)).statistics for g in (graph, after))
    first, last = graph.nodes[0].outputs[0], graph.outputs[0]
    wide, narrow = old[first].channels, new[first].channels
    assert wide is not None and narrow is not None
    assert (narrow.high <= wide.high).all() and narrow.high[0] < 0.5 * wide.high[0]
    assert new[last].minmax == old[last].minmax


def test_after_equalization_of_a_relu6() -> None:
    graph, data = network(RELU6)
    even = equalize(graph).graph
    found = absorb_biases(even, spread=8.0)
    assert len(found.absorbed) == 1
    assert difference(graph, found.graph, data).max() < 1e-4


@pytest.mark.parametrize("second", [Conv2D(padding=(1, 1, 1, 1)), DepthwiseConv2D(padding=(1, 1, 1, 1))])
def test_padding_is_refused(second: Any) -> None:
    graph, _ = network(second=second)
    found = absorb_biases(graph)
    assert found.graph is graph and not found.absorbed
    assert ("first", "zeros pad the input of second: absorption would shift its border") in found.left


def test_other_refusals() -> None:
    for activation, reason in ((LeakyRelu(0.1), "it has no ReLU"), (None, "it has no ReLU")):
        assert reason in dict(absorb_biases(network(activation)[0]).left)["first"]
    graph, _ = network()
    assert "batch-norm" in dict(absorb_biases(graph.with_(moments={})).left)["first"]
    far = absorb_biases(graph, spread=1e4)
    assert far.graph is graph and "first" not in dict(far.left), "nothing to absorb is nothing to tell"
