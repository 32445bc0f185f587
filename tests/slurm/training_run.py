"""A tiny challenge whose training lasts long enough to be disturbed, run on SLURM."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from cluster import until
from selma3d.system.lease import Owner
from tiny_challenge import ROOT, Workflow

RUN = "masked-nall-f0-s0"
MODEL = f"results/models/unet/spot-like/{RUN}.pt"
SCORES = "results/scores/unet/cfos.tsv"
STEPS, SAVE_EVERY = 400, 50
CONFIG = {
    "methods": ["unet"],
    "inits": ["masked"],
    "resources": {
        "gpu": 1,
        "training_threads": 1,
        "training_mem_mb": 1500,
        "finetune_minutes": 20,
    },
    # The GPUs of a test are not real.
    "recipe_overrides": {
        "unet": {
            "pretexts": {"masked": {"device": "cpu"}},
            "finetune": {"device": "cpu", "steps": STEPS, "save_every": SAVE_EVERY},
        }
    },
}
# The shipped profile, but for its patience: jobs of a test last seconds.
IMPATIENT = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10"]
# Its paths are those of the repository's root.
PARTITIONS = ["--slurm-partition-config", str(ROOT / "profiles" / "slurm" / "partitions.yaml")]


@dataclass
class TrainingRun(Workflow):
    """A working folder in which one fine-tuning is to do, and what follows from it."""

    config: dict = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def finish(self, target: str = SCORES) -> subprocess.CompletedProcess[str]:
        """Bring a target up to date on this machine, without SLURM."""
        return self.run("--quiet", "rules", "--", target, **CONFIG | self.config)

    def start(
        self, *options: str, target: str = MODEL, plain: bool = False
    ) -> subprocess.Popen[str]:
        """Start a run with the shipped SLURM profile, as `make run` does.

        plain: with Snakemake alone, which keeps no lease of the results.
        """
        given = self.folder / "given.yaml"
        given.write_text(yaml.safe_dump({"results": "results", **CONFIG, **self.config}))
        layers = [*(ROOT / layer for layer in self.layers), given]
        run = ["-m", "snakemake"] if plain else [str(ROOT / "workflow" / "run.py")]
        command = [
            *(sys.executable, *run, "--profile", str(ROOT / "profiles" / "slurm")),
            *("--snakefile", str(ROOT / "Snakefile"), "--verbose"),
            *("--configfile", *map(str, layers), *IMPATIENT, *PARTITIONS, *options, "--", target),
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        with (self.folder / "snakemake.log").open("a") as log:
            self.started.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    text=True,
                    preexec_fn=heed_interrupts,
                )
            )
        return self.started[-1]

    def on_slurm(self, *options: str, target: str = MODEL) -> None:
        """Run Snakemake with the SLURM profile to its successful end."""
        assert self.ended(self.start(*options, target=target)) == 0, self.said[-6000:]

    def ended(self, snakemake: subprocess.Popen[str]) -> int:
        """Wait for a started Snakemake; its exit code."""
        return snakemake.wait(timeout=900)

    @property
    def said(self) -> str:
        """All that Snakemake, and the command that runs it, have said so far."""
        files = (self.folder / "snakemake.log", self.results / "logs" / "snakemake.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    @property
    def log(self) -> str:
        """The training's own log, over all attempts."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    @property
    def log_file(self) -> Path:
        """The file of that log."""
        return self.results / f"logs/finetune/unet/spot-like/{RUN}.log"

    @property
    def told(self) -> str:
        """What all SLURM jobs have written, also those whose log a later attempt has removed."""
        logs = self.folder.glob(".snakemake/slurm_logs/**/*.log")
        return "".join(path.read_text(errors="replace") for path in sorted(logs))

    @property
    def work(self) -> Path:
        """The resumable state of the training."""
        return self.results / f"work/finetune/unet/spot-like/{RUN}/rate-0.003"

    def step(self) -> int:
        """The last step that was computed."""
        file = self.work / "reached"
        packed = file.read_bytes() if file.exists() else b""
        return struct.unpack("<q", packed)[0] if packed else 0

    def saved(self) -> int:
        """The last step that is saved."""
        return max((int(p.stem[5:]) for p in self.work.glob("step-*.pt")), default=0)

    def until_saved(self, step: int = SAVE_EVERY) -> None:
        """Wait until the training is under way and has saved its state at `step` or later."""
        until(lambda: self.saved() >= step, f"a checkpoint at step {step} in {self.work}")

    def trainer(self) -> int:
        """Process id of the script that owns the training's state."""
        return until(lambda: Owner.read(self.work), f"a trainer of {self.work}").process.pid

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stop the trainer, as a hanging file system does, and let it continue."""
        trainer = self.trainer()
        os.kill(trainer, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(trainer, signal.SIGCONT)

    def planned(self) -> dict[str, int]:
        """Jobs that are still to do for the scores."""
        return super().planned(SCORES, **CONFIG | self.config)

    def abandon(self) -> None:
        """End what a failed test has left at work."""
        for snakemake in self.started:
            if snakemake.poll() is None:
                snakemake.kill()
                snakemake.wait()

    def spend(self) -> tuple[int, float]:
        """Steps that were done again, and the seconds that they took."""
        table = pd.read_csv(self.folder / MODEL.replace(".pt", ".tsv"), sep="\t")
        again = table.loc[table["name"] == "recomputed_steps", "value"].max()
        again = 0 if pd.isna(again) else int(again)
        return again, again * table["seconds"].max() / (STEPS + again)

    def scores(self) -> bytes:
        """The score table's bytes."""
        return (self.folder / SCORES).read_bytes()


def heed_interrupts() -> None:
    """Undo what a shell's `&` does to all that it starts: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def copied(run: TrainingRun, folder: Path) -> TrainingRun:
    """A copy of a finished run in which the fine-tuning and all that follows is to do again."""
    shutil.copytree(run.folder, folder, symlinks=True)
    for made in ("models", "predictions", "scores", "work/finetune", "logs/finetune"):
        shutil.rmtree(folder / "results" / made)
    (folder / "snakemake.log").unlink(missing_ok=True)
    (folder / "results" / "logs" / "snakemake.log").unlink(missing_ok=True)
    return TrainingRun(folder)
