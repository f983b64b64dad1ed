"""The generated C on this machine: right, warning-free, clean under sanitizers, self-contained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from octavo.build import Build
from octavo.device.host import HostModel, host_form, sanitized_run
from octavo.device.toolchain import WARNINGS
from octavo.errors import OctavoError

Samples = tuple[np.ndarray, np.ndarray]


def compiled(compiler: str, c_dir: Path, output: Path, *flags: str) -> Path:
    sources = [str(path) for path in sorted(c_dir.rglob("*.c"))]
    command = [compiler, *WARNINGS, "-O2", *flags, f"-I{c_dir}/src", *sources, "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return output


def test_host_equals_the_integer_executor_over_threads_and_one_by_one(build: Build, samples: Samples) -> None:
    x, expected = samples
    with HostModel(build.c_dir) as host:
        np.testing.assert_array_equal(host.run(x), expected)
        for one, answer in zip(x, expected, strict=True):
            np.testing.assert_array_equal(host.run(one[None])[0], answer)
        assert host.run(x[:0]).shape == (0, expected.shape[1])
        for bad in (x[:, 1:], x.astype(np.int16), x[0]):
            with pytest.raises(OctavoError, match="int8"):
                host.run(bad)


def test_host_form_equals_the_c_that_ships(build: Build, samples: Samples) -> None:
    x, expected = samples
    with host_form(build.model) as fast, HostModel(build.c_dir) as shipped:
        np.testing.assert_array_equal(fast.run(x), expected)
        np.testing.assert_array_equal(fast.run(x, threads=1), shipped.run(x))


def test_sanitizers_find_nothing(build: Build, samples: Samples) -> None:
    x, expected = samples
    np.testing.assert_array_equal(sanitized_run(build.c_dir, x, expected.shape[1]), expected)


def test_sanitizers_would_find_something(build: Build, samples: Samples, tmp_path: Path) -> None:
    """A doctored call that reads one byte too many must be reported, or the test above means nothing."""
    c_dir = tmp_path / "c"
    shutil.copytree(build.c_dir, c_dir)
    glue = c_dir / "selftest/glue.h"
    text = glue.read_text()
    assert "model_run(in + 0" in text
    glue.write_text(text.replace("model_run(in + 0", "model_run(in + 1"))
    with pytest.raises(OctavoError, match="sanitizer run"):
        sanitized_run(c_dir, samples[0], samples[1].shape[1])


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_selftest_passes_and_notices_a_changed_weight(build: Build, tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        promised = os.environ.get("OCTAVO_REQUIRE_DEVICE") == "1"
        (pytest.fail if promised else pytest.skip)(f"{compiler} is not installed; apt-get install {compiler}")
    main = "-DOCTAVO_SELFTEST_MAIN"
    program = compiled(compiler, build.c_dir, tmp_path / "good", main)
    assert subprocess.run([str(program)], check=False).returncode == 0
    c_dir = tmp_path / "c"
    shutil.copytree(build.c_dir, c_dir)
    data = c_dir / "src/model_data.c"
    head, tail = data.read_text().split("{\n    ", 1)
    first, rest = tail.split(",", 1)
    data.write_text(f"{head}{{\n    {(int(first) + 100) % 127},{rest}")
    assert subprocess.run([str(compiled(compiler, c_dir, tmp_path / "bad", main))], check=False).returncode == 1


def test_generated_code_needs_nothing_but_memory_functions(build: Build, tmp_path: Path) -> None:
    undefined: set[str] = set()
    for source in sorted(build.c_dir.glob("src/*.c")):
        target = tmp_path / f"{source.stem}.o"
        subprocess.run(["gcc", *WARNINGS, "-O1", "-c", str(source), "-o", str(target)], check=True)
        listing = subprocess.run(["nm", "-u", str(target)], capture_output=True, text=True, check=True).stdout
        undefined |= {line.split()[-1] for line in listing.splitlines()}
    outside = {name for name in undefined if not name.startswith(("model_", "_GLOBAL_OFFSET_TABLE_", "__stack_chk"))}
    assert outside <= {"memcpy", "memmove", "memset"}, outside


def test_input_written_in_place_is_not_copied(build: Build, samples: Samples, tmp_path: Path) -> None:
    """model_input0() and model_output0() are the arena's own places."""
    x, expected = samples
    values = ", ".join(map(str, x[0].tolist()))
    wanted = ", ".join(map(str, expected[0].tolist()))
    (tmp_path / "main.c").write_text(
        f"""#include <string.h>
#include "model.h"
static const int8_t x[] = {{{values}}}, y[] = {{{wanted}}};
int main(void)
{{
    memcpy(model_input0(), x, sizeof x);
    model_run(model_input0(), model_output0());
    return memcmp(model_output0(), y, sizeof y) != 0;
}}
"""
    )
    sources = [str(path) for path in (tmp_path / "main.c", *sorted(build.c_dir.glob("src/*.c")))]
    command = ["gcc", *WARNINGS, f"-I{build.c_dir}/src", *sources, "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    assert subprocess.run([str(tmp_path / "main")], check=False).returncode == 0


def test_quantize_input_in_c_equals_python(build: Build, tmp_path: Path) -> None:
    encoding = build.model.encodings["image"]
    rng = np.random.default_rng(5)
    scale = float(encoding.scale[0])
    x = np.concatenate(
        [rng.normal(size=200) * 3, (np.arange(-300, 300) + 0.5) * scale, [np.nan, np.inf, -np.inf, 1e30]]
    )
    x = x.astype(np.float32)
    words = ", ".join(f"0x{word:08x}u" for word in x.view(np.uint32).tolist())
    (tmp_path / "main.c").write_text(
        f"""#include <stdio.h>
#include <string.h>
#include "model.h"
static const uint32_t bits[] = {{{words}}};
int main(void)
{{
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; ++i) {{
        float x;
        memcpy(&x, &bits[i], sizeof x);
        printf("%d\\n", model_quantize_input0(x));
    }}
    return 0;
}}
"""
    )
    command = ["gcc", *WARNINGS, "-fsanitize=undefined", f"-I{build.c_dir}/src", str(tmp_path / "main.c")]
    subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
    said = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True)
    assert said.stderr == ""
    np.testing.assert_array_equal(np.array(said.stdout.split(), int), encoding.quantize_input(x))


def test_a_damaged_folder_is_refused(build: Build, tmp_path: Path) -> None:
    """One flipped bit of a weight is another network: it must not open."""
    folder = tmp_path / "build"
    shutil.copytree(build.folder, folder)
    assert Build.open(folder).manifest == build.manifest
    tensors = folder / "quantized" / "tensors.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-5] ^= 1
    tensors.write_bytes(bytes(data))
    with pytest.raises(OctavoError, match="not the file that was written"):
        Build.open(folder)
    tensors.unlink()
    with pytest.raises(OctavoError, match="missing"):
        Build.open(folder)


@pytest.mark.parametrize("name", ["../elsewhere", "", None, 3])
def test_a_manifest_cannot_lead_out_of_its_folder(build: Build, tmp_path: Path, name: object) -> None:
    """The C is compiled and run, so the folder that holds it is not for a stranger's manifest to choose."""
    folder = tmp_path / "build"
    shutil.copytree(build.folder, folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": name}))
    with pytest.raises(OctavoError):
        Build.open(folder)
