"""Archives (.pt2): the same graph as the module, and no file runs code, hangs or eats the memory."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_torch_networks import close, run

from octavo.errors import OctavoError
from octavo.formats.torch_export import read_pt2, read_torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from networks.torch_networks import NETWORKS, network  # noqa: E402

Edit = Callable[[str, Any], Any]


def _save(path: Path, name: str = "kws", dynamic: bool = True) -> tuple[torch.nn.Module, torch.Tensor]:
    net, shape = network(name)
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    exported = torch.export.export(net, (torch.randn(2 if dynamic else 1, *shape),), dynamic_shapes=shapes)
    torch.export.save(exported, path)
    return net, torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyword spotter with a dynamic batch."""
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    _save(path)
    return path


def _edited(source: Path, target: Path, edit: Edit) -> Path:
    """A copy whose JSON members went through ``edit(name, content)``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".json"):
                data = json.dumps(edit(name, json.loads(data))).encode()
            new.writestr(name, data)
    return target


def _replace(old: str, new: str) -> Edit:
    return lambda name, content: json.loads(json.dumps(content).replace(json.dumps(old), json.dumps(new)))


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_same_as_the_module(tmp_path: Path, name: str, dynamic: bool) -> None:
    net, x = _save(tmp_path / "net.pt2", name, dynamic)
    graph = read_pt2(tmp_path / "net.pt2")
    with torch.no_grad():
        close(run(graph, x), net(x))
    direct = read_torch(net, (x,), "net")
    assert graph.inputs == direct.inputs
    if not dynamic:
        assert [(n.op, n.source) for n in graph.nodes] == [(n.op, n.source) for n in direct.nodes]


def test_a_dynamic_axis_other_than_the_batch_is_refused(tmp_path: Path) -> None:
    net, _ = network("resnet18")
    shapes = ({0: torch.export.Dim("batch"), 2: torch.export.Dim.AUTO},)
    exported = torch.export.export(net, (torch.randn(2, 3, 64, 64),), dynamic_shapes=shapes)
    torch.export.save(exported, tmp_path / "net.pt2")
    with pytest.raises(OctavoError, match="dynamic axis 2"):
        read_pt2(tmp_path / "net.pt2")


def test_saved_on_another_device(tmp_path: Path, saved: Path) -> None:
    assert len(read_pt2(_edited(saved, tmp_path / "cuda.pt2", _replace("cpu", "cuda"))).nodes) > 5


def test_cut_and_flipped(tmp_path: Path, saved: Path) -> None:
    data, path = saved.read_bytes(), tmp_path / "net.pt2"
    rng = np.random.default_rng(0)
    for cut in (0, 10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:cut])
        with pytest.raises(OctavoError):
            read_pt2(path)
    for _ in range(50):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 20):
            broken[at] ^= int(rng.integers(1, 256))
        path.write_bytes(broken)
        try:
            read_pt2(path)
        except OctavoError:
            pass
    with pytest.raises(OctavoError, match="not there"):
        read_pt2(tmp_path / "missing.pt2")


VALUES = [None, -1, 0, 1, 2**31, 2**70, 1e308, "", "x", [], {}, True, "torch.ops.aten.mul.Tensor", "_operator.mul"]


def _mutated(content: Any, rng: random.Random) -> Any:
    """``content`` with one place replaced, removed, or exchanged for another place."""
    places: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            collect(value[key])

    collect(content)
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(places)
        other, at = rng.choice(places)
        if isinstance(holder, list) and key >= len(holder) or isinstance(holder, dict) and key not in holder:
            continue
        action = rng.randrange(3)
        if action == 0:
            holder[key] = rng.choice(VALUES)
        elif action == 1 and not isinstance(holder, list):
            del holder[key]
        else:
            holder[key] = json.loads(json.dumps(other[at])) if at in other or isinstance(other, list) else None
    return content


@pytest.mark.parametrize("name", ["shuffle", "unet_bilinear"])
def test_changed_json_gives_a_graph_or_one_clear_error(tmp_path: Path, name: str) -> None:
    _save(tmp_path / "net.pt2", name)
    rng, outcomes = random.Random(0), {"read": 0, "refused": 0}
    for round in range(150):
        part = "/models/" if round % 3 else "_config"
        edit: Edit = lambda member, content, part=part: _mutated(content, rng) if part in member else content  # noqa: E731
        path = _edited(tmp_path / "net.pt2", tmp_path / "bad.pt2", edit)
        start = time.monotonic()
        try:
            read_pt2(path)
            outcomes["read"] += 1
        except OctavoError as error:
            assert error.why and error.remedy
            outcomes["refused"] += 1
        assert time.monotonic() - start < 20
    assert min(outcomes.values()) > 10


def _in_spec(spec: Any) -> Edit:
    """Replaces the description of the arguments' structure, which torch.export.load turns into Python objects."""

    def edit(name: str, content: Any) -> Any:
        for call in content.get("graph_module", {}).get("module_call_graph", ()):
            if call["signature"]:
                call["signature"]["in_spec"] = json.dumps([1, spec])
        return content

    return edit


