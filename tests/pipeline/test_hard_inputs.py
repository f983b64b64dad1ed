"""Bad networks and bad data: dead channels, constant ones, few samples, values that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import octavo
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.pipeline import ladder
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.samples import gather
from octavo.quant.rounding import Reconstruction

SHORT = Reconstruction(iterations=5)

FORMATS = ("affine", "symmetric", "power-of-two", "16x8", "int4", "log2")


@pytest.fixture(autouse=True)
def every_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is good enough: the whole ladder is climbed."""
    monkeypatch.setattr(ladder, "meets", lambda found, max_drop: False)


def network(seed: int = 0) -> torch.nn.Sequential:
    """Two convolutions, a depthwise one and a classifier, with batch norm."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(),
        torch.nn.Conv2d(8, 8, 3, padding=1, groups=8), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
    ).eval()  # fmt: skip


def loaded(module: torch.nn.Module) -> Graph:
    graph = octavo.load(module, torch.zeros(1, 3, 8, 8))
    assert isinstance(graph, Graph)
    return graph


def zero_channels(net: torch.nn.Sequential) -> None:
    """Channels without weights, before and after the depthwise convolution."""
    net[0].weight.data[2] = 0
    net[3].weight.data[5] = 0
    net[6].weight.data[:, 1] = 0
    net[10].weight.data[3] = 0


def constant_channels(net: torch.nn.Sequential) -> None:
    """Channels that give one number whatever they see."""
    net[0].weight.data[2:5] = 0
    net[0].bias.data[2:5] = 3.0
    net[1].weight.data[6] = 0


def dead_relus(net: torch.nn.Sequential) -> None:
    """ReLUs that never open."""
    net[1].bias.data[2] = -1e3
    net[6].bias.data[:5] = -1e3


def vanishing_weights(net: torch.nn.Sequential) -> None:
    """Weights that float32 hardly holds, with biases that it does."""
    net[3].weight.data[4] *= 1e-20
    net[6].weight.data[1] *= 1e-30


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", [zero_channels, constant_channels, dead_relus, vanishing_weights])
def test_every_rung_survives_damaged_channels(damage, format: str) -> None:  # type: ignore[no-untyped-def]
    net = network()
    damage(net)
    graph, data = loaded(net), images(48)
    quantized = octavo.quantize(
        graph, data, format=format, granularity="per-tensor", max_drop=0.0, reconstruction=SHORT
    )
    check(graph, quantized, data)
    check(graph, octavo.quantize(graph, None, format=format, input_range=(-4.0, 4.0)), data)


def check(graph: Graph, quantized: Quantized, data: np.ndarray) -> None:
    """It lowers, the integers compute what the simulation says, and the outputs are finite and not far off."""
    lower(quantized)
    samples, _ = gather(quantized.graph, data)
    reference = reference_outputs(graph, samples)
    exact, simulated = (measure(quantized, samples, reference, exact=flag) for flag in (True, False))
    assert np.isfinite(exact.sqnr_db) and exact.sqnr_db > 0
    assert exact.sqnr_db == pytest.approx(simulated.sqnr_db, abs=2.0)


@pytest.mark.parametrize("format", FORMATS)
def test_a_layer_that_never_opens_is_safe_or_refused_by_name(format: str) -> None:
    net = network()
    net[6].bias.data[:] = -1e3
    graph, data = loaded(net), images(48)
    if format == "16x8":
        with pytest.raises(OctavoError, match="10: its output range is so narrow"):
            octavo.quantize(graph, data, format=format, max_drop=0.0, reconstruction=SHORT)
    else:
        check(graph, octavo.quantize(graph, data, format=format, max_drop=0.0, reconstruction=SHORT), data)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_samples_give_a_safe_result_that_says_so(count: int) -> None:
    graph = loaded(network())
    quantized = octavo.quantize(graph, images(count), max_drop=0.0)
    assert any("too few" in note for note in quantized.plan.notes)
    lower(quantized)


def test_data_of_zeros_give_a_network_that_lowers() -> None:
    graph = loaded(network())
    lower(octavo.quantize(graph, np.zeros((30, 3, 8, 8), np.float32), max_drop=0.0, reconstruction=SHORT))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_data_that_are_not_finite_are_refused(bad: float) -> None:
    data = images(30)
    data[7, 0, 0, 0] = bad
    with pytest.raises(OctavoError, match="NaN or Inf"):
        octavo.quantize(loaded(network()), data)


def test_activations_that_overflow_are_refused_by_the_name_of_their_node() -> None:
    net = network()
    net[6].weight.data *= 1e38
    with pytest.raises(OctavoError, match="NaN or Inf"):
        octavo.quantize(loaded(net), images(30))


def test_no_samples_are_refused() -> None:
    with pytest.raises(OctavoError, match="N, 3, 8, 8"):
        octavo.quantize(loaded(network()), images(0))
    with pytest.raises(OctavoError, match="no samples"):
        octavo.quantize(loaded(network()), [])


def test_a_target_that_has_no_fitting_format_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "npu.toml"
    path.write_text('name = "npu"\ndescription = "x"\nflash_bytes = 1\nram_bytes = 1\nformats = ["power-of-two"]\n')
    with pytest.raises(OctavoError, match="power-of-two"):
        octavo.quantize(loaded(network()), images(4), target=str(path))
    path.write_text('name = "npu"\ndescription = "x"\nflash_bytes = 1\nram_bytes = 1\nformats = []\n')
    with pytest.raises(OctavoError, match="format"):
        octavo.quantize(loaded(network()), images(4), target=str(path))
