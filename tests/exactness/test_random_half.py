"""float16: Python = host C = the C for Helium on its core and on the host, on random networks, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from octavo.c.emit import emit
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.ir.check import verify
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.num.formats import FORMATS
from octavo.ops.half.rounding import random_halves
from octavo.passes import normalize
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack
from octavo.targets import load_target
from tests.exactness.random_networks import networks
from tests.exactness.test_random_networks import EXAMPLES, SETTINGS, Sample
from tests.oracles.device import require_device


def half(sample: Sample) -> IntegerModel:
    graph, inputs = sample
    model = lower(quantize_graph(normalize(verify(graph)), [inputs], Scheme(FORMATS["float16"])))
    verify(model.graph)
    return model


def written(model: IntegerModel, program: IntegerModel, folder: Path) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """The C of ``program``, a form of ``model``, in ``folder``; packed inputs, and Python's outputs of the model."""
    graph, rng = model.graph, np.random.default_rng(3)
    inputs = {name: random_halves(rng, (5, *graph.types[name].shape[1:])) for name in graph.inputs}
    outputs = {name: value.numpy() for name, value in integer_run(graph, inputs).items()}
    assert all(np.isfinite(value).all() for value in outputs.values())
    for path, data in emit(program, plan_arena(program.graph), "net").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return pack(graph, graph.inputs, inputs), pack(graph, graph.outputs, outputs)


@settings(SETTINGS, max_examples=max(EXAMPLES // 4, 1))
@given(sample=networks(half=True))
def test_c_on_the_host_equals_python(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = half(sample)
    for program in (model, specialize(model, load_target("cortex-m55"))):
        folder = tmp_path_factory.mktemp("c")
        packed, expected = written(model, program, folder)
        with HostModel(folder) as host:
            np.testing.assert_array_equal(host.run(packed), expected)


@settings(SETTINGS, max_examples=max(EXAMPLES // 8, 1))
@given(sample=networks(half=True))
def test_sanitizers_find_nothing(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    model, folder = half(sample), tmp_path_factory.mktemp("c")
    packed, expected = written(model, specialize(model, load_target("cortex-m55")), folder)
    np.testing.assert_array_equal(sanitized_run(folder, packed, expected.shape[1]), expected)


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m55"])
@settings(SETTINGS, max_examples=max(EXAMPLES // 8, 1))
@given(sample=networks(half=True))
def test_emulated_cores_equal_python(name: str, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    require_device(name)
    model, folder, target = half(sample), tmp_path_factory.mktemp("c"), load_target(name)
    packed, expected = written(model, specialize(model, target), folder)
    np.testing.assert_array_equal(run_on_board(folder, target, packed).outputs, expected)
