"""Layers that run strip by strip compute what they compute whole: the loop over windows in Python, random networks."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.ir.check import verify
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel
from octavo.lower.strips import in_strips
from octavo.ops.integer.strips import Strips, calls
from octavo.run.integer_run import integer_run
from tests.networks.columns import column
from tests.networks.integer_layers import random_inputs


def strips_of(model: IntegerModel) -> list[IntegerModel]:
    """Every form in strips that a model has."""
    count = len(model.graph.nodes)
    spans = [(start, stop) for start in range(count) for stop in range(start + 2, count + 1)]
    found = (in_strips(model, *span, rows) for span in spans for rows in (1, 2, 3))
    return [form for form in found if form is not None]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("format", ["affine", "16x8"])
def test_strips_compute_the_same(seed: int, format: str) -> None:
    model = column(seed, format=format)
    inputs = random_inputs(model, 3, np.random.default_rng(seed))
    expected = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    for form in strips_of(model):
        verify(form.graph, "strips")
        plan_arena(form.graph)
        assert [node.name for node in calls(form.graph.nodes)] == [node.name for node in model.graph.nodes]
        for name, value in integer_run(form.graph, inputs).items():
            np.testing.assert_array_equal(value.numpy(), expected[name])


def test_most_networks_have_strips() -> None:
    """The test above is of something: of many networks with several layers in strips, and of all kinds of layers."""
    forms = [form for seed in range(40) for form in strips_of(column(seed))]
    assert len(forms) > 300
    kinds = set()
    for form in forms:
        (op,) = [node.op for node in form.graph.nodes if isinstance(node.op, Strips)]
        kinds |= {stage.op.kernel for stage in op.stages}
    assert kinds >= {"conv2d_s8", "depthwise_conv2d_s8", "max_pool2d_s8", "average_pool2d_s8", "lookup_s8", "add_s8"}
