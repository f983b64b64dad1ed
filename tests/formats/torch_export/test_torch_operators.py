"""Every aten operator that is read gives torch's numbers; the others are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_torch_networks import close, run
from torch import Tensor, nn
from torch.nn import functional as F

from octavo.errors import OctavoError
from octavo.formats.torch_export import read_torch

IMAGE, SIGNAL, ROWS = (4, 6, 8), (4, 12), (8,)


class Function(nn.Module):
    """A function as a module, with a matrix, a row and a channel vector as parameters."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(2)
        self.m = nn.Parameter(torch.randn(8, 5, generator=g))
        self.c = nn.Parameter(torch.rand(4, 1, 1, generator=g) + 0.5)
        self.r = nn.Parameter(torch.randn(5, generator=g))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self)


UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu, "relu6": F.relu6, "hardtanh": F.hardtanh, "clamp": lambda x: x.clamp(-0.5, 0.7),
    "clamp_min": lambda x: x.clamp(min=0.1), "leaky": lambda x: F.leaky_relu(x, 0.2), "elu": lambda x: F.elu(x, 0.7),
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
    "silu": F.silu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus,
    "softplus_beta": lambda x: F.softplus(x, beta=2.0), "mish": F.mish, "exp": torch.exp, "abs": torch.abs,
    "log": lambda x: (x.abs() + 1).log(), "neg": lambda x: -x, "sqrt": lambda x: x.abs().sqrt(),
    "rsqrt": lambda x: (x.abs() + 1).rsqrt(), "pow2": lambda x: x**2, "pow3": lambda x: x**3, "erf": torch.erf,
    "reciprocal": lambda x: (x.abs() + 1).reciprocal(), "square": torch.square, "add": lambda x: x + 1.5,
    "alpha": lambda x: torch.add(x, x.abs(), alpha=2), "sub": lambda x: torch.sub(x, 2.0, alpha=3),
    "rsub": lambda x: 2 - x, "rsub_tensor": lambda x: torch.rsub(x, x.abs(), alpha=2), "mul": lambda x: 3 * x,
    "div": lambda x: x / 4, "rdiv": lambda x: 1 / (x.abs() + 1), "div_tensor": lambda x: x / (x.abs() + 1),
    "maximum": lambda x: torch.maximum(x, -x), "minimum": lambda x: torch.minimum(x, x * x),
    "softmax": lambda x: x.softmax(1), "softmax_last": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(1),
    "dropout": lambda x: F.dropout(x, training=False), "clone": lambda x: x.clone().contiguous().detach() * 1,
    "inplace": lambda x: (x * 1).relu_(), "flatten": lambda x: x.flatten(1), "cat": lambda x: torch.cat([x, -x], 1),
    "unsqueeze": lambda x: x.unsqueeze(1).squeeze(1) + 1, "sum": lambda x: x.sum(-1), "mean": lambda x: x.mean(1),
    "slice": lambda x: x[:, 1:4:2], "select": lambda x: x[:, -1].unsqueeze(1), "split": lambda x: x.split(3, 1)[1],
    "sizes": lambda x: x.split([1, 3], 1)[1] if x.shape[1] == 4 else x.split([2, 6], 1)[0],
    "stack": lambda x: torch.stack([x, -x], 1), "selu": F.selu, "pow4": lambda x: x**4,
    "softmin": lambda x: F.softmin(x, 1),
    "max": lambda x: torch.max(x, -x), "softsign": F.softsign, "glu": lambda x: F.glu(x, 1),
    "narrow": lambda x: x.narrow(1, 1, 2), "multiply": lambda x: torch.multiply(x, 2.0),
    "view_as": lambda x: x.flatten(1).view_as(x), "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
    "alpha_dropout": lambda x: F.alpha_dropout(x, training=False), "tensor_split": lambda x: x.tensor_split(2, 1)[1],
    "unbind": lambda x: x.unbind(1)[2].unsqueeze(1), "pad": lambda x: F.pad(x, (1, 2), value=0.5),
}  # fmt: skip
IMAGES: dict[str, Callable[[Tensor, Function], Tensor]] = {
    "max_pool": lambda x, _: F.max_pool2d(x, 3, 2, 1),
    "max_pool_ceil": lambda x, _: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "avg_pool": lambda x, _: F.avg_pool2d(x, 2), "avg_pool_pad": lambda x, _: F.avg_pool2d(x, 3, 1, 1),
    "avg_pool_nopad": lambda x, _: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "avg_pool_ceil": lambda x, _: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "adaptive": lambda x, _: F.adaptive_avg_pool2d(x, (3, 2)), "adaptive_one": lambda x, _: F.adaptive_avg_pool2d(x, 1),
    "adaptive_max": lambda x, _: F.adaptive_max_pool2d(x, 1), "mean": lambda x, _: x.mean((2, 3)),
    "mean_keep": lambda x, _: x.mean((2, 3), keepdim=True), "sum": lambda x, _: x.sum((2, 3)),
    "pad": lambda x, _: F.pad(x, (1, 0, 2, 1), value=0.3),
    "unshuffle": lambda x, _: F.pixel_unshuffle(x, 2), "channel_shuffle": lambda x, _: F.channel_shuffle(x, 2),
    "shuffle": lambda x, _: F.pixel_shuffle(x, 2),
    "nearest": lambda x, _: F.interpolate(x, scale_factor=2), "nearest_size": lambda x, _: F.interpolate(x, (9, 5)),
    "nearest_exact": lambda x, _: F.interpolate(x, (9, 5), mode="nearest-exact"),
    "nearest_odd": lambda x, _: F.interpolate(x, (13, 3)),
    "bilinear_down": lambda x, _: F.interpolate(x, (3, 3), mode="bilinear"),
    "corners_one": lambda x, _: F.interpolate(x, (1, 1), mode="bilinear", align_corners=True),
    "amax": lambda x, _: x.amax((2, 3)), "amax_keep": lambda x, _: x.amax((-1, -2), keepdim=True),
    "expand_as": lambda x, _: x * x.mean((2, 3), keepdim=True).expand_as(x),
    "expand": lambda x, _: x - x.mean(1, keepdim=True).expand(-1, 4, -1, -1),
    "norm": lambda x, _: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5),
    "einsum": lambda x, s: torch.einsum("nchw,c->nchw", x, s.c.flatten()), "movedim": lambda x, _: x.movedim(1, -1),
    "avg_pool_ceil_nopad": lambda x, _: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "rows": lambda x, _: F.adaptive_avg_pool2d(x, (None, 1)), "const_first": lambda x, s: s.c - x,
    "const_over": lambda x, s: s.c / (x.abs() + 1), "pad_channels": lambda x, _: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "batch_norm": lambda x, s: F.batch_norm(x, s.c.flatten(), s.c.flatten() + 1), "output_is_input": lambda x, _: x,
    "transposed_wide": lambda x, s: F.conv_transpose2d(x, s.m.reshape(4, 2, 5, 1), None, 3, (2, 0), (2, 1)),
    "bilinear": lambda x, _: F.interpolate(x, (9, 11), mode="bilinear"),
    "corners": lambda x, _: F.interpolate(x, (9, 11), mode="bilinear", align_corners=True),
    "channels": lambda x, s: x * s.c + s.c.exp(), "divided": lambda x, s: x / s.c,
    "prelu": lambda x, s: F.prelu(x, s.c.flatten()),
    "prelu_one": lambda x, s: F.prelu(x, s.r[:1]), "matmul": lambda x, s: x @ s.m,
    "linear": lambda x, s: F.linear(x, s.m.t(), s.r), "permute": lambda x, _: x.permute(0, 2, 3, 1),
    "view": lambda x, _: x.view(x.shape[0], -1), "unflatten": lambda x, _: x.unflatten(1, (2, 2)),
    "conv_same": lambda x, s: F.conv2d(x, s.m.reshape(2, 4, 5, 1), padding="same"),
    "transposed": lambda x, s: F.conv_transpose2d(x, s.m.reshape(4, 2, 5, 1), None, 2, (1, 0), 1),
    "grouped": lambda x, s: F.conv2d(x, s.m.reshape(4, 2, 5, 1), groups=2, dilation=(1, 2)),
    "depthwise": lambda x, s: F.conv2d(x, s.m.reshape(8, 1, 5, 1), groups=4),
}  # fmt: skip
SIGNALS: dict[str, Callable[[Tensor, Function], Tensor]] = {
    "max_pool": lambda x, _: F.max_pool1d(x, 3, 2, 1), "avg_pool": lambda x, _: F.avg_pool1d(x, 2),
    "adaptive": lambda x, _: F.adaptive_avg_pool1d(x, 4), "nearest": lambda x, _: F.interpolate(x, scale_factor=2),
    "adaptive_max": lambda x, _: F.adaptive_max_pool1d(x, 1), "amax": lambda x, _: x.amax(-1),
    "linear": lambda x, _: F.interpolate(x, size=7, mode="linear"),
    "batch_norm": lambda x, s: F.batch_norm(x, s.c.flatten(), s.c.flatten() + 1, s.c.flatten()),
    "transposed": lambda x, s: F.conv_transpose1d(x, s.m.reshape(4, 2, 5), stride=2, output_padding=1),
}  # fmt: skip
MATRICES: dict[str, Callable[[Tensor, Function], Tensor]] = {
    "mm": lambda x, s: torch.mm(x, s.m), "addmm": lambda x, s: torch.addmm(s.r, x, s.m, beta=0.5, alpha=2),
    "linear": lambda x, s: F.linear(x, s.m.t()),
}  # fmt: skip
CASES = [
    *((f"{k}-{len(shape)}", lambda x, _, f=f: f(x), shape) for k, f in UNARY.items() for shape in (IMAGE, ROWS)),
    *((f"image-{k}", f, IMAGE) for k, f in IMAGES.items()),
    *((f"signal-{k}", f, SIGNAL) for k, f in SIGNALS.items()),
    *((f"matrix-{k}", f, ROWS) for k, f in MATRICES.items()),
]


