"""Training so far in a file: parameters, the optimizer's moments, the best network and the way there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from octavo.errors import OctavoError
from octavo.ir.plan import Quantized
from octavo.num.levels import Narrow
from octavo.quant.rounding.checkpoint import Checkpoint
from octavo.train.state import Epoch, State

__all__ = ["resume", "save"]

Tensors = dict[str, torch.Tensor]


def save(checkpoint: Checkpoint, state: State) -> None:
    """Write the file in one move."""
    tensors = _of_modules(state) | _of_optimizer(state) | _of_best(state) | _of_history(state)
    said = {
        "digest": checkpoint.digest,
        "step": str(state.step),
        "total": repr(state.total),
        "start": repr(state.start),
        "best": str(state.best),
        "epochs": json.dumps([asdict(epoch) for epoch in state.epochs]),
    }
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    checkpoint.store(lambda aside: save_file(contiguous, aside, said))


def resume(checkpoint: Checkpoint, state: State, each: int) -> bool:
    """Bring a fresh state to where the file is; False without a file. OctavoError when it belongs to other work.

    ``each`` is the number of steps of an epoch.
    """
    if not checkpoint.path.exists():
        return False
    try:
        with safe_open(checkpoint.path, framework="pt") as file:
            said: Mapping[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise checkpoint.refusal("cannot be read") from error
    if said.get("digest") != checkpoint.digest:
        raise checkpoint.refusal("was written for another model, other data or other settings")
    try:
        _restore(state, said, tensors)
        _check(state, each)
    except (KeyError, ValueError, TypeError, RuntimeError, OctavoError) as error:
        raise checkpoint.refusal(f"is damaged ({error})") from error
    return True


def _restore(state: State, said: Mapping[str, str], tensors: Tensors) -> None:
    for name, module in (("module", state.module), ("oscillations", state.oscillations)):
        module.load_state_dict(_under(tensors, name))
    for index, parameter in enumerate(_learned(state)):
        moments = _under(tensors, f"optimizer/{index}")
        if moments:
            if any(value.shape not in ((), parameter.shape) for value in moments.values()):
                raise ValueError(f"moments of parameter {index}")
            # Adam counts its steps on the CPU.
            kept = {key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()}
            state.optimizer.state[parameter] = kept
    state.step, state.total = int(said["step"]), float(said["total"])
    state.start, state.best = float(said["start"]), int(said["best"])
    state.epochs = [Epoch(**epoch) for epoch in json.loads(said["epochs"])]
    _restore_history(state, _under(tensors, "history"))
    if state.best:
        state.quantized = _best(state.quantized, tensors)


def _check(state: State, each: int) -> None:
    """ValueError for what no training can have come to."""
    done = len(state.epochs)
    if not done * each <= state.step <= (done + 1) * each or not 0 <= state.best <= done:
        raise ValueError(f"step {state.step} after {done} epochs, the best {state.best}")
    numbers = [value for epoch in state.epochs for value in asdict(epoch).values()]
    if not all(isinstance(value, (int, float)) for value in (state.total, *numbers)):
        raise ValueError("epochs that are no numbers")
    if state.step and not state.optimizer.state:
        raise ValueError("no state of the optimizer")


def _of_modules(state: State) -> Tensors:
    parts = (("module", state.module), ("oscillations", state.oscillations))
    return {f"{name}/{key}": value for name, module in parts for key, value in module.state_dict().items()}


def _of_history(state: State) -> Tensors:
    """What changes of it; its names follow from the network."""
    history, done = state.history, len(state.epochs)
    arrays = {
        "losses": np.array(history.losses, np.float64),
        "open": np.array([history.open], np.float64),
        "by_layer": np.array(history.by_layer, np.float64).reshape(done, len(history.layers), 5),
        "by_group": np.array(history.by_group, np.float64).reshape(done, len(history.groups)),
    }
    return {f"history/{name}": torch.from_numpy(array) for name, array in arrays.items()}


def _restore_history(state: State, tensors: Tensors) -> None:
    """ValueError when it is not that of so many steps and epochs of this network."""
    history, done = state.history, len(state.epochs)
    found = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    shapes = {
        "losses": (state.step // history.window,),
        "open": (1,),
        "by_layer": (done, len(history.layers), 5),
        "by_group": (done, len(history.groups)),
    }
    for name, shape in shapes.items():
        if found[name].shape != shape or not np.isfinite(found[name]).all():
            raise ValueError(f"{name} of the history")
    history.losses = found["losses"].tolist()
    history.open, history.seen = float(found["open"][0]), state.step % history.window
    history.by_layer, history.by_group = list(found["by_layer"]), list(found["by_group"])


def _learned(state: State) -> list[Any]:
    return [parameter for group in state.optimizer.param_groups for parameter in group["params"]]


def _of_optimizer(state: State) -> Tensors:
    return {
        f"optimizer/{index}/{key}": value
        for index, parameter in enumerate(_learned(state))
        for key, value in state.optimizer.state.get(parameter, {}).items()
    }


def _of_best(state: State) -> Tensors:
    """What the best network has of its own, if it is not the one that training began with."""
    if not state.best:
        return {}
    plan = state.quantized.plan
    arrays = {f"integers/{name}": array for name, array in plan.integers.items()}
    arrays |= {f"biases/{name}": array for name, array in plan.biases.items()}
    arrays |= {f"scale/{name}": encoding.scale for name, encoding in plan.qparams.items()}
    arrays |= {f"zero_point/{name}": encoding.zero_point for name, encoding in plan.qparams.items()}
    narrow = {name: encoding.levels for name, encoding in plan.qparams.items() if isinstance(encoding.levels, Narrow)}
    arrays |= {f"bits/{name}": np.array(levels.bits) for name, levels in narrow.items()}
    said = json.dumps({"reasons": dict(plan.reasons), "notes": plan.notes}).encode()
    arrays["said"] = np.frombuffer(said, np.uint8)
    return {f"best/{name}": torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _best(quantized: Quantized, tensors: Tensors) -> Quantized:
    best = {name: tensor.numpy() for name, tensor in _under(tensors, "best").items()}
    kinds: dict[str, dict[str, Any]] = {"integers": {}, "biases": {}, "scale": {}, "zero_point": {}, "bits": {}}
    for key, array in best.items():
        kind, _, name = key.partition("/")
        kinds.get(kind, {})[name] = array
    bits = {name: Narrow(int(number)) for name, number in kinds["bits"].items()}
    qparams = {
        name: replace(
            encoding,
            scale=kinds["scale"][name],
            zero_point=kinds["zero_point"][name],
            levels=bits.get(name, encoding.levels),
        )
        for name, encoding in quantized.plan.qparams.items()
    }
    said = json.loads(best["said"].tobytes())
    return quantized.with_(
        integers=kinds["integers"],
        biases=kinds["biases"],
        qparams=qparams,
        reasons=said["reasons"],
        notes=tuple(said["notes"]),
    )


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(f"{prefix}/"): x for name, x in tensors.items() if name.startswith(f"{prefix}/")}
