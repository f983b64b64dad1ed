"""Two processes that train one network do what one process does with the same global batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("distributed_steps.py")


def run(*command: str) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("distributed")
    run(str(SCRIPT), str(found))
    run("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(SCRIPT), str(found))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("what", ["fold", "keep", "bits"])
def test_torchrun_with_two_processes_is_one_process(folder: Path, what: str) -> None:
    """Sums in another order decide a tie otherwise now and then, which a scale of few values sees."""
    alone, first, second = (np.load(folder / f"{what}_{name}.npz") for name in ("1_0", "2_0", "2_1"))
    masters = [name for name in alone.files if name.endswith("master")]
    assert masters
    for name in alone.files:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        tolerance = 3e-4 if name.endswith("log_factor") else 1e-5 * max(1.0, float(np.abs(alone[name]).max()))
        np.testing.assert_allclose(first[name], alone[name], rtol=0, atol=tolerance, err_msg=name)
