"""A training that is killed at any moment ends bit for bit as one that is not.

Two kills of each kind of training are part of the normal suite, the others carry `faults`.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
import struct
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pandas as pd
import pytest
import torch

import small_training
from selma3d.learning.training.checkpoint import digest

STEPS = 60
KILLS = 20  # by SIGKILL: a quarter of them half-way in a save, the others after a random step
TERMINATIONS = 5
FILES = {"pretrain": "encoder.pt", "finetune": "model.pt"}
WORK = {"pretrain": "pretraining", "finetune": "finetuning/rate-0.003"}


@dataclass
class Undisturbed:
    """What a training comes to when nothing happens to it."""

    images: Path
    digests: dict[str, str]


def start(entry: str, images: Path, out: Path, die_in_save: int | None = None) -> BaseProcess:
    """Start a training in a process that has its imports already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["small_training", "selma3d.learning.training"])
    make = {"pretrain": small_training.pretraining, "finetune": small_training.finetuning}[entry]
    process = context.Process(
        target=small_training.run, args=(entry, make(images, out, steps=STEPS), die_in_save)
    )
    process.start()
    return process


def finish(entry: str, images: Path, out: Path) -> None:
    process = start(entry, images, out)
    process.join()
    assert process.exitcode == 0


def weights(entry: str, out: Path) -> str:
    return digest(torch.load(out / FILES[entry], weights_only=True)["state"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    images = tmp_path_factory.mktemp("images")
    small_training.write_images(images)
    digests = {}
    for entry in FILES:
        out = tmp_path_factory.mktemp(entry)
        finish(entry, images, out)
        digests[entry] = weights(entry, out)
    return Undisturbed(images, digests)


def wait_for(process: BaseProcess, folder: Path, step: int) -> None:
    """Wait until a training has computed `step`, or has ended."""
    while progress(folder)[0] < step and process.is_alive():
        time.sleep(0.001)


def progress(folder: Path) -> tuple[int, int]:
    """Steps that were computed and steps that are saved, in a folder without a trainer."""
    reached = (folder / "reached").read_bytes() if (folder / "reached").exists() else b""
    computed = struct.unpack("<q", reached)[0] if reached else 0
    saved = [int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.pt")]
    return computed, max(saved, default=0)


def repeated(entry: str, out: Path) -> int:
    table = pd.read_csv(out / FILES[entry].replace(".pt", ".tsv"), sep="\t")
    counted = table.loc[table["name"] == "recomputed_steps", "value"]
    return int(counted.max()) if len(counted) else 0


def numbers(count: int, quick: int) -> list:
    """Trials of which the first few belong to the normal suite."""
    return [
        number if number < quick else pytest.param(number, marks=pytest.mark.faults)
        for number in range(count)
    ]


@pytest.mark.parametrize("number", numbers(KILLS, quick=2))
@pytest.mark.parametrize("entry", FILES)
def test_killed_training_ends_bit_for_bit_as_an_undisturbed_one(
    undisturbed: Undisturbed, tmp_path: Path, entry: str, number: int, record_property
) -> None:
    moment = random.Random(f"{entry} {number}")
    in_save = moment.randrange(8) if number % 4 == 2 else None
    after = moment.randrange(STEPS) if in_save is None else 0
    process = start(entry, undisturbed.images, tmp_path, in_save)
    if in_save is None:
        wait_for(process, tmp_path / WORK[entry], after)
        process.join(moment.uniform(0, 0.02))
        process.kill()
    process.join()
    assert process.exitcode in (-signal.SIGKILL, 0)
    computed, saved = progress(tmp_path / WORK[entry])
    assert computed >= after
    finished = (tmp_path / WORK[entry] / "finished.pt").exists()
    record_property("in a save", in_save is not None)
    record_property("computed", computed)
    record_property("saved", saved)

    finish(entry, undisturbed.images, tmp_path)
    assert weights(entry, tmp_path) == undisturbed.digests[entry]
    record_property("repeated", repeated(entry, tmp_path))
    if saved and not finished:
        assert repeated(entry, tmp_path) == computed - saved
        assert computed - saved <= small_training.LOOP["save_every"]
    assert not list(tmp_path.rglob("*.partial*"))
    assert not list(tmp_path.rglob("lease*"))


@pytest.mark.parametrize("number", numbers(TERMINATIONS, quick=1))
@pytest.mark.parametrize("entry", FILES)
def test_terminated_training_repeats_no_step(
    undisturbed: Undisturbed, tmp_path: Path, entry: str, number: int, record_property
) -> None:
    moment = random.Random(f"{entry} term {number}")
    process = start(entry, undisturbed.images, tmp_path)
    wait_for(process, tmp_path / WORK[entry], moment.randrange(1, STEPS // 2))
    process.terminate()
    process.join()
    assert process.exitcode in (75, 0)
    computed, saved = progress(tmp_path / WORK[entry])
    if process.exitcode == 75:
        assert saved == computed
    record_property("computed", computed)
    record_property("saved", saved)

    finish(entry, undisturbed.images, tmp_path)
    assert weights(entry, tmp_path) == undisturbed.digests[entry]
    record_property("repeated", repeated(entry, tmp_path))
    if process.exitcode == 75:
        assert repeated(entry, tmp_path) == 0
