"""A torch module, an ONNX file and a float .tflite all become the same kind of trainable module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import octavo
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.train import Trainable, trainable
from tests.networks.torch_networks import seeded
from tests.oracles.data import data_path
from tests.train.test_module import SAMPLE, Net, in_integers, train


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(24, *SAMPLE, generator=torch.Generator().manual_seed(4))


def trained(graph: Graph | Quantized, samples: torch.Tensor) -> tuple[Trainable, Quantized]:
    assert isinstance(graph, Graph)
    module = trainable(octavo.quantize(graph, samples.numpy(), "host", "int4", equalization="none"))
    train(module, samples, 6)
    return module, module.eval().finish()


def test_torch_onnx_and_an_exported_program_train_alike(tmp_path: Path, samples: torch.Tensor) -> None:
    network, example = seeded(Net, 0, SAMPLE), torch.zeros(1, *SAMPLE)
    torch.onnx.export(network, (example,), str(tmp_path / "net.onnx"), dynamo=False, opset_version=17)
    torch.export.save(torch.export.export(network, (example,)), tmp_path / "net.pt2")
    sources = octavo.load(network, example), octavo.load(tmp_path / "net.onnx"), octavo.load(tmp_path / "net.pt2")
    (first, ends), *others = (trained(source, samples) for source in sources)
    for module, q in others:
        for mine, theirs in zip(first.trained_weights(), module.trained_weights(), strict=True):
            torch.testing.assert_close(mine.master, theirs.master, rtol=1e-2, atol=1e-3)
            torch.testing.assert_close(mine.scale(), theirs.scale(), rtol=1e-2, atol=0.0)
        step = float(q.plan.qparams[q.graph.outputs[0]].scale[0])
        far = (in_integers(q, samples) - in_integers(ends, samples)).abs() / step
        assert (far < 2.5).float().mean() > 0.95


def test_a_float_tflite_trains_to_its_integers() -> None:
    graph = octavo.load(data_path("mlperf_tiny/dscnn_kws_float.tflite"))
    (name,) = graph.inputs if isinstance(graph, Graph) else ("",)
    assert isinstance(graph, Graph)
    shape = (16, *graph.types[name].shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    start = octavo.quantize(graph, x, "host", "int4", equalization="none")
    module = trainable(start)
    optimizer = torch.optim.Adam(module.parameter_groups(1e-3))
    labels, losses = torch.arange(16) % 12, []
    for _ in range(8):
        loss = torch.nn.functional.nll_loss(torch.log(module(torch.from_numpy(x)) + 1e-3), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    simulated = module.eval()(torch.from_numpy(x)).detach()
    step = float(start.plan.qparams[graph.outputs[0]].scale[0])
    far = (in_integers(module.finish(), torch.from_numpy(x)) - simulated).abs() / step
    assert float((far > 0.5).float().mean()) < 0.1
