"""Several processes that train one network, as torchrun starts them: what each does alone, and what all do together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from octavo.errors import OctavoError
from octavo.ir.graph import Array

__all__ = ["average_gradients", "from_first", "is_first", "joined", "mean_of", "part_of", "several", "summed"]


def several() -> bool:
    """Whether this process trains together with others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_first() -> bool:
    """Whether this is the process that writes files and judges: alone, or of rank 0."""
    return not several() or distributed.get_rank() == 0


def part_of(batch: Array) -> Array:
    """The samples of a batch that are this process's; OctavoError where the batch cannot be shared out evenly."""
    if not several():
        return batch
    world = distributed.get_world_size()
    if len(batch) % world:
        raise OctavoError(
            f"batch {len(batch)}", f"cannot be shared by {world} processes", f"Use a multiple of {world}."
        )
    size = len(batch) // world
    first = distributed.get_rank() * size
    return batch[first : first + size]


@torch.no_grad()
def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give all processes the mean of their gradients, that of the whole batch."""
    if not several():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def from_first(value: float) -> float:
    """What the first process has, in all of them."""
    if not several():
        return value
    shared = _number(value)
    distributed.broadcast(shared, 0)
    return float(shared)


def mean_of(value: float) -> float:
    """The mean over all processes."""
    if not several():
        return value
    shared = _number(value)
    distributed.all_reduce(shared)
    return float(shared) / distributed.get_world_size()


def _number(value: float) -> torch.Tensor:
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    return torch.tensor([value], dtype=torch.float64, device=device)


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; ``device`` cuda takes one GPU each."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or several():
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def summed(x: torch.Tensor) -> torch.Tensor:
    """The sum over all processes, differentiable."""
    total: torch.Tensor = _AllReduced.apply(x)  # type: ignore[no-untyped-call]
    return total


class _AllReduced(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total
