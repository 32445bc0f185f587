"""Tensors that the processes of one training share: the loss is that of the whole batch.

Only while training: when a task is evaluated, one process may do so alone.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from ..distributed import rank, world


def gathered(own: Tensor) -> Tensor:
    """Put the rows (N,D) of all processes under each other, in the order of their ranks."""
    before, behind = rank() * len(own), (world() - 1 - rank()) * len(own)
    return summed(F.pad(own, (0, 0, before, behind)))


def summed(own: Tensor) -> Tensor:
    """Add up the tensors of all processes."""
    return own if world() == 1 else _Summed.apply(own)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


class BatchStandardised(nn.Module):
    """Batch normalisation of vectors (…,D) over all processes, always by the present batch.

    It removes what all descriptions have in common, which is most of them and hides how they
    differ. torch's own synchronised version needs GPUs. In evaluation, the batch of this process.
    """

    def forward(self, vectors: Tensor) -> Tensor:
        with torch.autocast(vectors.device.type, enabled=False):
            rows = vectors.float().flatten(0, -2)
            moments = torch.cat([rows.sum(dim=0), rows.new_full((1,), len(rows))])
            total = self._over_processes(moments)
            centred = rows - total[:-1] / total[-1]
            variance = self._over_processes(centred.square().sum(dim=0)) / total[-1]
            return (centred / (variance + 1e-5).sqrt()).view(vectors.shape)

    def _over_processes(self, own: Tensor) -> Tensor:
        return summed(own) if self.training else own
