"""nnU-Net v2 as a method: planned, trained and run by its own commands.

Its checkpoints are pickles and its plans name classes: whoever can write a model file can run code
here. The checksum in the history, which lies beside it, shows damage and mixed-up files; it is no
proof of where they are from. Give predict only models that these results trained, see
docs/security.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from ...challenge.checking import Model
from ...challenge.run import Run
from ...challenge.source import Source
from ...system.atomic import publish, write_table
from ...system.errors import InputError
from ...system.lease import Lease
from ...system.tables import read_tsv
from ..cases import CasesToSegment
from . import nnunet_files
from .environment import Environment
from .examples import examples
from .programs import Spent, run

log = logging.getLogger(__name__)

TRAINER = "nnUNetTrainerSELMA3D"
TRAINER_FOLDER = Path(__file__).resolve().parents[3] / "peers" / "nnunet"
OURS = ("train", "predict")
PLANS = "nnUNetPlans"
FOLD = "0"  # of splits_final.json, which holds the run's own split and no other
CHECKPOINT = "checkpoint_final.pth"
MODEL_FILES = ("dataset.json", "plans.json", f"fold_{FOLD}/{CHECKPOINT}")
CHECKSUM = "sha256"


class NNUNetSettings(Model):
    """Length and size of an nnU-Net; the defaults that they replace stand in its method file."""

    configuration: Literal["3d_fullres", "3d_lowres"] = Field(description="of nnU-Net's plans")
    gpu_memory_gb: float = Field(gt=0, description="what it plans for")
    features: tuple[int, int] = Field(description="of the finest level, and the most")
    epochs: int = Field(ge=1)
    iterations: int = Field(ge=1, description="batches an epoch")
    validation_iterations: int = Field(ge=1, description="batches a validation")
    minutes: float | None = Field(None, gt=0, description="ends a training early")
    save_every: int = Field(ge=1, description="epochs between checkpoints")
    mirrored: bool = Field(description="whether predictions are averaged over mirror images")


class NNUNet:
    """The commands of an nnU-Net in an environment of its own, on folders below `work`."""

    def __init__(self, environment: Environment, work: Path, settings: NNUNetSettings) -> None:
        self.environment, self.work, self.settings = environment, work.resolve(), settings
        self._device = "cuda" if environment.gpu else "cpu"

    def __call__(self, command: str, *arguments: str | Path, seed: int = 0) -> Spent:
        """Run one of its commands, by its name; `train` and `predict` with our trainer."""
        keys = ("epochs", "iterations", "validation_iterations", "save_every", "minutes")
        length = {key: getattr(self.settings, key) for key in keys}
        threads = self.environment.threads
        # Its planner wants at least one augmentation process, its trainer takes 0 as in-process.
        workers = threads - 1 if command == "train" else threads
        program = self.environment.program(command)
        ours = [self.environment.program("python"), TRAINER_FOLDER / "command.py", command]
        return run(
            [*(ours if command in OURS else [program]), *arguments],
            program_log=self.work / "nnunet.log",
            variables={
                "nnUNet_raw": self.work / "raw",
                "nnUNet_preprocessed": self.work / "preprocessed",
                "nnUNet_results": self.work / "results",
                "nnUNet_n_proc_DA": str(workers),
                "nnUNet_def_n_proc": str(threads),
                "SELMA3D_NNUNET": json.dumps(length | {"seed": seed, "threads": threads}),
                "OMP_NUM_THREADS": str(threads),
            },
        )

    @property
    def preprocessed(self) -> Path:
        return self.work / "preprocessed" / nnunet_files.DATASET

    @property
    def trained(self) -> Path:
        """The folder that nnU-Net trains in."""
        name = f"{TRAINER}__{PLANS}__{self.settings.configuration}"
        return self.work / "results" / nnunet_files.DATASET / name

    def prepare(self, sources: Sequence[Source], run_: Run) -> None:
        """Convert a run's patches, plan the network, preprocess."""
        split = nnunet_files.write_dataset(examples(sources, run_), self.work / "raw")
        one = str(self.environment.threads)
        self("nnUNetv2_extract_fingerprint", "-d", "1", "-np", one)
        memory = f"{self.settings.gpu_memory_gb:g}"
        self("nnUNetv2_plan_experiment", "-d", "1", "-gpu_memory_target", memory)
        self._narrow()
        configuration = self.settings.configuration
        self("nnUNetv2_preprocess", "-d", "1", "-c", configuration, "-np", one)
        (self.preprocessed / "splits_final.json").write_text(json.dumps([split]))

    def _narrow(self) -> None:
        """Fewer features than planned, where the settings ask for it.

        Editing a plans file is nnU-Net's documented way (explanation_plans_files.md).
        """
        first, most = self.settings.features
        path = self.preprocessed / f"{PLANS}.json"
        plans = json.loads(path.read_text())
        kwargs = plans["configurations"][self.settings.configuration]["architecture"]["arch_kwargs"]
        stages = len(kwargs["features_per_stage"])
        kwargs["features_per_stage"] = [min(most, first * 2**stage) for stage in range(stages)]
        path.write_text(json.dumps(plans, indent=1))

    def train(self, seed: int) -> Spent:
        """Train, or go on with a training that was interrupted."""
        begun = self.trained / f"fold_{FOLD}" / "checkpoint_latest.pth"
        going_on = ["--c"] if begun.exists() else []
        configuration = self.settings.configuration
        how = ["-tr", TRAINER, "-device", self._device, *going_on]
        return self("train", "1", configuration, FOLD, *how, seed=seed)

    def predict(self, images: Path, masks: Path, model: Path) -> Spent:
        """Masks of all images of a folder."""
        how = ["-f", FOLD, "-device", self._device, "-npp", "1", "-nps", "1"]
        how += [] if self.settings.mirrored else ["--disable_tta"]
        places = ["-i", images, "-o", masks, "-m", model]
        return self("predict", *places, *how, "-chk", CHECKPOINT)


