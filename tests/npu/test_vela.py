"""Vela: its summary is read with care, and what it says of a network is of the same order as our estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.formats.tflite import load_tflite
from octavo.ir.plan import Quantized
from octavo.npu import check, vela
from octavo.npu.support import Support
from octavo.num.formats import find_format
from octavo.targets import load_target
from tests.oracles.data import data_path

HEAD = "network,nn_macs,cycles_total,cycles_npu,inference_time,sram_memory_used,total_npu_encoded_weights"
SAID = "CPU operators = 2 (4.5%)\nNPU operators = 42 (95.5%)\n"


def test_a_summary() -> None:
    found = vela.read_summary(f"{HEAD}\nmodel,1000,300,250,0.0005,1.5,77\n", SAID)
    assert found == vela.Vela(42, 2, 300, 250, 0.5, 1000, 1536, 77)


@pytest.mark.parametrize(
    "summary",
    ["", HEAD, "network,nn_macs\nmodel,1000\n", f"{HEAD}\nmodel,1000,many,250,0.0005,1.5,77\n",
     f"{HEAD}\nmodel,1000,nan,250,0.0005,1.5,77\n", f"{HEAD}\nmodel,1000,-1,250,0.0005,1.5,77\n", f"{HEAD}\nmodel,1\n"],
)  # fmt: skip
def test_a_summary_of_something_else_is_one_error(summary: str) -> None:
    with pytest.raises(OctavoError, match="Vela: wrote a summary"):
        vela.read_summary(summary, SAID)


def test_a_compiler_that_fails_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no such accelerator\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(vela.sys, "executable", str(fake))
    with pytest.raises(OctavoError, match="failed: no such accelerator"):
        vela.run_vela(b"", "ethos-u55-128")


def test_an_installed_vela_and_our_estimate() -> None:
    if not vela.has_vela():
        pytest.skip("ethos-u-vela is not installed")
    path = data_path("mlperf_tiny/resnet8_cifar10_int8.tflite")
    quantized = load_tflite(path)
    assert isinstance(quantized, Quantized)
    said = vela.run_vela(path.read_bytes(), "ethos-u55-128")
    ours = check(quantized.graph, Support(load_target("ethos-u55-128"), find_format("affine")))
    assert said.cpu_operators == 0 and said.npu_operators > 10 and not ours.unsupported
    assert ours.macs == pytest.approx(said.macs, rel=0.01)
    assert ours.cycles is not None and np.log2(ours.cycles / said.cycles) == pytest.approx(0, abs=0.5)
