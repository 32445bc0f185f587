"""Batches, read ahead of the loop that learns from them."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import torch
from torch.utils.data import DataLoader, Dataset

from ...challenge.recipe import Optimisation
from ...system.errors import InputError
from ...system.stop import SIGNALS
from ..device import Compute
from ..distributed import rank, world
from ..sampling import Sampler, collate
from ..task import Batch, Drawn

READY = 3  # batches ahead

Draw = Callable[[Sequence[int]], Drawn]  # what is random in what is done to samples


def drawn_batch(sampler: Sampler, draw: Draw, indices: Sequence[int]) -> Batch:
    """Raw samples, and all that is drawn for them."""
    return collate(sampler, indices) | draw(indices)


class _Steps(Dataset):
    """Item `step` is this process's share of the step's global batch, in parts."""

    def __init__(self, sampler: Sampler, draw: Draw, settings: Optimisation) -> None:
        self._sampler, self._draw, self._settings = sampler, draw, settings
        self._rank, self._world = rank(), world()

    def __getitem__(self, step: int) -> list[Batch]:
        size, parts = self._settings.batch, self._settings.accumulate
        own = range(step * size + self._rank, (step + 1) * size, self._world)
        each = len(own) // parts
        return [
            drawn_batch(self._sampler, self._draw, own[each * part : each * (part + 1)])
            for part in range(parts)
        ]


class Batches:
    """Iterate over this process's batches from step `start` on, read ahead, on the device.

    Each is a list of the parts that it is learnt from in, raw samples with their draws. A thread
    keeps READY batches on the device; with workers (the settings', else `workers`) it takes them
    from as many forked processes (never spawned ones: these would import a Snakemake script again).
    """

    def __init__(
        self,
        sampler: Sampler,
        settings: Optimisation,
        compute: Compute,
        *,
        draw: Draw = lambda indices: {},
        start: int = 0,
        workers: int = 0,
    ) -> None:
        workers = workers if settings.workers is None else settings.workers
        together = world() * settings.accumulate
        if settings.batch % together:
            raise InputError(
                f"batch: expected a multiple of processes × accumulate = {together}, "
                f"found {settings.batch}"
            )
        self._compute = compute
        self._loader = DataLoader(
            _Steps(sampler, draw, settings),
            sampler=range(start, settings.steps),
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
            worker_init_fn=_begin_worker,
        )
        self._ready: queue.Queue[list[Batch] | BaseException | None] = queue.Queue(READY)
        self._left = threading.Event()

    def __enter__(self) -> Iterator[list[Batch]]:
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
            for parts in source:
                if not self._offer([self._compute.move(part) for part in parts]):
                    return
            self._offer(None)
        except BaseException as error:
            self._offer(error)

    def _offer(self, item: list[Batch] | BaseException | None) -> bool:
        """Put an item into the queue unless the loop has left."""
        while not self._left.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _take(self) -> Iterator[list[Batch]]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def _begin_worker(number: int) -> None:
    """Leave the stop signals, which reach every process of a job, to the trainer."""
    for stop in SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    torch.set_num_threads(1)
