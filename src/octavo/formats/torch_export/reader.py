"""Reads a torch module into a Graph by way of torch.export."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node
from torch.fx.node import map_arg

from octavo.errors import OctavoError
from octavo.formats.torch_export.call import Call, Value, channels_first, channels_last
from octavo.formats.torch_export.operators import CONVERTERS
from octavo.formats.torch_export.program import (
    PLAIN,
    InputType,
    Program,
    aten_name,
    from_export,
    is_check,
    module_path,
    unsupported,
)
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ops import Identity, Transpose

__all__ = ["read_program", "read_torch"]

_MALFORMED = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
_WINDOWS = ("conv", "pool", "upsample")
_UNFOLDED = ("conv", "pool", "upsample", "batch_norm")
_MAX_FOLDED = 2**26
_MAX_SIZE = 2**40


def read_torch(module: torch.nn.Module, example_inputs: tuple[torch.Tensor, ...], name: str = "model") -> Graph:
    """The float graph of a module at inference, with a batch of 1. The module itself is not touched."""
    try:
        with warnings.catch_warnings(), torch.no_grad(), _at_inference(module) as (subject, device):
            warnings.simplefilter("ignore")
            inputs = tuple(x.detach().to(device)[:1] for x in example_inputs)
            exported = torch.export.export(subject, inputs)
            if unsupported(exported.graph):
                exported = _decomposed(exported)
    except Exception as error:  # whatever the user's module raises
        raise OctavoError(
            name,
            f"torch.export failed: {_brief(error)}",
            "Check that the module runs on the example inputs; remove control flow that depends on data.",
        ) from error
    return read_program(from_export(exported), name)


@contextmanager
def _at_inference(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, torch.device]]:
    """A copy in eval mode on the CPU; where a module can't be copied, itself, with its modes restored after."""
    try:
        subject = copy.deepcopy(module).cpu().eval()
    except Exception:  # weight_norm and its like hold computed tensors, which torch does not copy
        modes = [(part, part.training) for part in module.modules()]
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        try:
            yield module.eval(), device
        finally:
            for part, training in modes:
                part.training = training
    else:
        yield subject, torch.device("cpu")


def _decomposed(exported: ExportedProgram) -> ExportedProgram:
    """Unsupported operators in terms of others, supported ones whole; as it was when that does not help."""
    table: Any = torch.export.default_decompositions()
    for target in list(table.keys()):
        if target._schema.name.removeprefix("aten::").removesuffix("_") in CONVERTERS:
            table.pop(target)
    try:
        simpler = exported.run_decompositions(table)
    except Exception:  # the error is then about the user's own operators
        return exported
    return exported if unsupported(simpler.graph) else simpler


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _refuse_unsupported(program: Program) -> None:
    """One error that lists every operator that is not supported."""
    found = unsupported(program.graph)
    if found:
        shown = ", ".join(found[:50]) + (f" and {len(found) - 50} more" if len(found) > 50 else "")
        raise OctavoError(
            "model",
            f"{len(found)} operator calls are not supported: {shown}",
            "Replace them by supported operators (docs/operators.md lists them) or cut the model before them.",
        )


def read_program(program: Program, name: str) -> Graph:
    """The graph of an exported program."""
    _refuse_unsupported(program)
    builder = GraphBuilder(name)
    env: dict[Node, Any] = {}
    names: dict[Node, str] = {}
    windows = any(part in aten_name(node) for node in program.graph.nodes for part in _WINDOWS)
    for node in program.graph.nodes:
        if node in program.inputs:
            env[node] = _input(builder, program.inputs[node], windows)
        elif node in program.parameters:
            names[node] = program.parameters[node].name
            env[node] = program.parameters[node].tensor
        elif node.op == "call_function":
            try:
                env[node] = _convert(builder, node, env, names)
            except _MALFORMED as error:
                where = f"{module_path(node) or node.name} ({node.target})"
                raise OctavoError(where, _brief(error), "Check or restructure this operator.") from error
    return builder.finish(_outputs(builder, env, program))


