"""Work on many files, several at a time; one failure does not stop the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from ..system.errors import InputError

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 8  # failures in a row: then it is the network or the server, not a file
SHOWN = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


class StoppedError(Exception):
    """This work was told to stop, or not to begin."""


def for_each(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    workers: int,
    stop: threading.Event | None = None,
) -> list[Result]:
    """`work(item)` of every item, in the order of the items, `workers` at a time.

    InputErrors are collected: the others are still tried, up to `GIVE_UP_AFTER` failures in a
    row; one InputError then names the first. Any other exception, such as an interrupt, sets
    `stop`, which work that takes long should heed, and is raised once the running work has ended.
    """
    stop = stop or threading.Event()
    given_up = threading.Event()

    def attempt(item: Item) -> Result:
        if given_up.is_set() or stop.is_set():
            raise StoppedError
        return work(item)

    failures: list[InputError] = []
    in_a_row = not_tried = 0
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(attempt, item) for item in items]
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    in_a_row = 0
                elif isinstance(error, InputError):
                    log.error("%s", error)
                    failures.append(error)
                    in_a_row += 1
                    if in_a_row == GIVE_UP_AFTER:
                        given_up.set()
                elif isinstance(error, StoppedError):
                    not_tried += 1
                else:
                    raise error
        except BaseException:
            stop.set()
            raise
    if failures:
        raise _summary(failures, not_tried)
    return [future.result() for future in futures]


def _summary(failures: Sequence[InputError], not_tried: int) -> InputError:
    if len(failures) == 1 and not not_tried:
        return failures[0]
    shown = " | ".join(str(failure) for failure in failures[:SHOWN])
    return InputError(
        f"{len(failures)} files failed, {not_tried} were not tried; the first to fail: {shown}"
    )
