"""Estimate of what a challenge will cost: jobs, GPU hours and disk, with ranges, before and after.

    python -m selma3d.monitor.estimate [CONFIG ...] [--gpu NAME]

CONFIG: files that are laid over config/config.yaml, as `--configfile` takes them. NAME: a row of
config/speeds.tsv; by default its first GPU, or its first CPU where `resources.gpu` is 0.

A figure is taken from finished jobs of the same kind (their benchmarks and sizes), else from the
tables of the rule `throughput`, else from `throughput` in the configuration. Else the operations of
the networks are counted and divided by an effective speed: that of the throughput tables there are,
or of config/speeds.tsv. The column `from` says which.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..challenge import Challenge
from ..challenge.config import read_config
from ..challenge.layout import of_encoder, of_model
from ..challenge.participants import encoders_of, ensembles_of, models_of
from ..challenge.recipe import Recipe
from ..challenge.run import WITHOUT_ENCODER, Run
from ..challenge.target import Target
from ..ranking import cost
from ..ranking.cost import measure_of
from ..system.errors import InputError
from ..system.tables import read_tsv
from . import peer_operations
from .disk import Files, disk
from .estimate_text import as_text
from .extents import Extent, Extents
from .job_progress import DONE
from .speeds import FILE, NOTHING, Span, Speed, around, chosen, read_speeds
from .status import ROOT, Status

SAMPLED = 20  # finished jobs of a kind whose benchmarks are read
VALIDATION_OVERLAP = 0.25
START = 6.0  # seconds until a job that imports torch computes
# CPU seconds of a job without a network: to start, and for a million voxels; of the jobs of the
# demo and of real images (docs/gpu.md).
WITHOUT_NETWORK = {
    "convert_volume": (1.3, 0.05),
    "convert_collection": (1.3, 0.05),
    "convert_patches": (0.8, 0.05),
    "convert_cases": (0.8, 0.05),
    "draw_cases": (0.8, 0.05),
    "split": (0.5, 0.0),
    "score": (1.0, 0.05),  # of boxes of 64³ to 200³: 0.02 for spots, 0.03 to 0.18 for vessels
}
OTHER = (1.5, 1.0)
# Of figures, tables, ranking and report together: of any challenge, and for a structure.
SHOWING = (20.0, 18.0)
SNAKEMAKE = 1.5  # seconds that Snakemake itself takes for a job
WIDE, NARROW = 3.0, 1.2  # factors of uncertainty: of an assumption, of a measured rate
SHORTEST_S = 60.0  # that a method which says nothing of itself takes on a GPU


@dataclass(frozen=True)
class Kind:
    """Jobs that cost alike: of one stage, one method and one init (`-` where it has none).

    seconds: of a job. operations: of a job, where its seconds follow from them, else None.
    """

    stage: str
    method: str
    init: str
    jobs: int
    to_do: int
    gpus: int
    seconds: Span
    source: str
    operations: float | None = None

    @property
    def hours(self) -> Span:
        """Of the jobs that are still to do, one after another."""
        return self.seconds.times(self.to_do / 3600)

    @property
    def gpu_hours(self) -> Span:
        """Of the jobs that are still to do."""
        return self.hours.times(self.gpus)


class Cost(NamedTuple):
    """Seconds of a job, who says so, and the operations that they follow from."""

    seconds: Span
    source: str
    operations: float | None = None


class NamedJob(NamedTuple):
    """A job by its name; history: of a training, which knows the seconds of all its attempts."""

    name: str
    done: bool
    history: str | None = None


def _to_do(jobs: list[NamedJob]) -> int:
    return sum(not job.done for job in jobs)


class Estimate:
    """What a configuration asks for, what of it is finished, and what the rest will cost.

    speeds: by name, as config/speeds.tsv has them. gpu: the name of one; None for the first.
    """

    def __init__(
        self, challenge: Challenge, results: Path, speeds: dict[str, Speed], gpu: str | None = None
    ) -> None:
        self._challenge = challenge
        self._status = Status(challenge, results)
        self._layout = self._status.layout
        self.extents = Extents(challenge, self._status)
        self._gpus = challenge.config.resources.gpu
        self._training_gpus = challenge.config.resources.gpus_of_training
        self._step_operations = cache(self._counted_step)
        self._window_operations = cache(self._counted_window)
        self.speeds = speeds
        self.speed = chosen(speeds, gpu, "gpu" if self._gpus else "cpu")
        self.speed = self._measured_speed() or self.speed
        self.kinds = [
            *self._trainings(), *self._predictions(), *self._segmentations(), *self._others()
        ]  # fmt: skip

    @property
    def jobs(self) -> int:
        """Jobs that are still to do, without those of figures, tables and the report."""
        return sum(kind.to_do for kind in self.kinds)

    def gpu_hours(self, speed: Speed | None = None) -> Span:
        """Of all jobs; speed: as if they ran on this one, as far as operations were counted."""
        return sum((self._hours(kind, speed).times(kind.gpus) for kind in self.kinds), NOTHING)

    def hours(self) -> Span:
        """Of all jobs, one after another, with what Snakemake takes for each."""
        jobs = sum((kind.hours for kind in self.kinds), NOTHING)
        return jobs + self.showing_hours() + around(SNAKEMAKE * self.jobs / 3600, WIDE)

    def showing_hours(self) -> Span:
        """Of figures, tables and the report, where that is not there."""
        if self._status.exists(self._layout.report):
            return NOTHING
        start, each = SHOWING
        return around((start + each * len(self._challenge.structures)) / 3600, WIDE)

    def _hours(self, kind: Kind, speed: Speed | None) -> Span:
        if speed is None or kind.operations is None:
            return kind.hours
        return self._seconds(kind.operations, speed, kind.gpus).times(kind.to_do / 3600)

    def _seconds(self, operations: float, speed: Speed, gpus: int = 1) -> Span:
        """Of a job with so many operations, its start included."""
        threads = self._challenge.config.resources.training_threads
        shared = speed.seconds(operations, threads).times(1 / max(1, gpus))
        return Span(START, START, START) + shared

    def _of_operations(self, operations: float, gpus: int = 1) -> Cost:
        source = f"counted, {self.speed.name} {self.speed.basis}"
        return Cost(self._seconds(operations, self.speed, gpus), source, operations)

    def _recipe(self, method: str) -> Recipe:
        return self._challenge.methods[method].recipe

    def _trainings(self) -> list[Kind]:
        layout, exists = self._layout, self._status.exists
        encoders: dict[tuple[str, str], list[NamedJob]] = {}
        for encoder in encoders_of(self._challenge):
            done, history = exists(layout.encoder(encoder)), layout.encoder_history(encoder)
            job = NamedJob(of_encoder(encoder), done, history)
            encoders.setdefault((encoder.method, encoder.pretext), []).append(job)
        models: dict[tuple[str, str], list[NamedJob]] = {}
        targets: dict[tuple[str, str], list[Target]] = {}
        for model in models_of(self._challenge):
            method, target, run = model
            job = NamedJob(
                of_model(*model), exists(layout.model(*model)), layout.model_history(*model)
            )
            models.setdefault((method, run.init), []).append(job)
            targets.setdefault((method, run.init), []).append(target)
        return [self._pretraining(*key, jobs) for key, jobs in encoders.items()] + [
            self._finetuning(*key, jobs, targets[key]) for key, jobs in models.items()
        ]

    def _pretraining(self, method: str, pretext: str, jobs: list[NamedJob]) -> Kind:
        pretexts = self._recipe(method).pretexts
        gpus = self._training_gpus
        if pretext in pretexts:
            steps = pretexts[pretext].steps
            found = self._measured("pretrain", jobs) or self._at_rate(method, pretext, steps)
            found = found or self._of_operations(
                steps * self._step_operations(method, pretext), gpus
            )
        else:  # comes from elsewhere
            found, gpus = Cost(around(START, WIDE), "assumed"), 0
        return Kind("pretrain", method, pretext, len(jobs), _to_do(jobs), gpus, *found)

    def _finetuning(
        self, method: str, init: str, jobs: list[NamedJob], targets: Sequence[Target]
    ) -> Kind:
        recipe = self._recipe(method).finetuning()
        longer = recipe.pretraining_steps if init == "scratch-long" else 0
        attempts = len(recipe.finetune.attempts(init not in WITHOUT_ENCODER))
        steps = (recipe.finetune.steps + longer) * attempts
        gpus = self._training_gpus
        found = self._measured("finetune", jobs) or self._at_rate(method, "finetune", steps)
        if found is None:
            once = statistics.fmean(self._validation_windows(method, each) for each in targets)
            validations = attempts * recipe.finetune.validations * once
            operations = steps * self._step_operations(method, "finetune")
            operations += validations * self._window_operations(method)
            found = self._of_operations(operations, gpus)
        return Kind("finetune", method, init, len(jobs), _to_do(jobs), gpus, *found)

    def _at_rate(self, method: str, section: str, steps: int) -> Cost | None:
        rate, source = self._steps_per_s(method, section)
        return None if rate is None else Cost(around(steps / rate, NARROW), source)

    def _counted_step(self, method: str, section: str) -> float:
        """Operations of a training step; MONAI is loaded where something has to be counted."""
        from ..learning import flops

        recipe = self._recipe(method)
        if section == "finetune":
            return flops.of_finetuning(recipe.finetuning())
        return flops.of_pretraining(recipe.pretraining(section))

    def _counted_window(self, method: str) -> float:
        from ..learning import flops

        recipe = self._recipe(method)
        return flops.of_window(recipe.network, _window(recipe))

    def _measured_speed(self) -> Speed | None:
        """The effective speed of the trainings that the rule `throughput` has timed."""
        found = []
        for method in self._challenge.recipes:
            for section in (*self._recipe(method).pretexts, "finetune"):
                if Path(self._layout.throughput(method, section)).exists():
                    rate, _ = self._steps_per_s(method, section)
                    found.append(rate * self._step_operations(method, section) / 1e12)
        if not found:
            return None
        threads = 1 if self._gpus else self._challenge.config.resources.training_threads
        each = [speed / threads for speed in found]
        span = Span(min(each) / NARROW, statistics.median(each), max(each) * NARROW)
        return Speed(self.speed.name, self.speed.kind, span, "measured")

    def _validation_windows(self, method: str, target: Target) -> float:
        """Windows of a validation; of a share of the patches, at least one a structure."""
        recipe, share = self._recipe(method), self._challenge.config.split.validation
        total = 0.0
        for structure in target.learns:
            for patches in self.extents.patches(structure):
                number = max(1, round(share * patches.number))
                total += number * _windows(recipe, patches.shape, VALIDATION_OVERLAP)
        return total

    def _predictions(self) -> list[Kind]:
        """One job a model or ensemble of a recipe, one a structure of other methods."""
        jobs: dict[tuple[str, str, str], dict[str, bool]] = {}
        shown: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
        for method, target, run in (*models_of(self._challenge), *ensembles_of(self._challenge)):
            done = all(
                self._status.exists(self._layout.prediction(method, each, target.run(run.model)))
                for each in target.segments
            )
            job = of_model(method, target, run)
            jobs.setdefault(("predict", method, run.init), {})[job] = done
            models = len(self._challenge.members(run)) if run.is_ensemble else 1
            shown.setdefault(("predict", method, run.init), []).append(target.segments * models)
        for entry in self._status.runs:
            if entry.method not in self._challenge.recipes:
                init = Run.parse(entry.name).init
                key = (entry.stage, entry.method, "-" if init == "default" else init)
                jobs.setdefault(key, {})[entry.job] = entry.progress.state == DONE
                shown.setdefault(key, []).append((entry.of,))
        return [
            self._prediction(*key, [NamedJob(*each) for each in named.items()], shown[key])
            for key, named in jobs.items()
        ]

    def _prediction(
        self, stage: str, method: str, init: str, jobs: list[NamedJob], shown: list[tuple[str, ...]]
    ) -> Kind:
        """shown: the structures whose cases each job segments."""
        method_uses = self._challenge.methods[method].about.capabilities.gpu
        gpus = self._gpus if stage != "foreign" and method_uses else 0  # True or optional
        found = self._measured(stage, jobs)
        if found is None and stage == "predict":
            flips = 8 if self._challenge.config.predict.flips else 1
            windows = statistics.fmean(self._case_windows(method, each) for each in shown)
            found = self._of_operations(flips * windows * self._window_operations(method))
        found = found or self._of_another(method, gpus, shown)
        return Kind(stage, method, init, len(jobs), _to_do(jobs), gpus, *found)

    def _case_windows(self, method: str, structures: Sequence[str]) -> float:
        recipe, overlap = self._recipe(method), self._challenge.config.predict.overlap
        return sum(
            cases.number * _windows(recipe, cases.shape, overlap)
            for structure in structures
            for cases in self.extents.cases(structure)
        )

    def _of_another(self, method: str, gpus: int, shown: list[tuple[str, ...]]) -> Cost:
        """A job of another package, of a rule, or of masks that somebody else made."""
        settings = self._challenge.methods[method].settings
        cases = [self._cases(structures) for structures in shown]
        training = peer_operations.of_training(method, settings)
        if training is not None:
            if method == "nnunet":  # a model serves all structures of its target
                training *= self._models_a_structure({each for own in shown for each in own})
            predicted = statistics.fmean(
                peer_operations.of_prediction(method, settings, each) for each in cases
            )
            cost = self._of_operations(training + predicted)
            minutes = settings.get("minutes")
            limit = math.inf if minutes is None else 60 * minutes
            seconds = Span(*(min(each, limit) for each in (
                cost.seconds.low, cost.seconds.likely, cost.seconds.high)))  # fmt: skip
            return Cost(seconds, cost.source, cost.operations if limit == math.inf else None)
        if gpus:
            limit = 60 * self._challenge.config.resources.finetune_minutes
            middle = math.sqrt(SHORTEST_S * limit)
            return Cost(Span(SHORTEST_S, middle, limit), "assumed, up to its time limit")
        voxels = statistics.fmean(sum(each.voxels for each in own) for own in cases)
        return _without_network(OTHER, voxels)

    def _models_a_structure(self, structures: set[str]) -> float:
        """Targets that are learnt, for each structure that is segmented."""
        targets = [
            target
            for target in self._challenge.targets.values()
            if structures & set(target.segments) and target.track == "per-type"
        ]
        return min(1.0, len(targets) / len(structures)) if targets else 1.0

    def _segmentations(self) -> list[Kind]:
        """Whole volumes: all of them, or one a structure for the report's viewer."""
        challenge, overlap = self._challenge, self._challenge.config.segment.overlap
        kinds = []
        for method in challenge.shown_on_volumes:
            rows = challenge.segmented_volumes()
            if method not in challenge.brain_methods:
                rows = list({row.structure: row for row in reversed(rows)}.values())
            if not rows:
                continue
            windows = []
            for structure in {row.structure for row in rows}:
                for each in self.extents.volumes(structure):
                    windows += [_windows(self._recipe(method), each.shape, overlap)] * each.number
            jobs = [
                NamedJob(
                    f"{method}/{row.structure}/{row.sample}",
                    self._status.exists(self._layout.segmented(method, row.structure, row.sample)),
                )
                for row in rows
            ]
            found = self._measured("segment_volume", jobs) or self._of_operations(
                statistics.fmean(windows) * self._window_operations(method)
            )
            number, to_do = len(jobs), _to_do(jobs)
            kinds.append(Kind("segment_volume", method, "-", number, to_do, self._gpus, *found))
        return kinds

    def _cases(self, structures: Sequence[str]) -> list[Extent]:
        return [each for name in structures for each in self.extents.cases(name)]

    def _others(self) -> list[Kind]:
        """Jobs without a GPU: conversions, splits, scores."""
        challenge, layout, extents = self._challenge, self._layout, self.extents
        data = [
            (f"convert_{row.kind}", f"{name}/{row.sample}", layout.unannotated(row))
            for name in challenge.structures
            for row in challenge.unannotated_of(name)
        ]
        unannotated = _voxels(extents.volumes, challenge.structures)
        totals = dict.fromkeys(("convert_volume", "convert_collection"), unannotated)
        for stage, names, path, sized in (
            ("convert_patches", challenge.structures_with_patches, layout.patches, extents.patches),
            ("convert_cases", challenge.structures_with_given_cases, layout.cases, extents.cases),
            ("draw_cases", challenge.structures_with_drawn_cases, layout.cases, extents.cases),
            ("split", challenge.structures_with_patches, layout.split, extents.patches),
        ):
            data += [(stage, name, path(name)) for name in names]
            totals[stage] = _voxels(sized, names)
        scored = 0.0
        for method in challenge.methods:
            for structure in challenge.structures_of(method):
                path = layout.scores(method, structure)
                data.append(("score", f"{method}/{structure}", path))
                runs = len(challenge.runs(method, structure))
                scored += runs * _voxels(extents.cases, [structure])
        totals["score"] = scored
        by_stage: dict[str, list[NamedJob]] = {}
        for stage, job, path in data:
            by_stage.setdefault(stage, []).append(NamedJob(job, self._status.exists(path)))
        kinds = []
        for stage, jobs in by_stage.items():
            cost = self._measured(stage, jobs) or _without_network(
                WITHOUT_NETWORK[stage], totals[stage] / len(jobs)
            )
            kinds.append(Kind(stage, "-", "-", len(jobs), _to_do(jobs), 0, *cost))
        return kinds

    def _measured(self, stage: str, jobs: list[NamedJob]) -> Cost | None:
        """Mean seconds of finished jobs and their range; None where no benchmark of one is left."""
        seconds = []
        for job in [job for job in jobs if job.done][:SAMPLED]:
            benchmark = Path(self._layout.benchmark(stage, job.name))
            if benchmark.exists():
                known = Path(job.history) if job.history and Path(job.history).exists() else None
                seconds.append(
                    measure_of(cost.MeasuredJob("", "", stage, 0, benchmark, known)).seconds
                )
        if not seconds:
            return None
        span = Span(min(seconds), statistics.fmean(seconds), max(seconds))
        return Cost(span, f"measured on {len(seconds)} jobs")

    def _steps_per_s(self, method: str, section: str) -> tuple[float | None, str]:
        table = Path(self._layout.throughput(method, section))
        if table.exists():
            rows = read_tsv(table, "a table of throughput", ("advice", "steps_per_s"))
            return float(rows.loc[rows["advice"] == 1, "steps_per_s"].iloc[0]), "rule throughput"
        given = self._challenge.config.throughput.get(method, {}).get(section)
        return (given, "config: throughput") if given else (None, "")

    def disk(self) -> list[Files]:
        """The kinds of file of every stage, and what is still to be written of them."""
        return disk(self._challenge, self._status, self.extents)


