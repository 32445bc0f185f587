"""A check: what it measures, the limit that this has to keep, and the GPUs that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """What a check has measured, in words, and whether that keeps the limit."""

    value: str
    passed: bool


@dataclass(frozen=True)
class Check:
    """A check that measures in a folder of its own.

    limit: in words. gpus: so many at least. on_cpu: runs where there is no GPU too. hidden: runs
    with all GPUs hidden.
    """

    limit: str
    measure: Callable[[Path], Found]
    gpus: int = 1
    on_cpu: bool = False
    hidden: bool = False

    def waits(self, present: int) -> bool:
        """Whether this machine has too few GPUs for it."""
        return present < self.gpus and not self.hidden and (present > 0 or not self.on_cpu)


def at_most(value: float, limit: float) -> Found:
    """A difference, and whether it is small enough."""
    return Found(f"{value:.2g}", value <= limit)


def folder_in(folder: Path, name: str) -> Path:
    """A new folder."""
    (folder / name).mkdir()
    return folder / name
