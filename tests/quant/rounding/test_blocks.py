"""Blocks: they cover the network, can run in their order, and never cut a residual branch."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import octavo
from octavo.ir.extract import extract
from octavo.ir.graph import Graph
from octavo.passes import normalize
from octavo.quant.rounding.blocks import partition
from octavo.quant.rounding.windows import layout_of
from tests.exactness.random_networks import networks
from tests.networks.torch_networks import mobilenet_v2, seeded


@cache
def network() -> Graph:
    module = torch.nn.Sequential(seeded(mobilenet_v2, 0, (3, 32, 32)), torch.nn.Softmax(-1))
    graph = octavo.load(module, torch.zeros(1, 3, 32, 32))
    assert isinstance(graph, Graph)
    return graph


@settings(max_examples=60, deadline=None)
@given(sample=networks(), most=st.integers(1, 4))
def test_every_node_is_in_one_block_and_blocks_run_in_order(sample: tuple[Graph, object], most: int) -> None:
    graph = normalize(sample[0])
    blocks = partition(graph, most)
    names = [node.name for block in blocks for node in block.nodes]
    assert sorted(names) == sorted(node.name for node in graph.nodes)
    known = {*graph.inputs, *graph.consts}
    for block in blocks:
        for node in block.nodes:
            assert set(node.inputs) <= known
            known |= set(node.outputs)
        assert block.layers == tuple(node for node in block.nodes if layout_of(graph, node) is not None)
        outputs = extract(graph, block.nodes).outputs
        assert block.output == (outputs[0] if block.layers and len(outputs) == 1 else None)
        assert not block.layers or len(outputs) == 1, "a block with layers has one output to learn from"


def test_residual_branches_stay_whole() -> None:
    graph = network()
    owner = {node.name: index for index, block in enumerate(partition(graph, 3)) for node in block.nodes}
    producers = {output: node for node in graph.nodes for output in node.outputs}
    sums = [node for node in graph.nodes if node.kind == "Add"]
    assert sums
    for node in sums:
        branch = [producers[value] for value in node.inputs if value in producers]
        assert owner[node.name] in {owner[each.name] for each in branch}
        reaches = max(owner[each.name] for each in branch)
        assert reaches == owner[node.name]


def test_layer_by_layer_gives_each_layer_a_block_with_its_clamps() -> None:
    graph = network()
    for block in partition(graph, 1):
        assert len(block.layers) <= 1
        assert not block.layers or all(node.kind in ("Clip", "Minimum", "Maximum") for node in block.nodes[1:])


def test_a_softmax_is_in_no_block_with_layers() -> None:
    graph = network()
    assert any(node.kind == "Softmax" for node in graph.nodes)
    for most in (1, 3):
        for block in partition(graph, most):
            assert not (block.layers and any(node.kind == "Softmax" for node in block.nodes))


def test_more_layers_a_block_give_fewer_blocks() -> None:
    counts = [len(partition(network(), most)) for most in (1, 2, 4)]
    assert counts[0] > counts[1] > counts[2] > 1
    assert np.all(np.diff(counts) < 0)
