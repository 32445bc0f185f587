"""Assignments: a training's part of a recipe, its data, its outputs, and the job that does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ...challenge.encoder import Encoder
from ...challenge.recipe import FinetuningRecipe, PretrainingRecipe
from ...challenge.run import Run
from ...challenge.source import Source
from ...system.atomic import publish
from ..sampling import VolumeSource


@dataclass(frozen=True)
class Pretraining:
    """An encoder that is to be made, and the volumes that it learns from."""

    recipe: PretrainingRecipe
    encoder: Encoder
    volumes: tuple[VolumeSource, ...]


@dataclass(frozen=True)
class Finetuning:
    """A model that is to be made, and what it learns from.

    encoder: the file of the encoder that the run's init names; None for scratch. volumes: for a
    recipe with `collaboration`.
    """

    recipe: FinetuningRecipe
    method: str
    target: str
    run: Run
    sources: tuple[Source, ...]
    encoder: Path | None = None
    volumes: tuple[VolumeSource, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """The files that a training publishes at its end."""

    weights: Path
    history: Path


@dataclass(frozen=True)
class Job:
    """The limits of a job, and its folder, which survives a kill."""

    work: Path
    threads: int = 1  # of the CPU, of all its processes together
    time_budget_s: float | None = None  # None: as long as it takes
    processes: int = 1  # one a GPU


@dataclass(frozen=True)
class Assignment:
    """A training with its outputs and its job, as one process hands it to others."""

    training: Pretraining | Finetuning
    outputs: Outputs
    job: Job

    def write(self, path: Path) -> None:
        """Write the assignment as JSON."""
        with publish(path) as temporary:
            temporary.write_bytes(_JSON.dump_json(self))

    @classmethod
    def read(cls, path: Path) -> Assignment:
        """Read a written assignment."""
        return _JSON.validate_json(path.read_bytes())


_JSON = TypeAdapter(Assignment)
