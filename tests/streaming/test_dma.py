"""Streaming by a controller on an emulated board: the example's driver copies, and the controller says that it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from octavo.c.library import csrc_dir
from octavo.device.emulator import run_on_board
from octavo.errors import OctavoError
from octavo.targets import load_target
from tests.bundles.harness import samples
from tests.oracles.device import require_device
from tests.streaming.networks import compiled

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/streaming"
COUNT = """
#include "board.h"
#include "pl081.h"

int __real_main(void);
int __wrap_main(void);

/* The harness, and then whether the controller has reported as many copies as there should be. */
int __wrap_main(void)
{
    const int status = __real_main();
    if (status == 0 && pl081_copies != COPIES) {
        board_write("another number of copies\\n");
        return 3;
    }
    return status;
}
"""


@pytest.mark.parametrize("limit", [10**6, 300, 64 * 1024])
def test_the_controller_copies(tmp_path: Path, limit: int) -> None:
    """Layers whole, in pieces, and one of more bytes than a single transfer moves."""
    require_device("cortex-m33")
    net = "wide" if limit == 64 * 1024 else "pieces"
    build = compiled(tmp_path, limit, "cortex-m33", net)
    x, y = samples(build, 3, 5)
    (tmp_path / "count.c").write_text(COUNT)
    streams = build.manifest["streaming"]["layers"]
    assert net == "pieces" or max(streams.values()) > 4 * 4095
    target, own = load_target("cortex-m33"), [EXAMPLE / "pl081.c", tmp_path / "count.c"]
    flags = [
        "-DOCTAVO_COPY", "-Wl,--wrap=main", f"-I{EXAMPLE}", f"-I{build.c_dir / 'src'}",
        f"-I{csrc_dir() / 'boards/bare_metal'}",
    ]  # fmt: skip
    copies = len(streams) * len(x)
    made = run_on_board(build.c_dir, target, x, 60, own_sources=own, own_flags=[*flags, f"-DCOPIES={copies}"])
    np.testing.assert_array_equal(made.outputs, y)
    np.testing.assert_array_equal(run_on_board(build.c_dir, target, x, 60).outputs, y)
    with pytest.raises(OctavoError, match="another number of copies"):
        run_on_board(build.c_dir, target, x, 60, own_sources=own, own_flags=[*flags, f"-DCOPIES={copies + 1}"])
