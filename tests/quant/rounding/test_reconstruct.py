"""Block reconstruction: it lowers the error, resumes to the same bytes, and says what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import Format, WeightFormat
from octavo.ops import FullyConnected
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.quant.rounding import ADAROUND, Reconstruction, Step, least_squares_rounding, reconstruct
from tests.networks.layers import FORMATS, error, images, network, quantized

SHORT = Reconstruction(iterations=60)
SOFT = replace(ADAROUND, iterations=150)
COARSE = WeightFormat(bits=3)


@pytest.mark.parametrize("settings", [SHORT, SOFT], ids=["straight-through", "soft"])
@pytest.mark.parametrize("name", ["int4", "int3 per tensor", "int4 groups", "log2"])
def test_held_out_outputs_come_nearer_and_integers_stay_levels(name: str, settings: Reconstruction) -> None:
    plain = quantized(FORMATS[name])
    learned = reconstruct(plain, images(64), settings)
    held_out = images(64, 2)
    assert error(learned, held_out) < 0.9 * error(plain, held_out)
    for key, integers in learned.plan.integers.items():
        encoding = learned.plan.qparams[key]
        again = encoding.quantize(encoding.dequantize(integers))
        np.testing.assert_array_equal(again, integers, err_msg="an integer is no level of its encoding")
    assert any("dB less error" in reason for reason in learned.plan.reasons.values())
    lower(learned)


def test_scales_are_learned_where_asked() -> None:
    plain = quantized(COARSE)
    fixed = reconstruct(plain, images(64), replace(SHORT, scales=False))
    free = reconstruct(plain, images(64), SHORT)
    activations = plain.graph.activations()
    assert all(fixed.plan.qparams[name] == plain.plan.qparams[name] for name in activations)
    assert any(free.plan.qparams[name] != plain.plan.qparams[name] for name in activations)
    for name, root in plain.plan.groups.items():
        assert free.plan.qparams[name] == free.plan.qparams[root], "values that share an encoding still do"


def test_a_block_that_learns_nothing_stays_and_it_is_said() -> None:
    start = least_squares_rounding(quantized(WeightFormat()), images(64))
    wild = Reconstruction(iterations=5, rate=3.0)
    learned = reconstruct(start, images(64), wild)
    left = [name for name, reason in learned.plan.reasons.items() if reason.endswith("reconstruction brought nothing")]
    assert left
    for name in left:
        np.testing.assert_array_equal(learned.integers(name), start.integers(name))


def test_interrupted_work_goes_on_to_the_same_result(tmp_path: Path) -> None:
    plain, file = quantized(COARSE), tmp_path / "work"
    settings = replace(SHORT, layers=1, iterations=20)
    whole = reconstruct(plain, images(40), settings)
    steps: list[Step] = []

    def interrupt(step: Step) -> None:
        steps.append(step)
        if step.done > 2.5 * settings.iterations:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconstruct(plain, images(40), settings, interrupt, file)
    assert file.exists()
    seen: list[Step] = []
    resumed = reconstruct(plain, images(40), settings, seen.append, file)
    assert seen[0].done > 2 * settings.iterations, "finished blocks are not learned again"
    assert_same(resumed, whole)
    assert [p.name for p in tmp_path.iterdir()] == ["work"]


def assert_same(a: Quantized, b: Quantized) -> None:
    for name in b.plan.integers:
        np.testing.assert_array_equal(a.plan.integers[name], b.plan.integers[name])
    for name in b.plan.biases:
        np.testing.assert_array_equal(a.plan.biases[name], b.plan.biases[name])
    assert dict(a.plan.qparams) == dict(b.plan.qparams) and dict(a.plan.reasons) == dict(b.plan.reasons)


def test_progress_rises_to_the_total_and_carries_the_loss() -> None:
    steps: list[Step] = []
    reconstruct(quantized(COARSE), images(40), replace(SHORT, iterations=30), steps.append)
    done = [step.done for step in steps]
    assert done == sorted(done) and done[-1] <= steps[-1].total
    assert all(np.isfinite(step.loss) and step.loss > 0 and step.block for step in steps)


def test_a_checkpoint_of_other_work_or_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file, settings = tmp_path / "work", replace(SHORT, iterations=2)
    reconstruct(quantized(COARSE), images(20), settings, checkpoint=file)
    for other in (
        lambda: reconstruct(quantized(COARSE), images(20, 3), settings, checkpoint=file),
        lambda: reconstruct(quantized(COARSE), images(20), replace(settings, seed=1), checkpoint=file),
        lambda: reconstruct(quantized(WeightFormat(bits=4)), images(20), settings, checkpoint=file),
    ):
        with pytest.raises(OctavoError, match="another model, other data or other settings"):
            other()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(OctavoError, match="did not write"):
        reconstruct(quantized(COARSE), images(20), settings, checkpoint=file)
    for nowhere in (tmp_path / "none" / "work", tmp_path):
        with pytest.raises(OctavoError, match="no place for a file"):
            reconstruct(quantized(COARSE), images(20), settings, checkpoint=nowhere)
    file.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(OctavoError, match="did not write"):
        reconstruct(quantized(COARSE), images(20), settings, checkpoint=file)


def test_layers_that_share_weights_are_left_and_it_is_said() -> None:
    rng, b = np.random.default_rng(0), GraphBuilder("shared")
    w = b.const(rng.normal(size=(6, 6)).astype(np.float32), "w")
    x = b.input("x", TensorType((1, 6)))
    for index in range(2):
        bias = b.const(rng.normal(size=6).astype(np.float32), f"b{index}")
        x = b.add(FullyConnected(), [x, w, bias], f"layer{index}")
    graph = b.finish([x])
    data = rng.normal(size=(30, 6)).astype(np.float32)
    plain = quantize_graph(graph, [data], Scheme(Format("test", COARSE), "mse", "mse"))
    for learned in (reconstruct(plain, data, SHORT), least_squares_rounding(plain, data)):
        np.testing.assert_array_equal(learned.integers(w), plain.integers(w))
        assert learned.plan.reasons[w] == "not learned: 2 operators share its weights or bias"


@pytest.mark.parametrize("changes", [{"layers": 0}, {"drop": 1.0}, {"rounding": "hard"}, {"iterations": 0}])
def test_settings_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OctavoError):
        Reconstruction(**changes)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_is_refused() -> None:
    with pytest.raises(OctavoError, match="is not there"):
        Reconstruction(device="cuda")


def test_reasons_say_what_was_learned() -> None:
    start = quantized(COARSE)
    learned = reconstruct(start, images(64), SHORT)
    scales = {name for name in start.graph.activations() if learned.plan.qparams[name] != start.plan.qparams[name]}
    assert scales and learned.plan.biases
    for name in (*scales, *learned.plan.biases):
        assert learned.plan.reasons[name].startswith("reconstructed with "), learned.plan.reasons[name]


def test_too_few_samples_to_hold_some_out_are_told() -> None:
    plain = quantized(COARSE)
    notes = reconstruct(plain, images(6), replace(SHORT, iterations=2)).plan.notes
    assert any("judged by the 6 samples that it learned from" in note for note in notes)
    assert not reconstruct(plain, images(20), replace(SHORT, iterations=2)).plan.notes


def test_a_block_without_error_has_nothing_to_gain_and_it_is_said() -> None:
    zeros = network().with_(consts={name: np.zeros_like(array) for name, array in network().consts.items()})
    plain = quantize_graph(zeros, [images(20)], Scheme(Format("test", COARSE), "mse", "mse"))
    learned = reconstruct(plain, images(20), replace(SHORT, iterations=2))
    for name in ("p0.w", "p1.w", "p2.w", "p3.w"):
        assert learned.plan.reasons[name] == f"{plain.plan.reasons[name]}; reconstruction had nothing to gain"
