"""One compiled network for all tests of the command line; tests do not write into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from octavo import api
from octavo.datasets import batches, load_dataset
from tests.cli.networks import save_data, save_network


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny.onnx, data.npz and build/, which is tiny.onnx compiled (min-max: no output is clipped)."""
    folder = tmp_path_factory.mktemp("shelf")
    graph = api.load(save_network(folder / "tiny.onnx"))
    dataset = load_dataset(save_data(folder / "data.npz"))
    api.export(api.quantize(graph, batches(dataset), ranges="minmax"), folder / "build", "tiny")
    return folder
