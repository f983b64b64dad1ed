"""The rule for missing emulators: a skip that names the packages, a failure where they are promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracles.data import data_path
from tests.oracles.device import require_device


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_missing_tools_skip(no_tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCTAVO_REQUIRE_DEVICE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install gcc-arm-none-eabi .*qemu-system-arm"):
        require_device()
    with pytest.raises(pytest.skip.Exception, match="apt-get install gcc-riscv64-unknown-elf qemu-system-misc"):
        require_device("rv32imc")


def test_missing_tools_fail_where_they_are_promised(no_tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVO_REQUIRE_DEVICE", "1")
    with pytest.raises(pytest.fail.Exception, match="qemu-system-arm not found"):
        require_device()


def test_data_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCTAVO_DATA", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="set OCTAVO_DATA"):
        data_path("peers.json")
    (tmp_path / "peers.json").write_text("{}")
    assert data_path("peers.json") == tmp_path / "peers.json"
