"""The program that an exported file describes in JSON (torch.export's schema 8), as plain data.

Nothing of torch's own deserializer takes part: that one evaluates shape expressions, imports modules by name and
generates code from the names in the file. Here a name is a key of a dictionary and an operator a row of a table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx import Graph, Node

from octavo.errors import OctavoError
from octavo.formats.torch_export.program import PLAIN, InputType, Parameter, Program

__all__ = ["DTYPES", "from_json"]

Json = Mapping[str, Any]

DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""Dtypes by the file's number."""
_ATEN = re.compile(r"torch\.ops\.aten\.(\w{1,80})\.(\w{1,80})", re.ASCII)
_PARAMETERS = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}


def from_json(content: Json, tensors: Mapping[str, torch.Tensor]) -> Program:
    """The program of ``models/*.json`` with its tensors by name; ValueError and its like when it is malformed."""
    if content["schema_version"]["major"] != 8:
        raise ValueError(f"its schema has version {content['schema_version']['major']}, not 8")
    module = content["graph_module"]
    described, signature = module["graph"], module["signature"]
    graph, nodes = Graph(), dict[str, Node]()
    inputs: dict[Node, InputType] = {}
    parameters: dict[Node, Parameter] = {}
    for spec in signature["input_specs"]:
        kind, fields = _only(spec)
        if kind == "user_input":
            name = _tensor_name(fields["arg"])
            inputs[_define(nodes, name, graph.placeholder(name))] = _input_type(name, described["tensor_values"][name])
        elif kind in _PARAMETERS:
            name, path = str(fields["arg"]["name"]), str(fields[_PARAMETERS[kind]])
            parameters[_define(nodes, name, graph.placeholder(name))] = Parameter(path, tensors[path])
        else:
            raise OctavoError(
                f"input {kind}", "is neither a tensor nor a parameter", "Keep only tensors in forward() and the module."
            )
    for call in described["nodes"]:
        _call(graph, nodes, call)
    pairs = zip(signature["output_specs"], described["outputs"], strict=True)
    outputs = tuple(_argument(nodes, item) for spec, item in pairs if "user_output" in spec)
    return Program(graph, inputs, parameters, outputs)


def _only(union: Json) -> tuple[str, Any]:
    """Kind and content of a union, an object with one entry."""
    ((kind, content),) = union.items()
    return kind, content


def _define(nodes: dict[str, Node], name: str, node: Node) -> Node:
    if name in nodes:
        raise ValueError(f"{name[:80]} is defined twice")
    nodes[name] = node
    return node


def _tensor_name(argument: Json) -> str:
    kind, content = _only(argument)
    if kind != "as_tensor":
        raise OctavoError("an input", f"is of the kind {kind[3:]}, not a tensor", "Give float tensors only.")
    return str(content["name"])


def _input_type(name: str, meta: Json) -> InputType:
    """A symbolic size is a dynamic axis, whatever its expression says."""
    sizes = (_only(size) for size in meta["sizes"])
    shape = tuple(int(value) if kind == "as_int" else None for kind, value in sizes)
    dtype = DTYPES.get(meta["dtype"])
    return InputType(name[:80], shape, dtype is not None and dtype.is_floating_point)


def _target(name: str) -> Any:
    """The operator of that name, or the name when there is none that a program may call."""
    if name.startswith("_operator."):
        return PLAIN.get(name.removeprefix("_operator."), name)
    found = _ATEN.fullmatch(name)
    packet = getattr(torch.ops.aten, found[1], None) if found else None
    overload = getattr(packet, found[2], None) if found else None
    return overload if isinstance(overload, torch._ops.OpOverload) else name


def _call(graph: Graph, nodes: dict[str, Node], call: Json) -> None:
    """Add a call and the names of its results."""
    target = _target(str(call["target"]))
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if callable(target):
        for item in call["inputs"]:
            value = _argument(nodes, item["arg"])
            if kwargs or item.get("kind") == 2:
                kwargs[str(item["name"])] = value
            else:
                args.append(value)
    node = graph.create_node("call_function" if callable(target) else "call_method", target, tuple(args), kwargs)
    node.meta["nn_module_stack"] = {"": (_path(call.get("metadata") or {}), "")}
    results = [name for output in call["outputs"] for name in _results(output)]
    single = len(call["outputs"]) == 1 and "as_tensors" not in call["outputs"][0]
    for index, name in enumerate(results):
        if name:
            part = node if single else graph.call_function(PLAIN["getitem"], (node, index))
            part.meta["nn_module_stack"] = node.meta["nn_module_stack"]
            _define(nodes, name, part)


def _results(output: Json) -> list[str]:
    kind, content = _only(output)
    if kind == "as_tensors":
        return [str(item["name"]) for item in content]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return [str(content["as_name"])]
    return [str(content["name"])] if kind == "as_tensor" else [""]


def _path(metadata: Json) -> str:
    """The innermost module: the last entry of "key,path,type;..."."""
    parts = str(metadata.get("nn_module_stack", "")).rsplit(";", 1)[-1].split(",")
    return parts[1][:200] if len(parts) > 2 else ""


def _argument(nodes: Mapping[str, Node], argument: Json) -> Any:
    kind, content = _only(argument)
    if kind not in _ARGUMENTS:
        raise ValueError(f"an argument of the kind {kind[:40]} is not supported")
    return _ARGUMENTS[kind](nodes, content)


def _reference(nodes: Mapping[str, Node], content: Json) -> Any:
    """A size by name, or a plain number."""
    kind, value = _only(content)
    return nodes[str(value)] if kind == "as_name" else _scalar(nodes, value)


def _optional(nodes: Mapping[str, Node], content: Json) -> Any:
    return _argument(nodes, content)


def _node(nodes: Mapping[str, Node], content: Json) -> Node:
    return nodes[str(content["name"])]


def _scalar(nodes: Mapping[str, Node], value: Any) -> int | float | str | bool:
    if not isinstance(value, int | float | str) or (isinstance(value, int) and abs(value) >= 2**63):
        raise ValueError("an argument is not a number or a word")
    return value


def _real(nodes: Mapping[str, Node], value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("an argument is NaN")
    return number


def _several(single: Callable[[Mapping[str, Node], Any], Any]) -> Callable[[Mapping[str, Node], Any], Any]:
    return lambda nodes, content: [single(nodes, item) for item in content]


_ARGUMENTS: Mapping[str, Callable[[Mapping[str, Node], Any], Any]] = {
    "as_none": lambda nodes, content: None,
    "as_tensor": _node,
    "as_tensors": _several(_node),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _several(_optional),
    **dict.fromkeys(("as_int", "as_bool", "as_string"), _scalar),
    **dict.fromkeys(("as_ints", "as_bools", "as_strings"), _several(_scalar)),
    "as_float": _real,
    "as_floats": _several(_real),
    **dict.fromkeys(("as_sym_int", "as_sym_bool", "as_sym_float"), _reference),
    **dict.fromkeys(("as_sym_ints", "as_sym_bools", "as_sym_floats"), _several(_reference)),
    "as_scalar_type": lambda nodes, content: DTYPES[content],
    "as_memory_format": lambda nodes, content: _FORMATS[content],
    "as_layout": lambda nodes, content: torch.strided,
    "as_device": lambda nodes, content: torch.device("cpu"),
}
"""Arguments by their kind in the file; the device is always the CPU."""