def _window(recipe: Recipe) -> tuple[int, int, int]:
    return recipe.finetune.inference_window or recipe.input.window


def _windows(recipe: Recipe, shape: Sequence[int], overlap: float) -> int:
    """Windows that cover an image (z,y,x), on the recipe's own grid."""
    scales = recipe.input.resample or (1, 1, 1)
    total = 1
    for edge, scale, window in zip(shape, scales, _window(recipe), strict=True):
        step = max(1, int(window * (1 - overlap)))
        total *= 1 + max(0, math.ceil((round(edge * scale) - window) / step))
    return total


def _voxels(sized: Callable[[str], list[Extent]], names: Iterable[str]) -> float:
    return sum(each.voxels for name in names for each in sized(name))


def _without_network(of: tuple[float, float], voxels: float) -> Cost:
    start, each = of
    return Cost(around(start + each * voxels / 1e6, WIDE), "assumed, by voxels")


def main(arguments: list[str] | None = None) -> int:
    """Print the estimate; 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.monitor.estimate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", type=Path)
    parser.add_argument("--gpu", help="a row of config/speeds.tsv")
    given = parser.parse_args(arguments)
    try:
        config = read_config(ROOT, given.config)
        speeds = read_speeds(ROOT / FILE)
        challenge = Challenge(config, ROOT)
        print(as_text(Estimate(challenge, Path(config.results), speeds, given.gpu)))
        day = challenge.analysis.declared or "day not stated"
        print(f"declared analysis: {challenge.analysis.digest(challenge.design)}, {day}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
