"""Outlook of a challenge: long jobs that are done and to come, GPU hours, and the time left.

From the states that jobs leave beside their logs. A job that has not begun is expected to take as
long as the finished ones of its stage; where none has finished, as all finished ones on average.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..challenge.layout import of_model
from ..challenge.participants import ensembles_of, models_of
from ..system.job_state import JobState, file_of
from .job_progress import DONE, RUNNING, Progress, duration, progress_of

if TYPE_CHECKING:
    from .status import Status


@dataclass(frozen=True)
class Stage:
    """Jobs of one kind.

    seconds: that each finished job took. left: seconds that each running job still expects, None
    where it does not say. queued: seconds that finished jobs waited for their start, where SLURM
    told.
    """

    name: str
    gpus: int
    done: int = 0
    to_begin: int = 0
    seconds: tuple[float, ...] = ()
    left: tuple[float | None, ...] = ()
    queued: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        """Seconds of a job; None where none has ended."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else None

    @property
    def is_guessed(self) -> bool:
        """Whether jobs of it are to come and none has ended that would tell how long they take."""
        return self.mean is None and bool(self.to_begin or None in self.left)

    def to_come(self, average: float) -> float:
        """Seconds of the jobs that run or have not begun; average: of a job of any stage."""
        mean = average if self.mean is None else self.mean
        known = sum(left for left in self.left if left is not None)
        half = mean / 2  # a running job that does not say is taken to be half done
        return known + mean * self.to_begin + half * self.left.count(None)


@dataclass(frozen=True)
class Outlook:
    """All stages of a challenge that may take long."""

    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, status: Status) -> Outlook:
        """The outlook at this moment, from one small file for each finished job."""
        resources = status.challenge.config.resources
        gpus = {"pretrain": resources.gpus_of_training, "finetune": resources.gpus_of_training}
        jobs: dict[str, list[tuple[Progress, Path]]] = {}
        for stage, progress, log in _jobs(status):
            jobs.setdefault(stage, []).append((progress, log))
        return cls(tuple(
            _stage(name, gpus.get(name, resources.gpu if name == "predict" else 0), those)
            for name, those in jobs.items()
        ))  # fmt: skip

    @property
    def text(self) -> list[str]:
        """What is done, what is left, and how long jobs waited in a queue, a line each."""
        done = sum(stage.done for stage in self.stages)
        working = sum(len(stage.left) for stage in self.stages)
        total = done + working + sum(stage.to_begin for stage in self.stages)
        told = f"{done} of {total} long jobs are done, {working} at work"
        seconds = [each for stage in self.stages for each in stage.seconds]
        if done == total:
            return [told + self._gpu_hours(None), *self._queue]
        if not seconds:
            return [told, "time left: unknown until a job has ended"]
        average = sum(seconds) / len(seconds)
        to_come = sum(stage.to_come(average) for stage in self.stages)
        told += f": {sum(seconds) / (sum(seconds) + to_come):.0%} of the work"
        beside = f"with {working} at a time as now" if working else "one job after the other"
        left = f"time left: about {duration(to_come / max(working, 1))}, {beside}"
        guessed = ", ".join(stage.name for stage in self.stages if stage.is_guessed)
        left += f" (guessed for {guessed}, of which none has ended)" if guessed else ""
        return [told + self._gpu_hours(average), left, *self._queue]

    @property
    def _queue(self) -> list[str]:
        queued = [each for stage in self.stages for each in stage.queued]
        if not queued:
            return []
        mean, longest = duration(sum(queued) / len(queued)), duration(max(queued))
        return [f"in SLURM's queue: {mean} on average, {longest} at most ({len(queued)} jobs)"]

    def _gpu_hours(self, average: float | None) -> str:
        if not any(stage.gpus for stage in self.stages):
            return ""
        used = sum(sum(stage.seconds) * stage.gpus for stage in self.stages) / 3600
        if average is None:
            return f"; GPU hours: {used:.1f} used"
        ahead = sum(stage.to_come(average) * stage.gpus for stage in self.stages) / 3600
        return f"; GPU hours: {used:.1f} used, about {ahead:.1f} to come"


def _jobs(status: Status) -> Iterator[tuple[str, Progress, Path]]:
    """Stage, progress and log of every encoder, model, prediction, and run of another method."""
    layout = status.layout
    for entry in status.encoders:
        yield "pretrain", entry.progress, entry.log
    for method, target, run in (*models_of(status.challenge), *ensembles_of(status.challenge)):
        name = of_model(method, target, run)
        made = {} if run.is_ensemble else {"finetune": [layout.model(method, target, run)]}
        made["predict"] = [layout.prediction(method, each, run) for each in target.segments]
        for stage, files in made.items():
            log = Path(layout.log(stage, name))
            done = all(map(status.exists, files))
            yield stage, Progress(DONE) if done else progress_of(log), log
    for entry in status.runs:
        if entry.method not in status.challenge.recipes:
            yield entry.stage, entry.progress, entry.log


def _stage(name: str, gpus: int, jobs: list[tuple[Progress, Path]]) -> Stage:
    states = [progress.state for progress, _ in jobs]
    taken, queued = [], []
    for log in (log for progress, log in jobs if progress.state == DONE):
        path = file_of(log)
        if (state := JobState.read(path)) is None:
            continue
        taken.append(max(path.stat().st_mtime - state.started, 0.0))  # of its last attempt
        if state.queued_s is not None:
            queued.append(state.queued_s)
    return Stage(
        name,
        gpus,
        done=states.count(DONE),
        to_begin=len(states) - states.count(DONE) - states.count(RUNNING),
        seconds=tuple(taken),
        left=tuple(each.seconds_left for each, _ in jobs if each.state == RUNNING),
        queued=tuple(queued),
    )
