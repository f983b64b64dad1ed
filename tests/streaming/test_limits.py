"""What the size of the buffers may be, and what is said when memory does not suffice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from octavo.errors import OctavoError
from octavo.package import export
from tests.streaming.networks import compiled, quantized


@pytest.mark.parametrize("limit", [-(10**9), -1, 0, 1, 63])
def test_too_small_a_buffer_is_refused(tmp_path: Path, limit: int) -> None:
    with pytest.raises(OctavoError, match="is less than 64 bytes"):
        compiled(tmp_path, limit)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("limit", [64, 10**15])
def test_any_other_size_is_taken(tmp_path: Path, limit: int) -> None:
    said = compiled(tmp_path, limit).manifest["streaming"]
    assert said["limit_bytes"] == limit and all(size <= limit for size in said["layers"].values())


def test_compiling_again_gives_the_same_bytes(tmp_path: Path) -> None:
    made = [compiled(tmp_path / name, 500, "cortex-m4", "pieces") for name in ("a", "b")]
    texts = [
        {path.relative_to(build.folder): path.read_bytes() for path in build.folder.rglob("*.*")} for build in made
    ]
    assert texts[0] == texts[1] and len(texts[0]) > 10


def test_too_little_flash_names_buffers_with_which_it_fits(tmp_path: Path) -> None:
    """And with these it does."""
    model = quantized("wide")
    with pytest.raises(OctavoError, match="too many; the largest layers: fc ") as caught:
        export(model, tmp_path / "a", target="cortex-m4", flash=1000, ram=6000)
    found = re.search(
        r"With --stream-weights (\d+)K, ([\d,]+) bytes of weights would lie in slow memory, as external flash, "
        r"([\d,]+) in flash, and the arena would take ([\d,]+) bytes of RAM\.",
        caught.value.remedy,
    )
    assert found is not None
    kib, streamed, stays, arena = (int(text.replace(",", "")) for text in found.groups())
    made = export(model, tmp_path / "b", target="cortex-m4", flash=1000, ram=6000, stream=1024 * kib)
    said = made.manifest["streaming"]
    assert (said["streamed_bytes"], said["flash_bytes"], made.manifest["arena_bytes"]) == (streamed, stays, arena)
    with pytest.raises(OctavoError, match=f"arena takes .* of 6,000 .*--stream-weights {kib}K"):
        export(model, tmp_path / "c", target="cortex-m4", flash=1000, ram=6000, stream=2048 * kib)


def test_nothing_is_promised_where_streaming_does_not_help(tmp_path: Path) -> None:
    with pytest.raises(OctavoError, match="of flash") as caught:
        export(quantized("wide"), tmp_path / "a", target="cortex-m4", flash=1000, ram=500)
    assert "stream" not in str(caught.value)


def test_what_stays_is_named_with_its_bytes(tmp_path: Path) -> None:
    with pytest.raises(OctavoError, match=r"not streamed: fc [\d,]+ bytes, more than 200, as does one output channel"):
        export(quantized("wide"), tmp_path / "a", target="cortex-m4", flash=1000, stream=200)
