"""Agreement between the processes of one training: shared batches, decisions and averages."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

# Gradients and sums are late by no more than a save takes: processes that wait longer hang, as GPUs
# of some machines do that can't reach each other's memory.
STUCK = timedelta(minutes=30)
WAIT = timedelta(hours=4)  # for decisions: the first process validates while the others wait
_deciding: dist.ProcessGroup | None = None


def join() -> None:
    """Join the process group that torch.distributed.run has announced."""
    global _deciding
    gpus = "cpu:gloo,cuda:nccl"
    dist.init_process_group(gpus if torch.cuda.is_available() else "gloo", timeout=STUCK)
    _deciding = dist.new_group(backend="gloo", timeout=WAIT)


def leave() -> None:
    """Leave the process group."""
    global _deciding
    dist.destroy_process_group()
    _deciding = None


def rank() -> int:
    """Number of this process, 0 for the first or only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Number of this process on its host, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def any_process(flag: bool) -> bool:
    """Whether the flag is raised in any process; all get the same answer, no GPU is waited for."""
    if world() == 1:
        return flag
    shared = torch.tensor([float(flag)])
    dist.all_reduce(shared, group=_deciding)
    return bool(shared.item() > 0)


def mean(values: Tensor) -> Tensor:
    """Mean of a tensor over the processes."""
    if world() == 1:
        return values
    shared = values.clone()
    dist.all_reduce(shared)
    return shared / world()


def from_first(content: object) -> object:
    """Hand the first process's content to all of them."""
    if world() == 1:
        return content
    box = [content]
    dist.broadcast_object_list(box, src=0, group=_deciding)
    return box[0]


class Losses(nn.Module):
    """A task as a module whose forward pass is its losses: what DDP averages gradients of."""

    def __init__(self, task: nn.Module) -> None:
        super().__init__()
        self.task = task

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.task.losses(batch)


def share_gradients(task: nn.Module) -> nn.Module:
    """Wrap a task so that a backward pass averages gradients over the processes.

    Every parameter that takes a gradient must get one: a task freezes what its loss leaves unused.
    """
    losses = Losses(task)
    if world() == 1:
        return losses
    # Without device_ids: given them, it copies what of a batch is kept on the CPU to the GPU, and
    # every step waits for it.
    return DistributedDataParallel(losses)


def unshared(losses: nn.Module) -> AbstractContextManager:
    """Backward passes in here keep their gradients for a later one that shares them."""
    if isinstance(losses, DistributedDataParallel):
        return losses.no_sync()
    return nullcontext()
