"""Trains a few steps as a user's own loop would, alone or as one of the processes of torchrun; writes what came out.

torchrun --nproc_per_node 2 distributed_steps.py FOLDER fold
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn

import octavo
from octavo.quant.mixed import Budget
from octavo.train import Trainable, trainable
from tests.networks.torch_networks import seeded
from tests.train.test_module import SAMPLE, Net, quantized

BATCH, STEPS = 16, 2


def main(folder: Path) -> None:
    """Steps on the same global batches, of which each process takes its part."""
    torch.set_num_threads(1)
    several = "WORLD_SIZE" in os.environ
    if several:
        distributed.init_process_group("gloo")
    rank, world = (distributed.get_rank(), distributed.get_world_size()) if several else (0, 1)
    samples = torch.randn(BATCH * STEPS, *SAMPLE, generator=torch.Generator().manual_seed(3))
    graph = octavo.load(seeded(Net, 0, SAMPLE), torch.zeros(1, *SAMPLE))
    start = quantized(graph, samples[:24], "int4")
    modules = {
        "fold": trainable(start),
        "keep": trainable(start, "keep"),
        "bits": trainable(start, learn_bits=Budget("bytes", 1000.0)),
    }
    for name, module in modules.items():
        arrays = trained(module, samples, rank, world)
        np.savez(folder / f"{name}_{world}_{rank}.npz", **arrays)
    if several:
        distributed.destroy_process_group()


def trained(module: Trainable, samples: torch.Tensor, rank: int, world: int) -> dict[str, np.ndarray]:
    """The parameters after some steps, of which bits learn in all but the last."""
    model = nn.parallel.DistributedDataParallel(module) if world > 1 else module
    optimizer = torch.optim.SGD(module.parameter_groups(0.02))
    for step, batch in enumerate(samples.split(BATCH)):
        if step == STEPS - 1:
            module.settle_bits()
        mine = batch.chunk(world)[rank]
        labels = (torch.arange(BATCH) % 4).chunk(world)[rank]
        loss = nn.functional.cross_entropy(model(mine), labels) + module.size_penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
