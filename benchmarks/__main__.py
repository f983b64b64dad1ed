"""``python -m benchmarks [NAME ...]``: run all benchmarks, or those named."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import (
    accuracy,
    asymmetric_weights,
    bundles,
    check,
    exactness,
    finetuning,
    instructions,
    kernels,
    memory,
    mixed,
    mobilenet,
    post_training,
    ranges,
    sabotage,
    speed,
    steps,
    streaming,
    training,
    training_choices,
)

BENCHMARKS: dict[str, Callable[[], None]] = {
    "exactness": exactness.main,
    "accuracy": accuracy.main,
    "post_training": post_training.main,
    "ranges": ranges.main,
    "steps": steps.main,
    "mobilenet": mobilenet.main,
    "mixed": mixed.main,
    "asymmetric_weights": asymmetric_weights.main,
    "memory": memory.main,
    "bundles": bundles.main,
    "check": check.main,
    "streaming": streaming.main,
    "instructions": instructions.main,
    "kernels": kernels.main,
    "speed": speed.main,
    "training": training.main,
    "finetuning": finetuning.main,
    "training_choices": training_choices.main,
    "sabotage": sabotage.main,
}


def main() -> None:
    """Run the benchmarks."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()


main()
