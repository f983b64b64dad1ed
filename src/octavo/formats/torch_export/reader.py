"""Reads a torch module into a Graph by way of torch.export."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.fx.node import map_arg

from octavo.errors import OctavoError
from octavo.formats.torch_export.call import Call, Value, channels_first, channels_last
from octavo.formats.torch_export.operators import CONVERTERS, FOLDED
from octavo.ir.build import MAX_ELEMENTS, GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ops import Identity, Transpose

__all__ = ["read_program", "read_torch"]

_MALFORMED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_WINDOWS = ("conv", "pool", "upsample")
_CHECKS = ("_assert", "sym_constrain")
# Arithmetic on sizes; the list bounds what a file can have called.
_PLAIN = (
    operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv,
    operator.eq, operator.ne, operator.ge, operator.gt, operator.le, operator.lt,
)  # fmt: skip


def read_torch(module: torch.nn.Module, example_inputs: tuple[torch.Tensor, ...], name: str = "model") -> Graph:
    """The float graph of a module at inference, with a batch of 1. The module itself is not touched."""
    try:
        inputs = tuple(x.detach().cpu()[:1] for x in example_inputs)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(copy.deepcopy(module).cpu().eval(), inputs)
    except Exception as error:  # whatever the user's module raises
        raise OctavoError(
            name,
            f"torch.export failed: {_brief(error)}",
            "Check that the module runs on the example inputs; remove control flow that depends on data.",
        ) from error
    return read_program(program, name)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _operator(node: Node) -> str:
    """Name without overload and without the underscore of in-place forms; "" when it is not aten."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target.namespace != "aten":
        return ""
    return target._schema.name.removeprefix("aten::").removesuffix("_")