class Payload:
    """Makes the folder ``ran`` when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


def test_no_file_imports_a_module(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stranger.py").write_text("import os\nos.mkdir('ran')\nX = {'a': 1}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    enum = json.dumps({"__enum__": True, "fqn": "stranger:X", "name": "a"})
    factory = {"default_factory_module": "stranger", "default_factory_name": "X", "dict_context": []}
    for spec in (
        {"type": "builtins.tuple", "context": enum, "children_spec": []},
        {"type": "collections.defaultdict", "context": factory, "children_spec": []},
    ):
        read_pt2(_edited(saved, tmp_path / "bad.pt2", _in_spec(spec)))
        assert not (tmp_path / "ran").exists() and "stranger" not in sys.modules


@pytest.mark.parametrize("text", ["x=__import__('os').mkdir('ran')", "x):\n import os\nimport os; os.mkdir('ran')\n#"])
@pytest.mark.parametrize("old", ["input", "conv2d", "linear"])
def test_no_name_becomes_code(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, old: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    read_pt2(_edited(saved, tmp_path / "bad.pt2", _replace(old, text)))
    assert not (tmp_path / "ran").exists()


def test_no_expression_is_evaluated(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("__import__('os').mkdir('ran')", "9**9**9**9", "1" * 60 + "!"):

        def edit(name: str, content: Any, text: str = text) -> Any:
            return json.loads(json.dumps(content).replace('"Symbol(', json.dumps(text)[:-1] + "+Symbol("))

        start = time.monotonic()
        read_pt2(_edited(saved, tmp_path / "bad.pt2", edit))
        assert not (tmp_path / "ran").exists() and time.monotonic() - start < 5


def test_pickles_are_never_opened(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile("bad.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle.dumps(Payload()) if "sample_inputs" in name else old.read(name))
    read_pt2(Path("bad.pt2"))
    for old_text, new_text in (
        ('"use_pickle": false', '"use_pickle": true'),
        ('"path_name": "weight_0"', '"path_name": "opaque_obj_0"'),
        ('"path_name": "weight_0"', '"path_name": "../../weight_0"'),
    ):
        edit: Edit = lambda name, content, a=old_text, b=new_text: json.loads(json.dumps(content).replace(a, b))  # noqa: E731
        with pytest.raises(OctavoError, match="run code"):
            read_pt2(_edited(saved, tmp_path / "worse.pt2", edit))
    assert not (tmp_path / "ran").exists()


def test_only_operators_of_the_table_are_called(tmp_path: Path, saved: Path) -> None:
    for target in ("torch.load", "torch.os.system", "_operator.attrgetter", "torch.ops.aten.from_file.default"):
        path = _edited(saved, tmp_path / "bad.pt2", _replace("torch.ops.aten.relu.default", target))
        with pytest.raises(OctavoError, match="not supported"):
            read_pt2(path)


@pytest.mark.parametrize("stride", [0, 1])
def test_a_small_file_stays_small(tmp_path: Path, saved: Path, stride: int) -> None:
    def edit(name: str, content: Any) -> Any:
        for payload in content["config"].values() if "weights_config" in name else ():
            meta = payload["tensor_meta"]
            meta["sizes"] = [{"as_int": 2**15} for _ in meta["sizes"]]
            meta["strides"] = [{"as_int": stride} for _ in meta["sizes"]]
        return content

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OctavoError):
        read_pt2(_edited(saved, tmp_path / "bad.pt2", edit))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
