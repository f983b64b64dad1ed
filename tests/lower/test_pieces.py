"""Layers in pieces of their output channels: the integer executor gives the same, and nothing else is cut."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.ir.check import verify
from octavo.ir.graph import TensorType
from octavo.kernels.streamed import streamed_program
from octavo.lower.liveness import liveness, plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.lower.pieces import channels_in_pieces, in_pieces
from octavo.lower.streaming import choose_streams, stream_buffers
from octavo.memory import verify as verify_plan
from octavo.num.qparams import integer_limits
from octavo.ops.integer import QJoin
from octavo.run.integer_run import integer_run
from octavo.targets import load_target
from tests.streaming.networks import quantized


@pytest.fixture(scope="module", params=["pieces", "pieces of int16"])
def model(request: pytest.FixtureRequest) -> IntegerModel:
    return lower(quantized(request.param))


@pytest.mark.parametrize("size", [1, 3, 4, 8, 21])
def test_the_same_integers(model: IntegerModel, size: int) -> None:
    cut = in_pieces(model, {node.name: size for node in model.graph.nodes if channels_in_pieces(node) > size})
    verify(cut.graph)
    assert len(cut.graph.nodes) > len(model.graph.nodes)
    rng = np.random.default_rng(3)
    inputs = {}
    for name in model.graph.inputs:
        type_ = model.graph.types[name]
        values = rng.integers(*integer_limits(type_.dtype), (5, *type_.shape[1:]), endpoint=True)
        inputs[name] = values.astype(type_.dtype)
    expected = integer_run(model.graph, inputs)
    for name, value in integer_run(cut.graph, inputs).items():
        np.testing.assert_array_equal(value.numpy(), expected[name].numpy())


def test_vectors_are_joined_where_they_lie(model: IntegerModel) -> None:
    graph = in_pieces(model, {node.name: 4 for node in model.graph.nodes if channels_in_pieces(node) > 4}).graph
    joins = [node for node in graph.nodes if isinstance(node.op, QJoin)]
    assert {node.name for node in joins} == {f"{name}:join" for name in ("hidden", "of_one_pixel", "classes")}
    arena = plan_arena(graph)
    for node in joins:
        start = arena.offsets[node.outputs[0]]
        for part in node.inputs:
            assert arena.offsets[part] == start
            start += graph.types[part].nbytes


@pytest.mark.parametrize(
    "parts",
    [
        (TensorType((1, 2, 3)), TensorType((1, 2, 3))),
        (TensorType((1, 3)), TensorType((1, 3), "int16")),
        (TensorType((1, 3)),),
    ],
)
def test_only_parts_that_add_up_are_joined(parts: tuple[TensorType, ...]) -> None:
    with pytest.raises(ValueError, match="inputs"):
        QJoin((1, 6)).infer(parts)


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "cortex-m55", "host"])
@pytest.mark.parametrize("limit", [64, 100, 399, 400, 1000, 5000, 10**12])
def test_no_piece_is_larger_than_the_buffer(name: str, limit: int) -> None:
    """As the kernels pack it; what stays says why."""
    model = lower(quantized("pieces"))
    layers, program, streaming = streamed_program(model, load_target(name), limit)
    assert all(stream.nbytes <= limit for stream in streaming.streams.values())
    assert all(f"more than {limit:,}" in why for why in streaming.resident.values())
    known = {node.name for node in program.graph.nodes}
    assert known == {node.name for node in layers.graph.nodes} >= set(streaming.streams) | set(streaming.resident)
    if limit == 10**12:
        assert layers.graph == model.graph and not streaming.resident


def test_a_buffer_over_something_alive_is_refused() -> None:
    """The planner's independent check knows the buffers: each of them is moved over each value that it meets."""
    _, program, streaming = streamed_program(lower(quantized("pieces")), load_target("cortex-m4"), 500)
    arena = plan_arena(program.graph, 4, streaming)
    values, views, overlaps = liveness(program.graph)
    buffers = stream_buffers(program.graph, streaming)
    verify_plan(arena, [*values, *buffers], views, overlaps)
    tried = 0
    for buffer in buffers:
        for other in (value for value in [*values, *buffers] if value is not buffer and value.meets(buffer)):
            offset = arena.offsets[other.name] // 4 * 4
            if offset + buffer.size <= arena.size:
                moved = type(arena)(**{**vars(arena), "offsets": {**arena.offsets, buffer.name: offset}})
                with pytest.raises(OctavoError, match="overlap against the rules"):
                    verify_plan(moved, [*values, *buffers], views, overlaps)
                tried += 1
    assert tried > len(buffers)


def test_constants_of_two_readers_stay() -> None:
    graph = lower(quantized("wide")).graph
    (node,) = graph.nodes
    twin = type(node)("twin", node.op, node.inputs, ("other",), "twin")
    types = {**graph.types, "other": graph.types[node.outputs[0]]}
    both = graph.with_(nodes=(node, twin), outputs=(*graph.outputs, "other"), types=types)
    assert choose_streams(both, 10**6).resident == dict.fromkeys(
        (node.name, "twin"), "shares constants with another layer"
    )
