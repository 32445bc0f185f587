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

import pandas as pd

from ..challenge import Challenge
from ..challenge.config import read_config
from ..challenge.participants import models_of
from ..challenge.run import Run
from ..ranking.cost import Job, measure_of
from ..system.errors import InputError
from .disk import Files, disk
from .progress import DONE
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


class Estimate:
    """What a configuration asks for, what of it is finished, and what the rest will cost."""

    def __init__(self, challenge: Challenge, results: Path) -> None:
        self._challenge, self._results = challenge, results
        self._status = Status(challenge, results)
        self._gpus = challenge.config.resources.gpu
        self.kinds = [*self._trainings(), *self._predictions(), *self._others()]

    @property
    def jobs(self) -> int:
        """Jobs that are still to do, without those of figures, tables and the report."""
        return sum(kind.to_do for kind in self.kinds)

    def _trainings(self) -> list[Kind]:
        encoders: dict[tuple[str, str], list[tuple[str, bool]]] = {}
        for entry in self._status.encoders:
            pretext = entry.name.rpartition("-s")[0]
            job = f"{entry.method}/{entry.of}/{entry.name}"
            done = entry.progress.state == DONE
            encoders.setdefault((entry.method, pretext), []).append((job, done))
        models: dict[tuple[str, str], list[tuple[str, bool]]] = {}
        for method, target, run in models_of(self._challenge):
            job = f"{method}/{target.name}/{run.model}"
            done = self._status.exists(f"models/{job}.pt")
            models.setdefault((method, run.init), []).append((job, done))
        return [
            self._training("pretrain", *key, jobs, self._pretraining_steps(*key), key[1])
            for key, jobs in encoders.items()
        ] + [
            self._training("finetune", *key, jobs, self._finetuning_steps(*key), "finetune")
            for key, jobs in models.items()
        ]

    def _training(
        self,
        stage: str,
        method: str,
        init: str,
        jobs: list[tuple[str, bool]],
        steps: int,
        section: str,
    ) -> Kind:
        finished = [job for job, done in jobs if done]
        histories = "encoders" if stage == "pretrain" else "models"
        seconds, source = self._measured(stage, finished, histories)
        if seconds is None:
            rate, source = self._steps_per_s(method, section)
            seconds = steps / rate if rate else None
        to_do = len(jobs) - len(finished)
        return Kind(stage, method, init, len(jobs), to_do, seconds, self._gpus, source)

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
            job = f"{method}/{target.name}/{run.model}"
            done = all(
                self._status.exists(f"predictions/{method}/{structure}/{target.run(run.model)}.h5")
                for structure in target.segments
            )
            jobs.setdefault(("predict", method, run.init), {})[job] = done
        for entry in self._status.runs:
            if entry.method not in self._challenge.recipes:
                init = Run.parse(entry.name).init
                key = (entry.stage, entry.method, "-" if init == "default" else init)
                of = entry.of if init == "default" else f"{entry.of}/{entry.name}"
                job = f"{entry.method}/{of}" if entry.stage == "foreign" else of
                jobs.setdefault(key, {})[job] = entry.progress.state == DONE
        return [self._prediction(*key, named) for key, named in jobs.items()]

    def _prediction(self, stage: str, method: str, init: str, named: dict[str, bool]) -> Kind:
        finished = [job for job, done in named.items() if done]
        seconds, source = self._measured(stage, finished)
        method_uses = self._challenge.methods[method].about.capabilities.gpu
        uses_gpu = stage != "foreign" and method_uses
        gpus = self._gpus if uses_gpu else 0
        to_do = len(named) - len(finished)
        return Kind(stage, method, init, len(named), to_do, seconds, gpus, source)

    def _others(self) -> list[Kind]:
        """Jobs without a GPU: archives, conversions, splits, scores."""
        challenge, exists = self._challenge, self._status.exists
        data = [
            (f"data/{name}/volumes/{row.sample}.h5", "convert_volume", f"{name}/{row.sample}")
            for name in challenge.structures
            for row in challenge.samples_of(name, "volume")
        ]
        for names, kind in (
            (challenge.structures_with_patches, "patches"),
            (challenge.structures_with_given_cases, "cases"),
        ):
            data += [(f"data/{name}/{kind}.h5", f"convert_{kind}", name) for name in names]
        data += [
            (f"data/{name}/cases.h5", "draw_cases", name)
            for name in challenge.structures_with_drawn_cases
        ]
        data += [
            (f"splits/{name}.tsv", "split", name) for name in challenge.structures_with_patches
        ]
        data += [
            (f"scores/{method}/{structure}.tsv", "score", f"{method}/{structure}")
            for method in challenge.methods
            for structure in challenge.structures_of(method)
        ]
        by_stage: dict[str, list[tuple[str, bool]]] = {}
        for path, stage, job in data:
            by_stage.setdefault(stage, []).append((job, exists(path)))
        kinds = []
        for stage, jobs in by_stage.items():
            finished = [job for job, done in jobs if done]
            seconds, source = self._measured(stage, finished)
            to_do = len(jobs) - len(finished)
            kinds.append(Kind(stage, "-", "-", len(jobs), to_do, seconds, 0, source))
        return kinds

    def _measured(
        self, stage: str, finished: list[str], histories: str | None = None
    ) -> tuple[float | None, str]:
        """Mean seconds of finished jobs; None where no benchmark of one is left."""
        seconds = []
        for job in finished[:SAMPLED]:
            benchmark = self._results / "benchmarks" / stage / f"{job}.tsv"
            history = self._results / histories / f"{job}.tsv" if histories else None
            if benchmark.exists():
                known = history if history and history.exists() else None
                seconds.append(measure_of(Job("", "", stage, 0, benchmark, known)).seconds)
        if not seconds:
            return None, UNKNOWN
        return sum(seconds) / len(seconds), f"measured on {len(seconds)} jobs"

    def _steps_per_s(self, method: str, section: str) -> tuple[float | None, str]:
        table = self._results / "throughput" / method / f"{section}.tsv"
        if table.exists():
            rows = pd.read_csv(table, sep="\t")
            return float(rows.loc[rows["advice"] == 1, "steps_per_s"].iloc[0]), "rule throughput"
        given = self._challenge.config.throughput.get(method, {}).get(section)
        return (given, "config: throughput") if given else (None, UNKNOWN)

    def disk(self) -> list[Files]:
        """The large kinds of file, and what is still to be written of them."""
        return disk(self._challenge, self._results, self._status)


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
