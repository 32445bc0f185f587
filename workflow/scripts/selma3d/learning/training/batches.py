"""Batches, read ahead of the loop that learns from them."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from types import TracebackType

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...challenge.recipe import Optimisation
from ...system.errors import InputError
from ...system.stop import SIGNALS
from ..device import Compute
from ..distributed import rank, world
from ..sampling import Batch, Sampler, collate

READY = 3  # batches ahead


class _Steps(Dataset):
    """Item `step` is this process's part of the step's global batch."""

    def __init__(self, sampler: Sampler, batch: int, rank: int, world: int) -> None:
        self._sampler, self._batch, self._rank, self._world = sampler, batch, rank, world

    def __getitem__(self, step: int) -> Batch:
        first = step * self._batch
        return collate(self._sampler, range(first + self._rank, first + self._batch, self._world))


class Batches:
    """Iterate over this process's batches from step `start` on, read ahead, on the device.

    A thread keeps READY batches on the device; with `workers` it takes them from as many forked
    processes (never spawned ones: these would import a Snakemake script again).
    """

    def __init__(
        self,
        sampler: Sampler,
        settings: Optimisation,
        compute: Compute,
        *,
        start: int = 0,
    ) -> None:
        together = world() * settings.accumulate
        if settings.batch % together:
            raise InputError(
                f"batch: expected a multiple of processes × accumulate = {together}, "
                f"found {settings.batch}"
            )
        self._compute = compute
        self._loader = DataLoader(
            _Steps(sampler, settings.batch, rank(), world()),
            sampler=range(start, settings.steps),
            batch_size=None,
            num_workers=settings.workers,
            multiprocessing_context="fork" if settings.workers else None,
            worker_init_fn=_begin_worker,
        )
        self._ready: queue.Queue[Batch | BaseException | None] = queue.Queue(READY)
        self._left = threading.Event()

    def __enter__(self) -> Iterator[Batch]:
        source = iter(self._loader)
        self._thread = threading.Thread(target=self._fill, args=(source,), daemon=True)
        self._thread.start()
        return self._take()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join()

    def _fill(self, source: Iterator[Batch]) -> None:
        try:
            for batch in source:
                if not self._offer(self._compute.move(batch)):
                    return
            self._offer(None)
        except BaseException as error:
            self._offer(error)

    def _offer(self, item: dict[str, Tensor] | BaseException | None) -> bool:
        """Put an item into the queue unless the loop has left."""
        while not self._left.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _take(self) -> Iterator[Batch]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def _begin_worker(number: int) -> None:
    """Leave the stop signals, which reach every process of a job, to the trainer."""
    for stop in SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    torch.set_num_threads(1)