@pytest.mark.parametrize(("function", "shape"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_operator(function: Callable[..., Tensor], shape: tuple[int, ...]) -> None:
    module, x = Function(function), torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        close(run(read_torch(module, (x,), "case"), x), module(x))


REFUSED: dict[str, tuple[Callable[[Tensor, Function], Tensor], str]] = {
    "unsupported": (lambda x, _: torch.fft.fft(x).real + x.cumsum(1), r"3 operator calls .*fft_fft.*real.*cumsum"),
    "where": (lambda x, _: torch.where(x > 0, x, x * 2), r"aten\.gt.*aten\.where"),
    "expanded_alone": (lambda x, _: x.mean(1, keepdim=True).expand(-1, 4, -1, -1).abs(), "expanded"),
    "expanded_both": (lambda x, _: x.mean(1, True).expand(-1, 4, -1, -1) + x.amax((2, 3), True)[:, :1], "in full"),
    "activations": (lambda x, _: x @ x.transpose(-1, -2), "computed from the model's input"),
    "constant": (lambda x, s: s.c * 2, "does not depend on the input"),
    "softmax_batch": (lambda x, _: x.softmax(0), "batch"),
    "max_axis": (lambda x, _: x.max(1)[0], "extremum"),
    "batch": (lambda x, _: x.mean(), "batch"),
    "batch_cat": (lambda x, _: torch.cat([x, x], 0), "batch"),
    "crop": (lambda x, _: F.pad(x, (-1, 0)), "negative"),
    "divisor": (lambda x, _: F.avg_pool2d(x, 2, divisor_override=3), "divisor"),
    "dilated": (lambda x, _: F.max_pool2d(x, 2, dilation=2), "dilated"),
    "uneven": (lambda x, _: F.adaptive_avg_pool2d(x, 5), "different sizes"),
    "cast": (lambda x, _: x.to(torch.int32).float(), "int32"),
    "training": (lambda x, _: F.dropout(x, 0.5, True), "training"),
    "nan": (lambda x, s: x * (s.c * float("nan")), "NaN"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    function, words = REFUSED[name]
    with pytest.raises(OctavoError, match=words):
        read_torch(Function(function), (torch.randn(3, *IMAGE),), name)


def test_source_is_the_module_path_and_nan_names_the_parameter() -> None:
    net = nn.Sequential(nn.Sequential(nn.Conv2d(4, 2, 1)), nn.ReLU())
    graph = read_torch(net, (torch.randn(1, *IMAGE),), "net")
    assert [n.source for n in graph.nodes if n.kind == "Conv2D"] == ["0.0"]
    net[0][0].weight.data[0] = float("nan")
    with pytest.raises(OctavoError, match=r"0\.0\.weight"):
        read_torch(net, (torch.randn(1, *IMAGE),), "net")
