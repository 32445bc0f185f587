"""Batches, read ahead of the loop that learns from them."""

from __future__ import annotations

import logging
import queue
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from ...challenge.recipe import Optimisation
from ...system.errors import InputError
from ...system.stop import SIGNALS
from ..device import Compute
from ..distributed import rank, world
from ..packed import Packed
from ..sampling import Sampler, collate
from ..task import Batch, Drawn

READY = 3  # batches ahead
WAITING = 2  # batches of a worker that wait to be taken; the loader's own number
SHARED = Path("/dev/shm")  # where processes hand tensors over

log = logging.getLogger(__name__)

Draw = Callable[[Sequence[int]], Drawn]  # what is random in what is done to samples


def drawn_batch(sampler: Sampler, draw: Draw, indices: Sequence[int]) -> Batch:
    """Raw samples, and all that is drawn for them."""
    return collate(sampler, indices) | draw(indices)


class _Steps(Dataset):
    """Item `step` is this process's share of the step's global batch, in parts, each packed."""

    def __init__(self, sampler: Sampler, draw: Draw, settings: Optimisation) -> None:
        self._sampler, self._draw, self._settings = sampler, draw, settings
        self._rank, self._world = rank(), world()

    def __getitem__(self, step: int) -> list[Packed]:
        size, parts = self._settings.batch, self._settings.accumulate
        own = range(step * size + self._rank, (step + 1) * size, self._world)
        each = len(own) // parts
        return [
            Packed.of(drawn_batch(self._sampler, self._draw, own[each * part : each * (part + 1)]))
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
        if workers:
            sampler.keep()
            sample = sampler.sample(start * settings.batch)
            workers = _with_room(workers, sum(array.nbytes for array in sample.values()), settings)
        self._loader = DataLoader(
            _Steps(sampler, draw, settings),
            sampler=range(start, settings.steps),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=WAITING if workers else None,
            multiprocessing_context="fork" if workers else None,
            worker_init_fn=_begin_worker,
            collate_fn=lambda parts: parts,  # as they are
        )
        self._ready: queue.Queue[list[Batch] | BaseException | None] = queue.Queue(READY)
        self._left = threading.Event()

    def __enter__(self) -> Iterator[list[Batch]]:
        source = iter(self._loader)
        self._thread = threading.Thread(target=self._fill, args=(source,), daemon=True)
        self._thread.start()
        return self._take()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _fill(self, source: Iterator[list[Packed]]) -> None:
        try:
            for parts in source:
                if not self._offer([self._compute.move(part.batch()) for part in parts]):
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


def _with_room(workers: int, sample_bytes: int, settings: Optimisation) -> int:
    """As many of these workers as the memory that they hand batches over in has room for.

    On a machine that is half of its memory; in a container it may be 64 MB, and a worker that finds
    no room ends with a bus error.
    """
    if not SHARED.is_dir():
        return workers
    each = WAITING * sample_bytes * settings.batch // world()
    free = shutil.disk_usage(SHARED).free
    fitting = min(workers, free // (each * world()))
    if fitting < workers:
        log.warning(
            "workers: %d instead of %d: %s has %d MB free, and each takes %d MB (of a container: "
            "docker --shm-size)",
            *(fitting, workers, SHARED, free >> 20, each >> 20),
        )
    return fitting


def _begin_worker(number: int) -> None:
    """Leave the stop signals, which reach every process of a job, to the trainer."""
    for stop in SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    torch.set_num_threads(1)
