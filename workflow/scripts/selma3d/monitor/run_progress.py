"""Progress of a whole run: the share of its work that is done, and the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..system.job_state import JobState, file_of


@dataclass(frozen=True)
class Started:
    """A job at work. since: by the clock of the estimate; log: whose state tells its progress."""

    rule: str
    since: float
    log: Path | None

    def expected_s(self, now: float) -> float | None:
        """Seconds that the whole job will take, by its own progress; None where it tells none."""
        state = JobState.read(file_of(self.log)) if self.log else None
        if state is None or not state.step or not state.total:
            return None
        return max(now - self.since, 1e-3) * state.total / state.step


@dataclass
class RunProgress:
    """Jobs of a run by rule, and what each has taken or will take.

    A job that has not begun is expected to take as long as the others of its rule; where none has
    been seen, as long as a job of the run on average.
    """

    planned: Counter[str]
    began: float
    running: dict[int, Started] = field(default_factory=dict)
    taken: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, planned: Mapping[str, int], now: float) -> RunProgress:
        """planned: number of jobs by rule."""
        return cls(Counter(planned), now)

    @property
    def total(self) -> int:
        """Jobs of the run."""
        return self.planned.total()

    @property
    def done(self) -> int:
        """Jobs that have ended well."""
        return sum(map(len, self.taken.values()))

    def finish(self, job: int, now: float) -> None:
        """A job has ended well."""
        if started := self.running.pop(job, None):
            self.taken.setdefault(started.rule, []).append(now - started.since)

    def share_and_seconds_left(self, now: float) -> tuple[float, float | None]:
        """How much of the work is done, from 0 to 1, and seconds until its end, None if unknown."""
        if self.done == 0:
            return 0.0, None
        expected = {job: each.expected_s(now) for job, each in self.running.items()}
        seen = {rule: list(seconds) for rule, seconds in self.taken.items()}
        for job, seconds in expected.items():
            if seconds is not None:
                seen.setdefault(self.running[job].rule, []).append(seconds)
        means = {rule: sum(seconds) / len(seconds) for rule, seconds in seen.items()}
        average = sum(map(sum, seen.values())) / sum(map(len, seen.values()))
        spent = sum(map(sum, self.taken.values()))
        left = 0.0
        begun = Counter(each.rule for each in self.running.values())
        for rule, count in self.planned.items():
            waiting = count - len(self.taken.get(rule, ())) - begun[rule]
            left += max(waiting, 0) * means.get(rule, average)
        for job, each in self.running.items():
            elapsed = now - each.since
            spent += elapsed
            left += max((expected[job] or means.get(each.rule, average)) - elapsed, 0.0)
        side_by_side = spent / max(now - self.began, 1e-3)
        return spent / (spent + left), left / max(side_by_side, 1e-3)
