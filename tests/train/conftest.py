"""The network that most tests of training train."""

from __future__ import annotations

import pytest
import torch

import octavo
from octavo.ir.graph import Graph
from tests.networks.torch_networks import seeded
from tests.train.test_module import SAMPLE, Net


@pytest.fixture(scope="session")
def graph() -> Graph:
    """Net, loaded."""
    found = octavo.load(seeded(Net, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    assert isinstance(found, Graph)
    return found
