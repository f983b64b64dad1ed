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
from octavo.ir.plan import Quantized
from octavo.train import trainable
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
    for batch_norm in ("fold", "keep"):
        arrays = trained(start, samples, batch_norm, rank, world)
        np.savez(folder / f"{batch_norm}_{world}_{rank}.npz", **arrays)
    if several:
        distributed.destroy_process_group()


def trained(start: Quantized, samples: torch.Tensor, batch_norm: str, rank: int, world: int) -> dict[str, np.ndarray]:
    """The parameters after some steps."""
    module = trainable(start, batch_norm)
    model = nn.parallel.DistributedDataParallel(module) if world > 1 else module
    optimizer = torch.optim.SGD(module.parameter_groups(0.02))
    for batch in samples.split(BATCH):
        mine = batch.chunk(world)[rank]
        labels = (torch.arange(BATCH) % 4).chunk(world)[rank]
        loss = nn.functional.cross_entropy(model(mine), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
