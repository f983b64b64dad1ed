"""Input and output of every kernel variant as near as its operator says: the real C against the integer executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octavo.c.emit import emit
from octavo.c.sharing import shared_calls
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel
from octavo.errors import OctavoError
from octavo.ir.graph import Node, TensorType
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import liveness, scratch_bytes, scratch_name
from octavo.lower.lower import IntegerModel
from octavo.memory import Arena, Distance, verify
from octavo.ops.integer.conv2d import QConv2D
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack
from octavo.targets import load_target
from tests.networks.integer_layers import Layer, convolution, random_inputs, side_by_side
from tests.networks.kernel_cases import ALIGNMENT, half_layers, layers, layers4, layers16, layers_apart
from tests.oracles.device import require_device

BOARDS = {
    "dsp": "cortex-m4",
    "dsp 16x8": "cortex-m4",
    "dsp 4-bit": "cortex-m4",
    "dsp apart": "cortex-m4",
    "mve": "cortex-m55",
    "mve 16x8": "cortex-m55",
    "mve 4-bit": "cortex-m55",
    "mve float16": "cortex-m55",
    "scalar": "cortex-m0",
    "shifts 4-bit": "cortex-m0",
}
LAYERS = {
    "": layers,
    "16x8": layers16,
    "4-bit": lambda seed, count: layers4(seed + 6, (count + 1) // 2),
    "float16": half_layers,
    "apart": lambda seed, count: layers_apart(seed, 3 * count),
}
"""Of a variant by its second word."""
Shift = Callable[[Distance], int]
SHIFTS: dict[str, Shift] = {
    "below": lambda distance: -distance.below,
    "above": lambda distance: distance.above,
    "same": lambda distance: 0 if distance.allows(0) else -distance.below,
}
ALIGNED: dict[str, Shift] = {
    "below": lambda distance: -distance.below // ALIGNMENT * ALIGNMENT,
    "above": lambda distance: -(-distance.above // ALIGNMENT) * ALIGNMENT,
    "same": lambda distance: 0 if distance.allows(0) else -distance.below // ALIGNMENT * ALIGNMENT,
}
"""The nearest places where an arena begins a value: loads of boards need it."""
NEARER: dict[str, Shift] = {
    "below": lambda distance: 1 - distance.below,
    "above": lambda distance: distance.above - 1,
}


def programs(variant: str, seed: int, count: int) -> tuple[IntegerModel, IntegerModel]:
    """Random layers side by side, and the same with the kernels of a variant."""
    feature, _, kind = variant.partition(" ")
    model = side_by_side(LAYERS[kind](seed, count))
    return model, specialize(model, replace(load_target(BOARDS[variant]), features=(feature,)))


def family(node: Node) -> str:
    """Its kernel without the coding of the weights."""
    return node.op.kernel.replace("_w4_", "_s8_").replace("_log2_", "_s8_")


def distances(program: IntegerModel, node: Node) -> dict[int, Distance]:
    consts = [program.graph.consts[value] for value in node.inputs if value in program.graph.consts]
    return dict(node.op.overlaps(*consts))


def by_hand(program: IntegerModel, shift: Shift, which: int) -> Arena:
    """Each layer in bytes of its own; the output so far from one of its inputs, in turn when it has two."""
    types, offsets, top = program.graph.types, {}, 0
    for node in program.graph.nodes:
        moving = [value for value in node.inputs if value not in program.graph.consts]
        found = distances(program, node)
        index = which % len(found)
        at = shift(found[index])
        offsets[moving[index]] = (top + max(-at, 0) + 15) // 16 * 16
        offsets[node.outputs[0]] = offsets[moving[index]] + at
        top = max(offsets[value] + types[value].nbytes for value in (moving[index], node.outputs[0]))
        for name, size in [(value, types[value].nbytes) for value in moving if value != moving[index]] + [
            (scratch_name(node), scratch_bytes(node))
        ]:
            offsets[name] = (top + 15) // 16 * 16
            top = offsets[name] + size
    return Arena((top + 15) // 16 * 16, 0, offsets, {}, 1, "by hand")


def written(
    folder: Path, programs: tuple[IntegerModel, IntegerModel], arena: Arena, optimize: str = "speed"
) -> tuple[np.ndarray, np.ndarray]:
    """Writes the C; packed inputs, and what the integer executor makes of them."""
    model, program = programs
    inputs = random_inputs(model, 4, np.random.default_rng(4))
    outputs = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    shared = shared_calls(program.graph, {}, optimize)
    for path, data in emit(program, arena, "model", (inputs, outputs), shared).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return pack(model.graph, model.graph.inputs, inputs), pack(model.graph, model.graph.outputs, outputs)


def wrong(program: IntegerModel, got: np.ndarray, expected: np.ndarray) -> list[Node]:
    """Layers of whose output some byte differs."""
    makers = program.graph.producers()
    sizes = [program.graph.types[name].nbytes for name in program.graph.outputs]
    ends = np.cumsum(sizes)
    differs = (got != expected).any(axis=0)
    parts = zip(program.graph.outputs, ends, sizes, strict=True)
    return [makers[name] for name, end, size in parts if differs[end - size : end].any()]


@pytest.mark.parametrize(("optimize", "seed"), [("speed", 20), ("speed", 21), ("size", 22)])
@pytest.mark.parametrize("place", SHIFTS)
@pytest.mark.parametrize("variant", BOARDS)
def test_as_near_as_allowed(tmp_path: Path, variant: str, place: str, optimize: str, seed: int) -> None:
    pair = programs(variant, seed, 4)
    arena = by_hand(pair[1], SHIFTS[place], seed)
    verify(arena, *liveness(pair[1].graph))
    samples, expected = written(tmp_path, pair, arena, optimize)
    with HostModel(tmp_path) as host:
        assert not wrong(pair[1], host.run(samples), expected)


@pytest.mark.parametrize("place", SHIFTS)
@pytest.mark.parametrize("variant", BOARDS)
def test_as_near_as_allowed_on_boards(tmp_path: Path, variant: str, place: str) -> None:
    require_device(BOARDS[variant])
    pair = programs(variant, 30, 4)
    samples, expected = written(tmp_path, pair, by_hand(pair[1], ALIGNED[place], 0))
    got = run_on_board(tmp_path, load_target(BOARDS[variant]), samples).outputs
    assert not wrong(pair[1], got, expected)


@pytest.mark.parametrize("place", NEARER)
@pytest.mark.parametrize("variant", BOARDS)
def test_one_byte_nearer_is_refused_and_wrong(tmp_path: Path, variant: str, place: str) -> None:
    """The distances are the smallest: some random layer of each family of kernels shows it, and test_access_order.py
    knows it of each kernel."""
    pair = programs(variant, 40, 5)
    right, nearer = by_hand(pair[1], SHIFTS[place], 0), by_hand(pair[1], NEARER[place], 0)
    values, views, rules = liveness(pair[1].graph)
    for node in pair[1].graph.nodes:
        shift = NEARER[place](distances(pair[1], node)[0])
        moved = {**right.offsets, node.outputs[0]: right.offsets[node.inputs[0]] + shift}
        only = [value for value in values if value.name in (node.inputs[0], node.outputs[0])]
        here = [rule for rule in rules if rule.output == node.outputs[0] and rule.input == node.inputs[0]]
        sizes = {value.name: value.size for value in only}
        meets = -sizes[node.outputs[0]] < shift < sizes[node.inputs[0]]
        if meets and not distances(pair[1], node)[0].allows(shift):
            with pytest.raises(OctavoError, match="against the rules"):
                verify(replace(right, offsets=moved), only, views, here)
    samples, expected = written(tmp_path, pair, nearer)
    with HostModel(tmp_path) as host:
        seen = {family(node) for node in wrong(pair[1], host.run(samples), expected)}
    feature = variant.split()[0]
    assert seen >= {family(node) for node in pair[1].graph.nodes if node.op.kernel.endswith(f"_{feature}")}


def test_the_shared_copy_has_room_for_its_pixels(tmp_path: Path) -> None:
    """More channels than the inner loop's stride reaches: one pixel at a time, in code made for pairs of pixels."""
    rng = np.random.default_rng(9)
    made: list[Layer] = []
    while len(made) < 2:
        op, (image,), constants, shape = convolution(rng, (1, 1))
        if isinstance(op, QConv2D) and op.stride_h == op.stride_w == 1 and op.in_h * op.in_w > 2:
            wide = replace(op, in_c=600)
            weights = rng.integers(-9, 10, (op.out_c, 1, 1, 600)).astype(np.int8)
            made.append((wide, [TensorType((*image.shape[:3], 600), "int8")], [weights, *constants[1:]], shape))
    model = side_by_side(made)
    program = specialize(model, replace(load_target("cortex-m4"), features=("dsp",)))
    assert {node.op.kernel for node in program.graph.nodes} == {"pointwise_s8_dsp"}
    # Behind the working memory comes the next layer's input: an overrun would change it.
    samples, expected = written(tmp_path, (model, program), by_hand(program, SHIFTS["below"], 0), "size")
    with HostModel(tmp_path) as host:
        assert not wrong(program, host.run(samples), expected)
