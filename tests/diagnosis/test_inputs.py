"""Readings of the samples: each way of spoiling images is recognised and undone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import octavo
from octavo.diagnosis.inputs import variants
from octavo.ir.graph import Array, Graph
from octavo.ops import Conv2D, FullyConnected, Mean
from octavo.passes import normalize
from octavo.pipeline.samples import Samples
from tests.networks.batch_norm import RELU, Trained


class Photographs(Trained):
    """Samples like photographs: smooth, with a colour cast, as pixels from -1 to 1."""

    def __init__(self, size: int, samples: int) -> None:
        super().__init__((size, size, 3), samples)
        import torch

        rng = np.random.default_rng(3)
        coarse = rng.uniform(0, 1, (samples, size // 4, size // 4, 3))
        smooth = coarse.repeat(4, 1).repeat(4, 2) * np.array([0.9, 0.5, 0.3]) + np.linspace(0, 0.1, size)[:, None, None]
        pixels = np.clip(smooth, 0, 1) * 255
        self.data[self.x] = torch.from_numpy((pixels / 127.5 - 1).astype(np.float32))


@lru_cache(maxsize=1)
def trained() -> tuple[Graph, Array]:
    b = Photographs(16, 96)
    y = b.layer(Conv2D((2, 2), (0, 1, 0, 1)), b.x, 12, 3, "first", RELU)
    y = b.layer(Conv2D(), y, 16, 1, "second", RELU)
    y = b.layer(Conv2D((2, 2), (0, 1, 0, 1)), y, 16, 3, "third", RELU)
    y = b.add(Mean((1, 2)), [y], "mean")
    y = b.layer(FullyConnected(), y, 5, 1, "classify", norm=False)
    return normalize(b.finish([y])), b.samples


SPOILED = {
    "BGR": lambda x: x[..., ::-1],
    "0 to 255 as -1 to 1": lambda x: (x + 1) * 127.5,
    "0 to 1 as -1 to 1": lambda x: (x + 1) / 2,
    "-128 to 127 as -1 to 1": lambda x: (x + 1) * 127.5 - 128,
    "NCHW for NHWC": lambda x: np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(x.shape),
    "0 to 1 as -1 to 1, BGR": lambda x: ((x + 1) / 2)[..., ::-1],
}


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_images_are_recognised_by_batch_norm(name: str) -> None:
    graph, x = trained()
    spoiled = np.ascontiguousarray(SPOILED[name](x), np.float32)
    found = octavo.diagnose(graph, spoiled[:48], spoiled[48:])
    assert found.cause is not None and found.cause.kind == "preprocessing", found.answer
    assert found.cause.evidence["reading"] == name, found.forks[1].facts
    assert found.remedy is not None and found.remedy.kind == "preprocessing"


@pytest.mark.parametrize("name", SPOILED)
def test_every_reading_undoes_what_it_is_named_for(name: str) -> None:
    graph, x = trained()
    spoiled = np.ascontiguousarray(SPOILED[name](x), np.float32)
    found = {v.name: v for v in variants(graph, Samples({graph.inputs[0]: spoiled}))}
    assert len(found) < 40
    np.testing.assert_allclose(found[name].change(spoiled), x, atol=1e-4)


def test_rightly_prepared_images_pass() -> None:
    graph, x = trained()
    forks = {fork.name: fork for fork in octavo.diagnose(graph, x[:48], x[48:]).forks}
    assert forks["preprocessing"].passed is True and forks["statistics"].passed is True
