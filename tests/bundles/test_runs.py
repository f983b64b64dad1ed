"""Models in one arena give the integer executor's bytes, in every order; those that stand together keep theirs."""

from __future__ import annotations

import subprocess
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octavo.bundles import Bundle, bundle
from octavo.device.emulator import run_on_board
from octavo.device.host import sanitized_run
from octavo.package import export
from octavo.passes import normalize
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.targets import load_target
from tests.bundles.conftest import TARGET, Builds
from tests.bundles.harness import Bytes, obedient, program, said, samples
from tests.exactness.random_networks import networks
from tests.oracles.device import require_device

TOGETHER = (["eye", "ear"], ["eye", "hand"])


@pytest.fixture(scope="module")
def shared(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle([build.folder for build in builds.values()], tmp_path_factory.mktemp("shared") / "out")


@pytest.fixture(scope="module")
def beside(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """eye keeps its bytes while ear and hand run, which share."""
    folders = [build.folder for build in builds.values()]
    return bundle(folders, tmp_path_factory.mktemp("beside") / "out", "senses", TOGETHER)


@pytest.fixture(scope="module")
def taking_turns(builds: Builds, shared: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program(shared.c_dir, obedient("bundle.h", list(builds.values())), tmp_path_factory.mktemp("turns"))


@pytest.fixture(scope="module")
def standing_together(builds: Builds, beside: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program(beside.c_dir, obedient("senses.h", list(builds.values())), tmp_path_factory.mktemp("together"))


@pytest.mark.parametrize("made", ["taking_turns", "standing_together"])
def test_every_order_gives_the_same_bytes(builds: Builds, made: str, request: pytest.FixtureRequest) -> None:
    models = list(builds.values())
    path = request.getfixturevalue(made)
    commands: list[tuple[str, int, Bytes | None]] = []
    expected = b""
    for seed, order in enumerate(permutations(range(3))):
        for model in order:
            x, y = samples(models[model], 2, seed)
            for sample in range(2):
                commands += [("i", model, x[sample]), ("r", model, None), ("o", model, None)]
                expected += y[sample].tobytes()
    assert said(path, commands) == expected


def test_models_that_stand_together_keep_inputs_and_outputs(builds: Builds, standing_together: Path) -> None:
    """eye's input is there before the others run, its output after them: nothing of it may be touched."""
    path = standing_together
    (x0, y0), (x1, y1), (x2, y2) = (samples(build, 1, 9) for build in builds.values())
    others = [("i", 1, x1), ("r", 1, None), ("o", 1, None), ("i", 2, x2), ("r", 2, None), ("o", 2, None)]
    expected = y1.tobytes() + y2.tobytes() + y0.tobytes()
    assert said(path, [("i", 0, x0), *others, ("r", 0, None), ("o", 0, None)]) == expected
    assert said(path, [("i", 0, x0), ("r", 0, None), *others, ("o", 0, None)]) == expected


def test_models_that_share_lose_what_they_kept(builds: Builds, taking_turns: Path, standing_together: Path) -> None:
    """Or the test above would prove nothing: ear's input does not outlive a run of eye, unless they stand together."""
    (x0, _), (x1, y1) = (samples(builds[name], 1, 9) for name in ("eye", "ear"))
    commands = [("i", 1, x1), ("i", 0, x0), ("r", 0, None), ("r", 1, None), ("o", 1, None)]
    assert said(taking_turns, commands) != y1.tobytes()
    assert said(standing_together, commands) == y1.tobytes()


def test_an_output_is_handed_over_where_it_lies(builds: Builds, shared: Bundle, tmp_path: Path) -> None:
    """The first input may lie anywhere in the shared arena, across the model's own input, too: it is copied at once."""
    graph = builds["hand"].model.graph
    x, y = samples(builds["hand"], 1, 4)
    size = graph.types[graph.inputs[0]].nbytes
    main = f"""#include <stdio.h>
#include "bundle.h"
#include "bundle_arena.h"
int main(void)
{{
    static int8_t out[HAND_OUTPUT0_SIZE];
    for (int place = 0; place + {size} <= BUNDLE_ARENA_BYTES && place < 2 * {size}; ++place) {{
        rewind(stdin);
        if (fread(bundle_arena.bytes + place, 1, {size}, stdin) != {size}) {{
            return 1;
        }}
        hand_run(bundle_arena.bytes + place, out);
        fwrite(out, 1, sizeof out, stdout);
    }}
    return 0;
}}
"""
    path = program(shared.c_dir, main, tmp_path)
    (tmp_path / "x.bin").write_bytes(x.tobytes())
    with (tmp_path / "x.bin").open("rb") as given_input:
        done = subprocess.run([str(path)], stdin=given_input, capture_output=True, timeout=60, check=True)
    times, rest = divmod(len(done.stdout), len(y.tobytes()))
    assert times > size and rest == 0 and done.stdout == y.tobytes() * times


def test_sizes_with_and_without_sharing(builds: Builds, shared: Bundle, beside: Bundle) -> None:
    sizes = {name: build.manifest["arena_bytes"] for name, build in builds.items()}
    assert shared.manifest["arena_bytes"] == max(sizes.values())
    assert shared.manifest["arena_bytes_apart"] == beside.manifest["arena_bytes_apart"] == sum(sizes.values())
    assert {row["arena_offset"] for row in shared.manifest["models"]} == {0}
    most = max(sizes["ear"], sizes["hand"])
    assert 0 <= beside.manifest["arena_bytes"] - sizes["eye"] - most < 8
    rows = {row["name"]: row for row in beside.manifest["models"]}
    assert rows["eye"]["kept_by"] == ["ear", "hand"] and rows["ear"]["kept_by"] == ["eye"]
    assert "lost in hand_run" in (beside.c_dir / "src/senses.h").read_text()


def test_models_own_memory_is_gone(shared: Bundle, tmp_path: Path) -> None:
    """The compiled library holds the shared arena and no other zero-initialised memory."""
    taken = 0
    for source in sorted((shared.c_dir / "src").glob("*.c")):
        made = tmp_path / f"{source.stem}.o"
        subprocess.run(["gcc", "-O1", f"-I{shared.c_dir}/src", "-c", str(source), "-o", str(made)], check=True)
        listing = subprocess.run(["size", str(made)], capture_output=True, text=True, check=True).stdout
        _, data, bss = map(int, listing.splitlines()[1].split()[:3])
        assert data == 0 and (bss == 0 or source.name == "bundle.c")
        taken += bss
    assert 0 <= taken - shared.manifest["arena_bytes"] < 8


def test_all_at_once_under_sanitizers(builds: Builds, shared: Bundle) -> None:
    """The bundle's own glue: all inputs in, all outputs out."""
    x, y = joined(builds, 5)
    np.testing.assert_array_equal(sanitized_run(shared.c_dir, x, y.shape[1]), y)


@pytest.mark.parametrize("name", ["cortex-m0", "rv32imc"])
def test_on_a_board(builds: Builds, beside: Bundle, name: str) -> None:
    require_device(name)
    x, y = joined(builds, 3)
    np.testing.assert_array_equal(run_on_board(beside.c_dir, load_target(name), x).outputs, y)


def joined(builds: Builds, count: int) -> tuple[Bytes, Bytes]:
    """Samples of all models side by side."""
    pairs = [samples(build, count, 11) for build in builds.values()]
    return np.concatenate([x for x, _ in pairs], axis=1), np.concatenate([y for _, y in pairs], axis=1)


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_networks(data: st.DataObject, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    """Two or three of them, some side by side, all in the order given and back again."""
    count = data.draw(st.integers(2, 3))
    root: Path = tmp_path_factory.mktemp("random")
    models = []
    for index in range(count):
        graph, inputs = data.draw(networks())
        quantized = quantize_graph(normalize(graph), [inputs], Scheme(ranges="minmax"))
        models.append(export(quantized, root / str(index), f"net{index}", TARGET))
    together = [["net0", "net1"]] if data.draw(st.booleans()) else []
    made = bundle([build.folder for build in models], root / "out", "nets", together)
    path = program(made.c_dir, obedient("nets.h", models), root)
    commands: list[tuple[str, int, Bytes | None]] = []
    expected = b""
    for seed, model in enumerate([*range(count), *reversed(range(count))]):
        x, y = samples(models[model], 1, seed)
        commands += [("i", model, x), ("r", model, None), ("o", model, None)]
        expected += y.tobytes()
    assert said(path, commands) == expected