def _path(node: Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def _refuse_unsupported(program: ExportedProgram) -> None:
    """One error that lists every operator that is not supported."""
    found = []
    for node in program.graph.nodes:
        name = _operator(node)
        known = name in (*CONVERTERS, *FOLDED, "sym_size") or name.startswith(_CHECKS) or node.target in _PLAIN
        if node.op not in ("placeholder", "output") and not (node.op == "call_function" and known):
            found.append(f"{node.target} at {_path(node) or 'the top module'}")
    if found:
        shown = ", ".join(found[:50]) + (f" and {len(found) - 50} more" if len(found) > 50 else "")
        raise OctavoError(
            "model",
            f"{len(found)} operators are not supported: {shown}",
            "Replace them by supported operators (docs/operators.md lists them) or cut the model before them.",
        )


def read_program(program: ExportedProgram, name: str) -> Graph:
    """The graph of an exported program."""
    _refuse_unsupported(program)
    builder = GraphBuilder(name)
    env: dict[Node, Any] = {}
    names: dict[Node, str] = {}
    kinds = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    windows = any(part in _operator(node) for node in program.graph.nodes for part in _WINDOWS)
    outputs: list[str] = []
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = kinds[node.name]
            if spec.kind is InputKind.USER_INPUT:
                env[node] = _input(builder, node, windows)
            else:
                names[node] = str(spec.target)
                env[node] = _tensor(program, str(spec.target))
        elif node.op == "output":
            outputs = _outputs(builder, env, node)
        elif node.op == "call_function":
            env[node] = _convert(builder, node, env, names)
    return builder.finish(outputs)


def _tensor(program: ExportedProgram, target: str) -> torch.Tensor:
    for source in (program.state_dict, program.constants):
        tensor = source.get(target)
        if isinstance(tensor, torch.Tensor):
            return tensor.detach()
    raise OctavoError(target, "is a constant that is not a tensor", "Keep only parameters and buffers in the module.")


def _input(builder: GraphBuilder, node: Node, windows: bool) -> Value:
    """Declare an input: images and signals channels last, followed by a transpose back."""
    fake, where = node.meta.get("val"), f"input {node.name}"
    if not isinstance(fake, torch.Tensor) or not fake.is_floating_point():
        raise OctavoError(where, "is not a float tensor", "Give float tensors only.")
    shape = [d if isinstance(d, int) else 0 for d in fake.shape]
    if not 1 <= len(shape) <= 5 or shape[0] > 1:
        raise OctavoError(where, f"has the shape {list(fake.shape)}", "Export with a batch of 1 (or a dynamic one).")
    for axis, size in enumerate(shape[1:], start=1):
        if size < 1:
            raise OctavoError(where, f"has a dynamic axis {axis}", f"Export with a fixed size for axis {axis}.")
    shape[0] = 1
    rank = len(shape)
    if rank != 4 and not (rank == 3 and windows):
        return Value(builder.input(node.name, TensorType(tuple(shape))))
    perm = channels_last(rank)
    name = builder.input(node.name, TensorType(tuple(shape[a] for a in perm)))
    builder.layout(name, perm)
    return Value(builder.add(Transpose(channels_first(rank)), [name], f"{name}.nchw", where))


def _outputs(builder: GraphBuilder, env: Mapping[Node, Any], node: Node) -> list[str]:
    outputs: list[str] = []
    inputs = [v.name for n, v in env.items() if n.op == "placeholder" and isinstance(v, Value)]
    for item in node.args[0]:  # type: ignore[union-attr]
        value = env.get(item) if isinstance(item, Node) else None
        if not isinstance(value, Value):
            raise OctavoError(f"output {item}", "does not depend on the input", "Remove this output from the model.")
        name = value.name
        if name in outputs or name in inputs:
            name = builder.add(Identity(), [name], f"{name}.copy", "output")
        outputs.append(name)
    return outputs


def _convert(builder: GraphBuilder, node: Node, env: Mapping[Node, Any], names: dict[Node, str]) -> Any:
    args: Any = map_arg(node.args, lambda n: env[n])
    kwargs: Any = map_arg(node.kwargs, lambda n: env[n])
    target: Any = node.target
    if target is operator.getitem and isinstance(args[0], Value):
        if args[1] != 0 and node.users:
            raise OctavoError(_path(node) or node.name, "uses a second result of its operator", "Use the first only.")
        return args[0]
    name = _operator(node)
    if target in _PLAIN:
        return target(*args)
    if name.startswith(_CHECKS):
        return None
    if name == "sym_size":
        shape = builder.type(args[0].name).shape if isinstance(args[0], Value) else args[0].shape
        return int(shape[int(args[1])])
    schema = target._schema.arguments
    arguments = {a.name: (a.default_value if a.has_default_value() else None) for a in schema}
    arguments |= dict(zip((a.name for a in schema), args, strict=False)) | kwargs
    raw = dict(zip((a.name for a in schema), node.args, strict=False)) | dict(node.kwargs)
    known = {k: names[v] for k, v in raw.items() if isinstance(v, Node) and v in names}
    call = Call(builder, node.name, _path(node), str(node.target), arguments, known)
    try:
        flat = [v for a in arguments.values() for v in (a if isinstance(a, list | tuple) else [a])]
        if not any(isinstance(v, Value) for v in flat):
            if len(known) == 1:
                names[node] = next(iter(known.values()))
            return _fold(node, args, kwargs)
        if name not in CONVERTERS:
            raise call.refuse("is supported on constants only", "Replace it by a supported operator.")
        made = CONVERTERS[name](call)
    except _MALFORMED as error:
        raise OctavoError(call.where, _brief(error), "Check or restructure this operator.") from error
    return [Value(v) for v in made] if isinstance(made, list) else Value(made)


def _fold(node: Node, args: Any, kwargs: Any) -> Any:
    """The call on constants, by torch; its size is tried on the meta device first."""
    function: Any = node.target

    def meta(v: Any) -> Any:
        return v.to("meta") if isinstance(v, torch.Tensor) else [meta(i) for i in v] if isinstance(v, list) else v

    with torch.no_grad():
        device = {"device": "meta"} if "device" in kwargs else {}
        shape = function(*[meta(a) for a in args], **{k: meta(v) for k, v in kwargs.items()} | device)
        for tensor in shape if isinstance(shape, list | tuple) else [shape]:
            if tensor.numel() > MAX_ELEMENTS:
                raise ValueError("a constant is too large")
        return function(*args, **kwargs)
