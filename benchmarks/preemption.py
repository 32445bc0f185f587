"""What preemptions cost in compute: python benchmarks/preemption.py [--steps N] [--preemptions N]

Two trainings of the same recipe (MONAI's UNet 16-32-64-128, windows of 64³, batch 2) take turns on
this machine, so that both meet the same conditions: one runs in a single process, which is stopped
while it is not its turn; the other is told to end (SIGTERM) in each of its turns, saves, and starts
anew as a process in the next, as a preempted job does. What counts is CPU time, all threads.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

NOT_FINISHED = 75
TARGET = 1.10


class Trainer:
    """A training in a folder, run by one process after another."""

    def __init__(self, data: Path, folder: Path, steps: int) -> None:
        self.folder, self.cpu_s, self.starts = folder, 0.0, 0
        self._command = [sys.executable, __file__, "--train", data, folder, "--steps", str(steps)]
        folder.mkdir()

    def start(self) -> None:
        """Start a process that continues the training."""
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self.starts += 1

    def tell(self, number: int) -> None:
        """Send a signal."""
        os.kill(self._process.pid, number)  # Popen's own would take the exit code of an ended one

    def until(self, step: int) -> None:
        """Wait until a step is computed, or the process has ended."""
        self._wait(lambda: self._step() >= step)

    def end(self, expected: int = 0) -> None:
        """Wait for the process to end, and count its CPU time."""
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = status  # else Popen would look for it
        self.cpu_s += used.ru_utime + used.ru_stime
        if (code := os.waitstatus_to_exitcode(status)) != expected:
            log = (self.folder / "log").read_text()
            sys.exit(f"{log}\n{self.folder.name}: expected exit code {expected}, found {code}")

    def result(self) -> str:
        """Checksum of the trained weights."""
        import torch

        state = torch.load(self.folder / "model.pt", weights_only=True)["state"]
        hashed = hashlib.sha256()
        for name in sorted(state):
            hashed.update(state[name].numpy().tobytes())
        return hashed.hexdigest()

    def repeated(self) -> int:
        """Steps that were computed more than once."""
        import pandas as pd

        table = pd.read_csv(self.folder / "model.tsv", sep="\t")
        again = table.loc[table["name"] == "recomputed_steps", "value"]
        return int(again.max()) if len(again) else 0

    def _step(self) -> int:
        files = list(self.folder.glob("work/*/reached"))
        packed = files[0].read_bytes() if files else b""
        return struct.unpack("<q", packed)[0] if packed else 0

    def _wait(self, true: Callable[[], bool]) -> None:
        while not true():
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                return
            time.sleep(0.05)


def train(data: Path, folder: Path, steps: int) -> None:
    """Be a process of a training, as the rule's script is; exits with 75 when told to end."""
    from selma3d.challenge.checking import check
    from selma3d.challenge.recipe import FinetuningRecipe
    from selma3d.challenge.run import Run
    from selma3d.challenge.source import Source
    from selma3d.learning import training

    recipe = {
        "recipe_version": 1,
        "network": {"name": "unet"},
        "input": {"window": [64, 64, 64], "normalisation": "zscore"},
        "finetune": {"learning_rates": [1e-3], "steps": steps, "batch": 2, "validations": 5,
                     "augment": {"flip": 0.5, "rotate90": 0.5, "gamma": 0.3, "noise": 0.15}},
        "pretraining_steps": 0,
    }  # fmt: skip
    try:
        training.finetune(
            training.Finetuning(
                check(FinetuningRecipe, recipe, "benchmark"),
                method="benchmark",
                target="spots",
                run=Run("scratch"),
                sources=(Source("spots", data / "patches.h5", data / "split.tsv", channel=0),),
            ),
            training.Outputs(folder / "model.pt", folder / "model.tsv"),
            training.Job(folder / "work"),
        )
    except training.Unfinished:
        sys.exit(NOT_FINISHED)


def measure(data: Path, folder: Path, steps: int, preemptions: int) -> tuple[Trainer, Trainer]:
    """The undisturbed and the preempted training, at their ends."""
    undisturbed = Trainer(data, folder / "undisturbed", steps)
    preempted = Trainer(data, folder / "preempted", steps)
    undisturbed.start()
    for number in range(1, preemptions + 1):
        until = round(number * steps / (preemptions + 1))
        undisturbed.until(until)
        undisturbed.tell(signal.SIGSTOP)
        preempted.start()
        preempted.until(until)
        preempted.tell(signal.SIGTERM)
        preempted.end(NOT_FINISHED)
        undisturbed.tell(signal.SIGCONT)
    preempted.start()
    undisturbed.end()
    preempted.end()
    return undisturbed, preempted


def main() -> None:
    """Print CPU seconds of both, their ratio, and what a resume costs."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=1500)
    arguments.add_argument("--preemptions", type=int, default=10)
    arguments.add_argument("--train", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.train:
        train(*given.train, given.steps)
        return
    from training import write_patches

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_patches(folder)
        undisturbed, preempted = measure(folder, folder, given.steps, given.preemptions)
        same = undisturbed.result() == preempted.result()
        repeated = preempted.repeated()
    ratio = preempted.cpu_s / undisturbed.cpu_s
    resume = (preempted.cpu_s - undisturbed.cpu_s) / given.preemptions
    enough = 10 * resume / (TARGET - 1) / 60
    print(f"undisturbed, {given.steps} steps: {undisturbed.cpu_s:.0f} CPU s")
    print(
        f"preempted {given.preemptions} times: {preempted.cpu_s:.0f} CPU s, {repeated} steps again"
    )
    print(f"preempted / undisturbed: {ratio:.3f} (target {TARGET:.2f})")
    print(f"a preemption costs {resume:.1f} CPU s: 10 of them stay below 10 % of a training")
    print(f"that takes {enough:.0f} CPU minutes or more")
    print(f"weights: {'identical' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
