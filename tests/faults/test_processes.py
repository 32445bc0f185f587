"""Several processes train as one, and stop as one."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

import small_training
from selma3d.learning import training
from selma3d.system.errors import InputError
from selma3d.system.lease import LeaseLostError


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    small_training.write_images(folder)
    return folder


def losses(out: Path) -> pd.Series:
    table = pd.read_csv(out / "encoder.tsv", sep="\t")
    return table[table["name"] == "loss"].set_index("step")["value"]


def test_two_processes_agree_with_one_within_float_tolerance(images: Path, tmp_path: Path) -> None:
    for processes in (1, 2):
        out = tmp_path / str(processes)
        arguments = small_training.pretraining(images, out, optimiser="sgd")
        training.pretrain(**small_training.limited(arguments, processes=processes))
    one, two = (losses(tmp_path / str(processes)) for processes in (1, 2))
    assert one.index.equals(two.index)
    assert two.to_numpy() == pytest.approx(one.to_numpy(), rel=1e-4)
    states = [torch.load(tmp_path / n / "encoder.pt", weights_only=True)["state"] for n in "12"]
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], atol=1e-4), name


def test_two_processes_stop_together_and_one_continues(images: Path, tmp_path: Path) -> None:
    arguments = small_training.pretraining(images, tmp_path, steps=3000, save_every=0)
    begun = tmp_path / "pretraining" / "reached"

    def terminate() -> None:
        while not (begun.exists() and begun.stat().st_size):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate).start()
    with pytest.raises(training.Unfinished) as stopped:
        training.pretrain(**small_training.limited(arguments, processes=2))
    assert 0 < stopped.value.step < 3000
    with pytest.raises(training.Unfinished) as again:
        training.pretrain(**small_training.limited(arguments, time_budget_s=1))
    assert again.value.step > stopped.value.step


def test_error_in_a_process_is_the_launchers_error(images: Path, tmp_path: Path) -> None:
    arguments = small_training.pretraining(images, tmp_path, batch=3)
    with pytest.raises(InputError, match="batch: expected a multiple of processes"):
        training.pretrain(**small_training.limited(arguments, processes=2))


def test_processes_whose_training_was_taken_over_say_so(images: Path, tmp_path: Path) -> None:
    arguments = small_training.pretraining(images, tmp_path, steps=3000, save_every=5)
    folder = tmp_path / "pretraining"

    def take_over() -> None:
        while not list(folder.glob("step-*.pt")):
            time.sleep(0.05)
        (folder / "lease.json").write_text("{}")

    threading.Thread(target=take_over).start()
    with pytest.raises(LeaseLostError, match="nothing more is saved"):
        training.pretrain(**small_training.limited(arguments, processes=2))


def test_second_trainer_of_the_same_folder_is_refused(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selma3d.learning.training import loop

    monkeypatch.setattr(loop, "PATIENCE_S", 1.0)
    caplog.set_level(logging.INFO)
    arguments = small_training.pretraining(images, tmp_path, steps=100000)
    first = multiprocessing.get_context("spawn").Process(
        target=small_training.run, args=("pretrain", arguments)
    )
    first.start()
    begun = tmp_path / "pretraining" / "reached"
    while not (begun.exists() and begun.stat().st_size):
        time.sleep(0.05)
    with pytest.raises(InputError, match=f"found process {first.pid} on "):
        training.pretrain(**arguments)
    first.terminate()
    first.join()
    assert first.exitcode == 75
