"""Estimate of what a challenge will cost: jobs, GPU hours and disk, from what has been measured.

    python -m selma3d.monitor.estimate [CONFIG ...]

CONFIG: files that are laid over config/config.yaml, as `--configfile` takes them. A figure is taken
from finished jobs of the same kind (their benchmarks and sizes), else from the tables of the rule
`throughput`, else from `throughput` in the configuration; else it is unknown, and said to be. The
size of a model that was not trained yet is that of its network.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..challenge import Challenge
from ..challenge.config import read_config
from ..challenge.layout import of_encoder, of_model
from ..challenge.participants import encoders_of, models_of
from ..challenge.run import Run
from ..ranking import cost
from ..ranking.cost import measure_of
from ..system.errors import InputError
from ..system.tables import read_tsv
from .disk import Files, disk
from .job_progress import DONE
from .status import ROOT, Status

SAMPLED = 20  # finished jobs of a kind whose benchmarks are read
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kind:
    """Jobs that cost alike: of one stage, one method and one init (`-` where it has none)."""

    stage: str
    method: str
    init: str
    jobs: int
    to_do: int
    seconds: float | None  # a job
    gpus: int
    source: str

    @property
    def gpu_hours(self) -> float | None:
        """Of the jobs that are still to do."""
        if not self.to_do or not self.gpus:
            return 0.0
        return None if self.seconds is None else self.seconds * self.gpus * self.to_do / 3600


class Job(NamedTuple):
    """A job by its name; history: of a training, which knows the seconds of all its attempts."""

    name: str
    done: bool
    history: str | None = None


def _to_do(jobs: list[Job]) -> int:
    return sum(not job.done for job in jobs)


class Estimate:
    """What a configuration asks for, what of it is finished, and what the rest will cost."""

    def __init__(self, challenge: Challenge, results: Path) -> None:
        self._challenge = challenge
        self._status = Status(challenge, results)
        self._layout = self._status.layout
        self._gpus = challenge.config.resources.gpu
        self._training_gpus = challenge.config.resources.gpus_of_training
        self.kinds = [*self._trainings(), *self._predictions(), *self._others()]

    @property
    def jobs(self) -> int:
        """Jobs that are still to do, without those of figures, tables and the report."""
        return sum(kind.to_do for kind in self.kinds)

    def _trainings(self) -> list[Kind]:
        layout, exists = self._layout, self._status.exists
        encoders: dict[tuple[str, str], list[Job]] = {}
        for encoder in encoders_of(self._challenge):
            done, history = exists(layout.encoder(encoder)), layout.encoder_history(encoder)
            job = Job(of_encoder(encoder), done, history)
            encoders.setdefault((encoder.method, encoder.pretext), []).append(job)
        models: dict[tuple[str, str], list[Job]] = {}
        for model in models_of(self._challenge):
            method, _, run = model
            job = Job(of_model(*model), exists(layout.model(*model)), layout.model_history(*model))
            models.setdefault((method, run.init), []).append(job)
        return [
            self._training("pretrain", key, jobs, self._pretraining_steps(*key), key[1])
            for key, jobs in encoders.items()
        ] + [
            self._training("finetune", key, jobs, self._finetuning_steps(*key), "finetune")
            for key, jobs in models.items()
        ]

    def _training(
        self, stage: str, of: tuple[str, str], jobs: list[Job], steps: int, section: str
    ) -> Kind:
        seconds, source = self._measured(stage, jobs)
        if seconds is None:
            rate, source = self._steps_per_s(of[0], section)
            seconds = steps / rate if rate else None
        return Kind(stage, *of, len(jobs), _to_do(jobs), seconds, self._training_gpus, source)

    def _pretraining_steps(self, method: str, pretext: str) -> int:
        """0 for an encoder that comes from a pack."""
        pretexts = self._challenge.methods[method].recipe.pretexts
        return pretexts[pretext].steps if pretext in pretexts else 0

    def _finetuning_steps(self, method: str, init: str) -> int:
        recipe = self._challenge.methods[method].recipe.finetuning()
        longer = recipe.pretraining_steps if init == "scratch-long" else 0
        return (recipe.finetune.steps + longer) * len(recipe.finetune.learning_rates)

    def _predictions(self) -> list[Kind]:
        """One job a model of a recipe, one a structure of other methods."""
        jobs: dict[tuple[str, str, str], dict[str, bool]] = {}
        for method, target, run in models_of(self._challenge):
            done = all(
                self._status.exists(self._layout.prediction(method, each, target.run(run.model)))
                for each in target.segments
            )
            job = of_model(method, target, run)
            jobs.setdefault(("predict", method, run.init), {})[job] = done
        for entry in self._status.runs:
            if entry.method not in self._challenge.recipes:
                init = Run.parse(entry.name).init
                key = (entry.stage, entry.method, "-" if init == "default" else init)
                jobs.setdefault(key, {})[entry.job] = entry.progress.state == DONE
        return [
            self._prediction(*key, [Job(*each) for each in named.items()])
            for key, named in jobs.items()
        ]

    def _prediction(self, stage: str, method: str, init: str, jobs: list[Job]) -> Kind:
        seconds, source = self._measured(stage, jobs)
        method_uses = self._challenge.methods[method].about.capabilities.gpu
        gpus = self._gpus if stage != "foreign" and method_uses else 0  # True or optional
        return Kind(stage, method, init, len(jobs), _to_do(jobs), seconds, gpus, source)

    def _others(self) -> list[Kind]:
        """Jobs without a GPU: archives, conversions, splits, scores."""
        challenge, layout = self._challenge, self._layout
        data = [
            ("convert_volume", f"{name}/{row.sample}", layout.volume(name, row.sample))
            for name in challenge.structures
            for row in challenge.samples_of(name, "volume")
        ]
        data += [
            (stage, name, path(name))
            for stage, names, path in (
                ("convert_patches", challenge.structures_with_patches, layout.patches),
                ("convert_cases", challenge.structures_with_given_cases, layout.cases),
                ("draw_cases", challenge.structures_with_drawn_cases, layout.cases),
                ("split", challenge.structures_with_patches, layout.split),
            )
            for name in names
        ]
        data += [
            ("score", f"{method}/{structure}", layout.scores(method, structure))
            for method in challenge.methods
            for structure in challenge.structures_of(method)
        ]
        by_stage: dict[str, list[Job]] = {}
        for stage, job, path in data:
            by_stage.setdefault(stage, []).append(Job(job, self._status.exists(path)))
        return [
            Kind(stage, "-", "-", len(jobs), _to_do(jobs), seconds, 0, source)
            for stage, jobs in by_stage.items()
            for seconds, source in [self._measured(stage, jobs)]
        ]

    def _measured(self, stage: str, jobs: list[Job]) -> tuple[float | None, str]:
        """Mean seconds of finished jobs; None where no benchmark of one is left."""
        seconds = []
        for job in [job for job in jobs if job.done][:SAMPLED]:
            benchmark = Path(self._layout.benchmark(stage, job.name))
            if benchmark.exists():
                known = Path(job.history) if job.history and Path(job.history).exists() else None
                seconds.append(measure_of(cost.Job("", "", stage, 0, benchmark, known)).seconds)
        if not seconds:
            return None, UNKNOWN
        return sum(seconds) / len(seconds), f"measured on {len(seconds)} jobs"

    def _steps_per_s(self, method: str, section: str) -> tuple[float | None, str]:
        table = Path(self._layout.throughput(method, section))
        if table.exists():
            rows = read_tsv(table, "a table of throughput", ("advice", "steps_per_s"))
            return float(rows.loc[rows["advice"] == 1, "steps_per_s"].iloc[0]), "rule throughput"
        given = self._challenge.config.throughput.get(method, {}).get(section)
        return (given, "config: throughput") if given else (None, UNKNOWN)

    def disk(self) -> list[Files]:
        """The large kinds of file, and what is still to be written of them."""
        return disk(self._challenge, self._status)


def as_text(estimate: Estimate) -> str:
    """Tables of jobs and disk, and a line that says what is not known."""
    rows = [("stage", "method", "init", "jobs", "to do", "hours each", "GPU hours", "from")]
    rows += [
        (k.stage, k.method, k.init, k.jobs, k.to_do, _hours(k.seconds and k.seconds / 3600),
         _hours(k.gpu_hours), k.source)
        for k in estimate.kinds
    ]  # fmt: skip
    lines = _aligned(rows)
    known = [kind.gpu_hours for kind in estimate.kinds if kind.gpu_hours is not None]
    unknown = [kind for kind in estimate.kinds if kind.gpu_hours is None]
    lines += ["", f"jobs to do: {estimate.jobs}, and those of figures, tables and the report"]
    lines.append(f"GPU hours: {sum(known):.1f}{' known' if unknown else ''}")
    if unknown:
        jobs = sum(kind.to_do for kind in unknown)
        lines.append(f"GPU hours unknown of {jobs} jobs of {len(unknown)} kinds, marked above")
        lines.append("  (target `throughput` measures steps a second; or set `throughput`)")
    lines.append("disk:")
    for files in estimate.disk():
        told = UNKNOWN if files.size is None else f"{files.size / 1e9:.3g} GB, from {files.source}"
        lines.append(f"  {files.what}: {files.to_make} to make" + f", {told}" * bool(files.to_make))
    return "\n".join(lines)


def _hours(hours: float | None) -> str:
    return UNKNOWN if hours is None else f"{hours:.3g}"


def _aligned(rows: list[tuple[object, ...]]) -> list[str]:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the estimate; 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.monitor.estimate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", type=Path)
    given = parser.parse_args(arguments)
    try:
        config = read_config(ROOT, given.config)
        print(as_text(Estimate(Challenge(config, ROOT), Path(config.results))))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
