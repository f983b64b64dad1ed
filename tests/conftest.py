"""Fixtures for every test: few threads, and the emulated device."""

from __future__ import annotations

import pytest
import torch

from tests.oracles.device import require_device

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def device() -> None:
    """Ask for this fixture where a test needs an emulated Cortex-M; for other cores call require_device."""
    require_device()
