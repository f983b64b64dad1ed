"""Cycles, utilisation, bytes and bounds against numbers computed by hand."""

from __future__ import annotations

import pytest
from machines import connected, conv, depthwise, machine, one

from octavo.npu import check
from octavo.npu.array import Shape, array_cycles, cost
from octavo.ops import AveragePool2D, Conv2D, DepthwiseConv2D, FullyConnected, Gelu, Mean, TransposeConv2D
from octavo.targets import Accelerator, Limits

ALL = {name: Limits() for name in ("Conv2D", "DepthwiseConv2D", "FullyConnected", "AveragePool2D", "Mean")}


@pytest.mark.parametrize(
    ("shape", "cycles"),
    [
        # 4 inputs by 8 outputs: 3 and 5 channels take one pass, 5 and 9 two times two.
        (Shape(10, 9, 3, 5), 10 * 9),
        (Shape(10, 9, 5, 9), 10 * 9 * 4),
        (Shape(10, 9, 4, 8), 10 * 9),
        # 16 channels, each alone: 4 of them lie side by side in the array.
        (Shape(10, 9, 1, 1, 16), 10 * 9 * 4),
        (Shape(10, 9, 1, 1, 17), 10 * 9 * 5),
        # Groups of 2 to 8: one at a time, since 8 outputs are the whole array.
        (Shape(10, 1, 2, 8, 3), 10 * 3),
        # Groups larger than the array.
        (Shape(1, 1, 6, 10, 3), 3 * 2 * 2),
    ],
)
def test_cycles_of_the_array(shape: Shape, cycles: int) -> None:
    assert array_cycles(Accelerator("a test", 10**6, 4, 8, ALL), shape) == cycles


def test_pixels_in_parallel() -> None:
    assert array_cycles(Accelerator("a test", 10**6, 4, 8, ALL, pixels=4), Shape(10, 9, 4, 8)) == 3 * 9


def test_utilisation_of_a_convolution() -> None:
    support = machine(ALL)
    row = cost(graph := conv(Conv2D(), (6, 6, 5), 9, (3, 3)), graph.nodes[0], support)
    # 4 x 4 places, 9 taps, 5 of 8 inputs and 9 of 16 outputs.
    assert row.array_cycles == 16 * 9 * 2 * 2 and row.macs == 16 * 9 * 5 * 9
    assert row.utilisation(32) == pytest.approx(5 * 9 / (8 * 16))
    assert (row.unit, row.cycles, row.bound) == ("array", 16 * 9 * 4, "compute")
    assert row.weight_bytes == 9 * 9 * 5 + 9 * 4 and row.activation_bytes == 36 * 5 + 16 * 9


def test_a_depthwise_layer_keeps_one_input_busy_and_has_its_unit() -> None:
    graph = depthwise(DepthwiseConv2D(), (6, 6, 16), 16, (3, 3))
    row = cost(graph, graph.nodes[0], machine(ALL, units={"depthwise": 4.0}))
    assert row.array_cycles == 16 * 9 * 4 and row.utilisation(32) == pytest.approx(1 / 8)
    assert (row.unit, row.cycles, row.plain_cycles) == ("depthwise", 16 * 9, 16 * 9 * 4)
    graph = conv(Conv2D(), (6, 6, 4), 8, (1, 1))
    row = cost(graph, graph.nodes[0], machine(ALL, units={"pointwise": 2.0}))
    assert (row.unit, row.cycles, row.plain_cycles) == ("pointwise", 18, 36)


def test_other_layers() -> None:
    graph = connected(FullyConnected(), (1, 10), 9)
    row = cost(graph, graph.nodes[0], machine(ALL))
    assert row.array_cycles == 3 * 2 and row.macs == 90
    graph = one(TransposeConv2D((2, 2)), (1, 3, 3, 4), consts=([[[[1.0] * 4] * 2] * 2] * 8, [0.0] * 8))
    row = cost(graph, graph.nodes[0], machine({"TransposeConv2D": Limits()}))
    assert row.array_cycles == 9 * 4 and row.utilisation(32) == 1.0
    graph = one(AveragePool2D((2, 2)), (1, 4, 4, 3))
    assert cost(graph, graph.nodes[0], machine(ALL, elements=2.0)).cycles == 4 * 3 * 4 / 2
    graph = one(Mean((1, 2)), (1, 4, 4, 3))
    slow = {"Mean": Limits(cycles_per_element=5.0)}
    assert cost(graph, graph.nodes[0], machine(slow)).cycles == 16 * 3 * 5
    graph = one(Gelu(), (1, 8))
    row = cost(graph, graph.nodes[0], machine(ALL, tables=True))
    assert (row.unit, row.cycles, row.weight_bytes, row.array_cycles) == ("table", 8, 256, None)


def test_memory_bounds() -> None:
    graph = connected(FullyConnected(), (1, 10), 9)
    weights, activations = 90 + 36, 19
    slow = cost(graph, graph.nodes[0], machine(ALL, flash_bytes_per_cycle=0.5, ram_bytes_per_cycle=1.0))
    assert (slow.bound, slow.cycles, slow.compute_cycles) == ("flash", 2 * weights, 6)
    bus = machine(ALL, flash_bytes_per_cycle=1.0, ram_bytes_per_cycle=1.0, shared_bus=True)
    assert cost(graph, graph.nodes[0], bus).cycles == weights + activations
    ram = cost(graph, graph.nodes[0], machine(ALL, ram_bytes_per_cycle=0.1))
    assert (ram.bound, ram.cycles) == ("RAM", pytest.approx(190))
    assert cost(graph, graph.nodes[0], machine(ALL, leaving=0.5)).cycles == 18
    assert cost(graph, graph.nodes[0], machine(ALL, speed={"affine": 0.5})).cycles == 12


def test_energy_follows_the_format() -> None:
    graph = connected(FullyConnected(), (1, 10), 9)
    fields = {"picojoules_per_mac": 2.0, "picojoules_per_flash_byte": 10.0, "picojoules_per_ram_byte": 1.0}
    assert cost(graph, graph.nodes[0], machine(ALL, **fields)).picojoules == 2 * 90 + 10 * 126 + 19
    half = cost(graph, graph.nodes[0], machine(ALL, "float16", **fields))
    # (1.1 + 0.9) / (0.2 + 0.1) of int8's energy, and twice the bytes.
    assert half.picojoules == pytest.approx(2 * 90 * 2.0 / 0.3 + 10 * (180 + 18) + 38)
    assert cost(graph, graph.nodes[0], machine(ALL)).picojoules is None


def test_totals_and_fit() -> None:
    graph = conv(Conv2D(), (6, 6, 5), 9, (3, 3))
    found = check(graph, machine(ALL))
    assert (found.macs, found.cycles, found.fits) == (6480, 576, True)
    assert found.milliseconds == pytest.approx(0.576) and found.utilisation == pytest.approx(6480 / (576 * 32))
    assert found.peak_bytes == 36 * 5 + 16 * 9 and found.weight_bytes == 441
    unsupported = check(graph, machine({"Add": Limits()}, fallback=True))
    assert unsupported.cycles is None and unsupported.layers[0].cost.unit == "processor" and unsupported.macs == 6480
