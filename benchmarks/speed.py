"""Time to quantize EfficientNet-Lite0, to evaluate ResNet8, and of single images, beside ONNX Runtime and LiteRT.

All rows are measured in this run on this machine, with two threads where a tool takes a number of threads; single
images with one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.workloads import TINY, Workload, data_folder, efficientnet_lite0, tiny
from octavo import api
from octavo.analysis.compare import quantize_inputs
from octavo.device.host import host_form
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.quant.quantize import Scheme, quantize_graph

__all__ = ["main"]

THREADS = 2
CALIBRATION = 50
ROUNDS = 150
IMAGES = 200


def main() -> None:
    """Seconds or milliseconds, and the ratio to Octavo's."""
    torch.set_num_threads(THREADS)
    _quantization(efficientnet_lite0())
    _evaluation(tiny("resnet8_cifar10"))
    _latencies()


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def _quantization(workload: Workload) -> None:
    images = workload.calibration[:CALIBRATION]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            workload.model, (torch.from_numpy(images[:1]),), str(path), dynamo=False, input_names=["image"]
        )
        pipeline, _ = _timed(lambda: api.quantize(api.load(path), images, "host"))
        ours, _ = _timed(lambda: _minmax(path, images))
        theirs, _ = _timed(lambda: _onnxruntime(path, images, Path(folder) / "quantized.onnx"))
    print(f"EfficientNet-Lite0: import, calibrate on {CALIBRATION} images, quantize (bar: 30 s)")
    print(f"  octavo, the plain pipeline    {pipeline:8.2f} s")
    print(f"  octavo, min-max alone         {ours:8.2f} s")
    print(f"  onnxruntime quantize_static   {theirs:8.2f} s   ratio {theirs / ours:.2f}", flush=True)


def _minmax(source: Path, images: Any) -> Quantized:
    """What the peer does: ranges from extremes, and nothing else."""
    graph = api.load(source)
    assert isinstance(graph, Graph)
    return quantize_graph(graph, (images[i : i + 1] for i in range(len(images))), Scheme(ranges="minmax"), None, "host")


def _onnxruntime(source: Path, images: Any, target: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(images)

        def get_next(self) -> Any:
            row = next(self.rows, None)
            return None if row is None else {"image": row[None]}

    quantize_static(str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True)


def _evaluation(workload: Workload) -> None:
    quantized = api.quantize(api.load(workload.model), workload.calibration)
    with tempfile.TemporaryDirectory() as folder:
        build = api.export(quantized, Path(folder) / "build")
        name = build.model.graph.inputs[0]

        def integers() -> Any:
            return quantize_inputs(build.model, {name: workload.test})[name].reshape(len(workload.test), -1)

        with host_form(build.model) as host:
            inputs = integers()
            ours, outputs = _timed(lambda: host.run(inputs))
        theirs, others = _timed(lambda: _litert((build.folder / "model.tflite").read_bytes(), inputs))
    accuracy = [float((rows.argmax(1) == workload.labels).mean()) for rows in (outputs, others)]
    print(f"ResNet8: {len(inputs):,} images in integers (bar: 60 s)")
    each = 1000 / len(inputs)
    print(f"  octavo's C on the host        {ours:8.2f} s   {ours * each:.3f} ms, accuracy {accuracy[0]:.4f}")
    print(
        f"  LiteRT (XNNPACK, own integers){theirs:8.2f} s   {theirs * each:.3f} ms, "
        f"accuracy {accuracy[1]:.4f}, ratio {theirs / ours:.2f}",
        flush=True,
    )


def _latencies() -> None:
    """The official int8 models, one image after the other on one thread."""
    print("One image on one thread, official int8 models (bar: ResNet8 in 0.08 ms)")
    for name in TINY:
        path = data_folder() / "mlperf_tiny" / f"{name}_int8.tflite"
        model = lower(api.load(path))
        size = sum(model.graph.types[value].nbytes for value in model.graph.inputs)
        inputs = np.random.default_rng(0).integers(-128, 128, (IMAGES, size)).astype(np.int8)
        with host_form(model) as host:
            ours, xnnpack, plain = _fastest(
                lambda host=host, inputs=inputs: host.run(inputs, threads=1),
                _repeated(_interpreter(path.read_bytes(), 1).invoke),
                _repeated(_interpreter(path.read_bytes(), 1, xnnpack=False).invoke),
            )
        print(
            f"  {name:16s} octavo {ours:.4f} ms   LiteRT with XNNPACK (own integers) {xnnpack:.4f} ms, ratio "
            f"{xnnpack / ours:.2f}   without {plain:.4f} ms, ratio {plain / ours:.2f}",
            flush=True,
        )


def _repeated(invoke: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: [invoke() for _ in range(IMAGES)]


def _fastest(*runs: Callable[[], Any]) -> list[float]:
    """Milliseconds an image of each run of IMAGES: the best of rounds that alternate, so that all meet one machine."""
    seconds = [[_timed(run)[0] for run in runs] for _ in range(ROUNDS)]
    return [1000 * min(column) / IMAGES for column in zip(*seconds, strict=True)]


def _interpreter(model: bytes, threads: int, xnnpack: bool = True) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=model, num_threads=threads, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    return interpreter


def _litert(model: bytes, inputs: Any) -> Any:
    interpreter = _interpreter(model, THREADS)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for row in inputs:
        interpreter.set_tensor(source["index"], row.reshape(source["shape"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"])[0].copy())
    return np.stack(rows)
