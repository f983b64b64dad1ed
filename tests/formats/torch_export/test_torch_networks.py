"""Whole networks: same numbers as torch, and no transposes after normalisation; archives."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from octavo.errors import OctavoError
from octavo.formats.torch_export import read_pt2, read_torch
from octavo.ir.graph import Graph
from octavo.passes import normalize
from octavo.run.float_run import float_run

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from networks.torch_networks import NETWORKS, seeded  # noqa: E402


def run(graph: Graph, *inputs: torch.Tensor) -> torch.Tensor:
    """The first output in the source's order, from inputs in the source's order."""
    feed = {n: x.permute(graph.layouts.get(n, tuple(range(x.ndim)))) for n, x in zip(graph.inputs, inputs, strict=True)}
    name = graph.outputs[0]
    y = float_run(graph, feed)[name]
    return y.permute(graph.layouts[name]) if name in graph.layouts else y


def close(got: torch.Tensor, want: torch.Tensor) -> None:
    assert got.shape == want.shape
    assert float((got - want).abs().max()) <= 1e-5 * max(float(want.abs().max()), 1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str) -> None:
    make, shape = NETWORKS[name]
    net = seeded(make)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    graph = read_torch(net, (x,), name)
    with torch.no_grad():
        want = net(x)
    close(run(graph, x), want)
    small = normalize(graph, prove=True)
    close(run(small, x), want)
    # A channel shuffle is a transpose by its nature; every other one must be gone.
    assert sum(node.kind == "Transpose" for node in small.nodes) == (1 if name == "shuffle" else 0)
    assert not any(node.kind == "BatchNorm" for node in small.nodes)


def test_the_module_is_not_touched() -> None:
    net = seeded(NETWORKS["mlp"][0]).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    read_torch(net, (torch.randn(2, 10),), "mlp")
    assert net.training and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def _saved(path: Path, dynamic: bool = True) -> tuple[torch.nn.Module, torch.Tensor]:
    net = seeded(NETWORKS["kws"][0])
    x = torch.randn(2 if dynamic else 1, 1, 49, 10)
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    torch.export.save(torch.export.export(net, (x,), dynamic_shapes=shapes), path)
    return net, torch.randn(3, 1, 49, 10)


@pytest.mark.parametrize("dynamic", [True, False])
def test_pt2(tmp_path: Path, dynamic: bool) -> None:
    net, x = _saved(tmp_path / "net.pt2", dynamic)
    with torch.no_grad():
        close(run(read_pt2(tmp_path / "net.pt2"), x), net(x))


def test_damaged_pt2(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    _saved(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:cut])
        with pytest.raises(OctavoError):
            read_pt2(path)
    for _ in range(10):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 20):
            broken[at] ^= int(rng.integers(1, 256))
        path.write_bytes(broken)
        try:
            read_pt2(path)
        except OctavoError:
            pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"use_pickle": false', b'"use_pickle": true'),
        (b'"path_name": "weight_0"', b'"path_name": "opaque_obj_0"'),
        (b"Symbol(", b"print("),
        (b"torch.ops.aten.conv2d.default", b"torch.load"),
    ],
)
def test_unsafe_pt2(tmp_path: Path, old: bytes, new: bytes) -> None:
    _saved(tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as source, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(old, new) if name.endswith("json") else source.read(name))
    with pytest.raises(OctavoError, match="run code|expression|not an operator"):
        read_pt2(tmp_path / "bad.pt2")


def test_sample_inputs_are_never_unpickled(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    net, x = _saved(tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as source, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as target:
        for name in source.namelist():
            target.writestr(name, pickle.dumps(Payload()) if "sample_inputs" in name else source.read(name))
    with torch.no_grad():
        close(run(read_pt2(tmp_path / "bad.pt2"), x), net(x))
    assert not (tmp_path / "ran").exists()
