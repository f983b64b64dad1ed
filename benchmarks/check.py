"""What octavo check finds in real networks on every shipped target, as the tables of docs/check.md."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.workloads import TINY, data_folder, efficientnet_lite0
from octavo import api
from octavo.cli.check import find_support, vela_of
from octavo.ir.graph import Graph
from octavo.npu import Findings, adapt, align, check
from octavo.npu.align import trimmed_cycles
from octavo.npu.vela import has_vela
from octavo.targets import Target, available_targets, load_target

__all__ = ["main"]

NAMES = {
    "resnet8_cifar10": "ResNet8",
    "dscnn_kws": "DS-CNN",
    "mobilenetv1_vww": "MobileNetV1",
    "autoencoder_ad": "autoencoder",
    "efficientnet_lite0": "EfficientNet-Lite0",
}


def main() -> None:
    """Findings by target and network, what adapting and aligning change, and Vela beside the estimate."""
    graphs = dict(_graphs())
    targets = [load_target(name) for name in available_targets()]
    print("| target | network | not supported | after --adapt | busy | est. cycles | ms | waits for memory | "
          "units' speed-up | fits |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    said: dict[tuple[str, str], list[str]] = {}
    for target in targets:
        for name, graph in graphs.items() if target.accelerator is not None else ():
            support = find_support(target, None)
            found = check(graph, support)
            for layer in found.unsupported:
                remedy = "none" if layer.remedy is None else ", then ".join(layer.remedy)
                said.setdefault((target.name, name), []).append(f"{layer.op}: {'; '.join(layer.reasons)} ({remedy})")
            left, after = "", found
            if found.unsupported:
                after = check(adapt(graph, support).graph, support)
                left = f"{len(after.unsupported)} of {len(after.layers)}"
            count = len(found.unsupported) or ""
            print(f"| {target.name} | {NAMES[name]} | {count} | {left} | {_numbers(after)} |", flush=True)
    _cores([target for target in targets if target.accelerator is None], graphs)
    _reasons(said)
    _aligned(graphs)
    _vela(graphs)


def _graphs() -> Iterator[tuple[str, Graph]]:
    for name in TINY:
        graph = api.load(data_folder() / "mlperf_tiny" / f"{name}_float.tflite")
        assert isinstance(graph, Graph)
        yield name, graph
    workload = efficientnet_lite0()
    graph = api.load(workload.model, torch.from_numpy(workload.calibration[:1]))
    assert isinstance(graph, Graph)
    yield workload.name, graph


def _numbers(found: Findings) -> str:
    """Of what is supported."""
    cycles, plain = found.cycles, found.plain_cycles
    cells = ["" if found.utilisation is None else f"{100 * found.utilisation:.1f} %"]
    cells += ["" if cycles is None else f"{cycles:,.0f}"]
    cells += ["" if cycles is None or found.milliseconds is None else f"{found.milliseconds:.3f}"]
    cells += ["" if not cycles else f"{100 * found.memory_bound_cycles / cycles:.0f} %"]
    cells += ["" if not cycles or not plain or plain == cycles else f"{plain / cycles:.2f}"]
    cells += ["yes" if found.fits else "no"]
    return " | ".join(cells)


def _cores(targets: list[Target], graphs: dict[str, Graph]) -> None:
    """Bytes in int8, and the cores whose memories are too small."""
    print("\n| network | weights | activations | not supported on | does not fit |\n|---|---|---|---|---|")
    for name, graph in graphs.items():
        rows = {target.name: check(graph, find_support(target, None)) for target in targets}
        found = next(iter(rows.values()))
        refused = ", ".join(target for target, row in rows.items() if row.unsupported) or "none"
        large = ", ".join(target for target, row in rows.items() if not row.fits) or "none"
        print(f"| {NAMES[name]} | {found.weight_bytes:,} | {found.peak_bytes:,} | {refused} | {large} |")


def _reasons(said: dict[tuple[str, str], list[str]]) -> None:
    print("\n| target | network | not supported (rewrite) |\n|---|---|---|")
    for (target, name), lines in said.items():
        for line in dict.fromkeys(lines):
            count = lines.count(line)
            print(f"| {target} | {NAMES[name]} | {f'{count} x ' if count > 1 else ''}{line} |")


def _aligned(graphs: dict[str, Graph]) -> None:
    """Channels beside the multiple, padded; and what trimming would save."""
    print("\n| target | network | padded sets | weights | padded | dead channels | constant | cycles | "
          "trimmed | weight energy it loses, at most |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for target in ("npu-16x16", "npu-32x32"):
        for name, graph in graphs.items():
            support = find_support(load_target(target), None)
            found, aligned = check(graph, support), align(graph, support)
            rows = [row for row in found.channels if row.trim]
            wide = check(aligned.graph, support).weight_bytes
            lost = max((row.share for row in rows), default=0.0)
            dead, constant = (sum(getattr(row, key) for row in found.channels) for key in ("dead", "constant"))
            cycles, trimmed = trimmed_cycles(graph, support)
            print(f"| {target} | {NAMES[name]} | {len(aligned.added)} | {found.weight_bytes:,} | {wide:,} | {dead} | "
                  f"{constant} | {cycles:,} | {trimmed:,} | {100 * lost:.2f} % |", flush=True)  # fmt: skip


def _vela(graphs: dict[str, Graph]) -> None:
    if not has_vela():
        print("\nVela is not installed")
        return
    print("\n| target | network | cycles: estimate | Vela | ratio | on the CPU: estimate | Vela | activations | "
          "Vela's SRAM | weights | Vela, encoded |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for target in ("ethos-u55-128", "ethos-u65-256"):
        for name, graph in graphs.items():
            support = find_support(load_target(target), None)
            ours, vela = check(graph, support), vela_of(graph, target)
            assert ours.cycles is not None
            ratio = ours.cycles / vela.cycles
            print(f"| {target} | {NAMES[name]} | {ours.cycles:,.0f} | {vela.cycles:,} | {ratio:.2f} "
                  f"| {len(ours.unsupported)} | {vela.cpu_operators} | {ours.peak_bytes:,} | {vela.sram_bytes:,} "
                  f"| {ours.weight_bytes:,} | {vela.weight_bytes:,} |", flush=True)  # fmt: skip