def train(
    sources: Sequence[Source],
    run_: Run,
    *,
    environment: Environment,
    settings: NNUNetSettings,
    work: Path,
    model: Path,
    history: Path,
) -> None:
    """Train nnU-Net for one run; write the zipped model and its history.

    An interrupted training is continued where the patches' indexes and splits are the same.
    history: step, seconds, name, value; the last row is the model's checksum.
    Raises InputError where one of nnU-Net's commands fails.
    """
    indexes = [source.patches.with_suffix(".tsv") for source in sources]
    wanted = _fingerprint(settings, run_, [*indexes, *(source.split for source in sources)])
    nnunet = NNUNet(environment, work / "nnunet", settings)
    prepared = nnunet.work / "prepared"
    with Lease(work):
        if not prepared.exists() or prepared.read_text() != wanted:
            shutil.rmtree(nnunet.work, ignore_errors=True)
            nnunet.prepare(sources, run_)
            prepared.write_text(wanted)
        nnunet.train(run_.seed)
        _pack(nnunet.trained, model)
        table = read_tsv(nnunet.trained / f"fold_{FOLD}" / "history.tsv", dtype=str)
        last = {**table.iloc[-1], "name": CHECKSUM, "value": _sha256(model)}
        write_table(pd.concat([table, pd.DataFrame([last])]), history)
        shutil.rmtree(nnunet.work)


def predict(
    model: Path,
    history: Path,
    to_segment: Sequence[CasesToSegment],
    *,
    environment: Environment,
    settings: NNUNetSettings,
) -> None:
    """Segment the cases of several structures with one model.

    Raises InputError for a model that is not the one whose training wrote `history`.
    """
    _check(model, history)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        trained = work / "model"
        with zipfile.ZipFile(model) as archive:
            for name in MODEL_FILES:
                archive.extract(name, trained)
        nnunet = NNUNet(environment, work, settings)
        spacing = _spacing(trained, settings.configuration)
        for wanted in to_segment:
            images, masks = (work / wanted.structure / part for part in ("images", "masks"))
            with wanted.open() as (cases, writer):
                nnunet_files.write_cases(cases, wanted.channel, images, spacing)
                spent = nnunet.predict(images, masks, trained)
                log.info(
                    "%s: %d cases, %.0f CPU s",
                    *(wanted.structure, len(cases.ids), spent.cpu_seconds),
                )
                nnunet_files.read_masks(masks, cases, writer)


def _fingerprint(settings: NNUNetSettings, run_: Run, tables: Sequence[Path]) -> str:
    """A text that an interrupted training must share with this one to be continued."""
    content = [hashlib.sha256(path.read_bytes()).hexdigest() for path in tables]
    return json.dumps([settings.plain(), run_.name, content], sort_keys=True)


def _spacing(model: Path, configuration: str) -> tuple[float, ...]:
    """The voxel size (z,y,x) that a model was planned for."""
    plans = json.loads((model / "plans.json").read_text())
    spacing = plans["configurations"][configuration]["spacing"]  # in nnU-Net's order of the axes
    return tuple(spacing[axis] for axis in plans["transpose_backward"])


def _pack(trained: Path, model: Path) -> None:
    with publish(model) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in MODEL_FILES:
            archive.write(trained / name, name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(model: Path, history: Path) -> None:
    table = read_tsv(history, "a history", ("name", "value"), dtype=str)
    written = table.loc[table["name"] == CHECKSUM, "value"].tolist()
    found = _sha256(model)
    if written != [found]:
        raise InputError(
            f"{model}: expected the weights whose training wrote {history}, found others "
            f"(sha256 {found[:12]}...); the file may run code, and is not read (train again)"
        )
