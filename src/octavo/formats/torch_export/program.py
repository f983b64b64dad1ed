"""What the reader needs of an exported program, whether torch has just made it or a file holds it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Graph, Node

from octavo.errors import OctavoError
from octavo.formats.torch_export.operators import CONVERTERS, FOLDED

__all__ = ["PLAIN", "InputType", "Parameter", "Program", "aten_name", "from_export", "is_check",
           "module_path", "unsupported"]  # fmt: skip

PLAIN: Mapping[str, Callable[..., Any]] = {
    name: getattr(operator, name)
    for name in ("getitem", "add", "sub", "mul", "floordiv", "eq", "ne", "ge", "gt", "le", "lt")
}
"""Arithmetic on sizes; the table bounds what a file can have called."""
_CHECKS = ("_assert", "sym_constrain")


@dataclass(frozen=True)
class InputType:
    """An input of the network, by its name in forward(); a dynamic axis is None."""

    name: str
    shape: tuple[int | None, ...]
    is_float: bool


@dataclass(frozen=True)
class Parameter:
    """A constant tensor with its name in the module."""

    name: str
    tensor: torch.Tensor


@dataclass(frozen=True)
class Program:
    """A graph of aten calls. ``graph`` is data only: no code is generated from it.

    Every placeholder is in ``inputs`` or in ``parameters``; ``outputs`` are what the user's forward() returns.
    """

    graph: Graph
    inputs: Mapping[Node, InputType]
    parameters: Mapping[Node, Parameter]
    outputs: tuple[Any, ...]


def aten_name(node: Node) -> str:
    """Name without overload and without the underscore of in-place forms; "" when it is not aten."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target.namespace != "aten":
        return ""
    return target._schema.name.removeprefix("aten::").removesuffix("_")


def module_path(node: Node) -> str:
    """The module that made the call, e.g. ``layer1.0.conv1``."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def is_check(name: str) -> bool:
    """Whether the operator only asserts something about sizes."""
    return name.startswith(_CHECKS)


def _known(node: Node) -> bool:
    name = aten_name(node)
    known = name in CONVERTERS or name in FOLDED or name == "sym_size" or is_check(name)
    return node.op == "call_function" and (known or node.target in PLAIN.values())


def unsupported(graph: Graph) -> list[str]:
    """Every call that is not supported, with the module that makes it."""
    calls = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
    return [f"{node.target} at {module_path(node) or 'the top module'}" for node in calls if not _known(node)]


def from_export(exported: ExportedProgram) -> Program:
    """The program that torch.export has made of a module."""
    signature = exported.graph_signature
    specs = {spec.arg.name: spec for spec in signature.input_specs}
    inputs: dict[Node, InputType] = {}
    parameters: dict[Node, Parameter] = {}
    outputs: tuple[Any, ...] = ()
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            if spec.kind is InputKind.USER_INPUT:
                inputs[node] = _input_type(node)
            else:
                parameters[node] = Parameter(str(spec.target), _tensor(exported, str(spec.target)))
        elif node.op == "output":
            pairs = zip(signature.output_specs, node.args[0], strict=True)
            outputs = tuple(item for spec, item in pairs if spec.kind is OutputKind.USER_OUTPUT)
    return Program(exported.graph, inputs, parameters, outputs)


def _input_type(node: Node) -> InputType:
    fake = node.meta.get("val")
    if not isinstance(fake, torch.Tensor):
        return InputType(node.name, (), False)
    shape = tuple(d if isinstance(d, int) else None for d in fake.shape)
    return InputType(node.name, shape, fake.is_floating_point())


def _tensor(exported: ExportedProgram, target: str) -> torch.Tensor:
    for source in (exported.state_dict, exported.constants):
        tensor = source.get(target)
        if isinstance(tensor, torch.Tensor):
            return tensor.detach().cpu()
    raise OctavoError(target, "is a constant that is not a tensor", "Keep only parameters and buffers in the module.")