def _input(builder: GraphBuilder, type: InputType, windows: bool) -> Value:
    """Declare an input: images and signals channels last, followed by a transpose back."""
    where, shown = f"input {type.name}", ["?" if d is None else d for d in type.shape]
    if not type.is_float:
        raise OctavoError(where, "is not a float tensor", "Give float tensors only.")
    if not 1 <= len(type.shape) <= 5 or type.shape[0] not in (None, 1):
        raise OctavoError(where, f"has the shape {shown}", "Export with a batch of 1 (or a dynamic one) on axis 0.")
    for axis, size in enumerate(type.shape[1:], start=1):
        if not size:
            raise OctavoError(where, f"has a dynamic axis {axis}", f"Export with a fixed size for axis {axis}.")
    shape = tuple(size or 1 for size in type.shape)
    rank = len(shape)
    if rank != 4 and not (rank == 3 and windows):
        return Value(builder.input(type.name, TensorType(shape)))
    perm = channels_last(rank)
    name = builder.input(type.name, TensorType(tuple(shape[a] for a in perm)))
    builder.layout(name, perm)
    return Value(builder.add(Transpose(channels_first(rank)), [name], f"{name}.nchw", where))


def _outputs(builder: GraphBuilder, env: Mapping[Node, Any], program: Program) -> list[str]:
    outputs: list[str] = []
    inputs = {env[node].name for node in program.inputs}
    for item in program.outputs:
        value = env.get(item) if isinstance(item, Node) else None
        if isinstance(value, Value) and value.expanded:
            raise OctavoError(f"output {item}", "is an expanded tensor", "Return it before it is expanded.")
        if not isinstance(value, Value):
            raise OctavoError(f"output {item}", "does not depend on the input", "Remove this output from the model.")
        name = value.name
        if name in outputs or name in inputs:
            name = builder.add(Identity(), [name], f"{name}.copy", "output")
        outputs.append(name)
    if not outputs:
        raise OctavoError("model", "has no output", "Return at least one tensor from forward().")
    return outputs


def _convert(builder: GraphBuilder, node: Node, env: Mapping[Node, Any], names: dict[Node, str]) -> Any:
    args: Any = map_arg(node.args, lambda n: env[n])
    kwargs: Any = map_arg(node.kwargs, lambda n: env[n])
    target: Any = node.target
    if target in PLAIN.values():
        return _plain(node, args)
    name = aten_name(node)
    if is_check(name):
        return None
    schema = target._schema.arguments
    arguments: dict[str, Any] = {a.name: (a.default_value if a.has_default_value() else None) for a in schema}
    arguments |= dict(zip((a.name for a in schema), args, strict=False)) | kwargs
    if name == "sym_size":
        source = arguments["self"]
        shape = builder.type(source.name).shape if isinstance(source, Value) else source.shape
        return int(shape[int(arguments["dim"])])
    raw = dict(zip((a.name for a in schema), node.args, strict=False)) | dict(node.kwargs)
    known = {k: names[v] for k, v in raw.items() if isinstance(v, Node) and v in names}
    call = Call(builder, node.name, module_path(node), str(target), arguments, known)
    flat = [v for a in arguments.values() for v in (a if isinstance(a, list | tuple) else [a])]
    if not any(isinstance(v, Value) for v in flat):
        if len(known) == 1:
            names[node] = next(iter(known.values()))
        return _fold(call, name, node, args, kwargs)
    if name not in CONVERTERS:
        raise call.refuse("is supported on constants only", "Replace it by a supported operator.")
    made = CONVERTERS[name](call)
    if isinstance(made, list):
        return [Value(v) for v in made]
    return made if isinstance(made, Value) else Value(made)


def _plain(node: Node, args: Any) -> Any:
    """Arithmetic on sizes, and one result of several."""
    target: Any = node.target
    if target is PLAIN["getitem"]:
        if not isinstance(args[0], Value):
            return args[0][args[1]]
        if args[1] != 0 and node.users:
            raise OctavoError(
                module_path(node) or node.name, "uses a second result of its operator", "Use the first only."
            )
        return args[0]
    if not all(isinstance(a, int) and abs(a) < _MAX_SIZE for a in args):
        raise ValueError("computes with something other than sizes")
    return target(*args)


def _fold(call: Call, name: str, node: Node, args: Any, kwargs: Any) -> Any:
    """The call on constants, by torch; its size is tried on the meta device first."""
    function: Any = node.target
    if any(part in name for part in _UNFOLDED):
        raise call.refuse("is applied to constants only", "Compute it before export and keep the result as a buffer.")

    def meta(v: Any) -> Any:
        return v.to("meta") if isinstance(v, torch.Tensor) else [meta(i) for i in v] if isinstance(v, list) else v

    with torch.no_grad():
        device = {"device": "meta"} if "device" in kwargs else {}
        shape = function(*[meta(a) for a in args], **{k: meta(v) for k, v in kwargs.items()} | device)
        for tensor in shape if isinstance(shape, list | tuple) else [shape]:
            if tensor.numel() > _MAX_FOLDED:
                raise ValueError("a constant is too large")
        return function(*args, **kwargs | ({"device": "cpu"} if device else {}))
