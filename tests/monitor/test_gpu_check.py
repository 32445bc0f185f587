"""The check of a machine's GPU, on machines without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from selma3d.learning.training.launch import environment
from selma3d.monitor.gpu_check import __main__ as program
from selma3d.monitor.gpu_check.check import Check, Found
from selma3d.monitor.gpu_check.speed import covered
from selma3d.monitor.gpu_check.whole_trainings import refused_for_memory
from selma3d.system.errors import GpuMemoryError

DEMO = Path("config/demo.yaml")
CHEAP = [
    "device", "no usable GPU", "normalisation", "augmentation", "restore",
    "fine-tuning with volumes", "precision of a resume",
]  # fmt: skip
WITHOUT_A_GPU = {"busy unet/masked", "claims", "out of memory", "large volume"}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A configuration whose tables of speed lie in a folder of the test."""
    config = tmp_path / "here.yaml"
    config.write_text(f"results: {tmp_path / 'results'}\n")
    return config


def checked(table: Path, *arguments: str) -> tuple[int, pd.DataFrame]:
    """The exit code and the table of the command."""
    code = program.main([*arguments, "--table", str(table)])
    return code, pd.read_csv(table, sep="\t", keep_default_na=False).set_index("name")


def only(names: list[str]) -> list[str]:
    return [word for name in names for word in ("--only", name)]


@pytest.mark.parametrize("name", CHEAP)
def test_what_needs_no_gpu_passes_here(name: str, tmp_path: Path, results: Path) -> None:
    found = program.checks_of([DEMO, results])[name].measure(tmp_path)
    assert found.passed, found.value


@pytest.mark.parametrize("section", ["masked", "finetune"])
def test_what_a_recipe_reaches_is_told_to_the_estimate(
    section: str, tmp_path: Path, results: Path
) -> None:
    program.checks_of([DEMO, results])[f"recipe unet/{section}"].measure(tmp_path)
    table = pd.read_csv(tmp_path / f"results/throughput/unet/{section}.tsv", sep="\t")
    assert table["advice"].tolist() == [1]
    assert table["device"].tolist() == ["cpu"]
    assert table["windows_per_s"].item() > table["steps_per_s"].item() > 0


def test_what_needs_gpus_waits_and_the_rest_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "measured", lambda *_: Found("measured", True))
    code, table = checked(tmp_path / "table.tsv")
    assert code == 0
    assert list(table.columns) == ["value", "limit", "pass", "seconds"]
    waiting = table["pass"][table["pass"] != "yes"]
    assert waiting["claims"] == "waits for 2 GPUs"
    assert waiting["recipe unet/masked"] == "waits for a GPU"
    assert {"two processes", "learning", "killed volume", "ibot"}.isdisjoint(waiting.index)


@pytest.mark.parametrize(
    ("gpus", "on_cpu", "present", "waits"),
    [(1, False, 0, True), (1, True, 0, False), (2, True, 0, False), (2, True, 1, True),
     (2, False, 1, True), (2, True, 2, False), (1, False, 1, False)],
)  # fmt: skip
def test_a_check_waits_for_its_gpus(gpus: int, on_cpu: bool, present: int, waits: bool) -> None:
    assert Check("", Found, gpus=gpus, on_cpu=on_cpu).waits(present) is waits


def failing(folder: Path) -> Found:
    raise ValueError("no kernel\nfor this card")


def crashing(folder: Path) -> Found:
    os.kill(os.getpid(), signal.SIGKILL)
    return Found("", True)


def hanging(folder: Path) -> Found:
    """Wait for a process of its own, and say which."""
    started = subprocess.Popen(["sleep", "300"])
    Path(os.environ["STARTED"]).write_text(str(started.pid))
    started.wait()
    return Found("", True)


@pytest.mark.parametrize(
    ("measure", "value"),
    [(failing, "ValueError: no kernel for this card"), (crashing, "ended with exit code -9"),
     (hanging, "no answer in 3 s")],
)  # fmt: skip
def test_a_check_that_does_not_pass_says_why_and_leaves_nothing_behind(
    measure: Callable, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))
    began = time.monotonic()
    assert program.measured(Check("", measure), tmp_path / "log", 3.0) == Found(value, False)
    assert time.monotonic() - began < 100
    if measure is hanging:
        status = Path("/proc") / (tmp_path / "started").read_text() / "status"
        assert not status.exists() or "State:\tZ" in status.read_text()


def test_a_check_that_does_not_pass_ends_the_program_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "measured", lambda *_: Found("wrong", False))
    code, table = checked(tmp_path / "table.tsv", *only(["restore"]))
    assert code == 1
    assert table.loc["restore", "pass"] == "no"
    assert table.loc["restore", "value"] == "wrong"


def test_an_unknown_check_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert program.main(["--only", "speed", "--table", str(tmp_path / "table.tsv")]) == 1
    assert "--only: expected one of device, " in capsys.readouterr().err


def _raise(error: Exception) -> Callable[[], None]:
    def train() -> None:
        raise error

    return train


@pytest.mark.parametrize(
    ("train", "passed"),
    [
        (_raise(GpuMemoryError("GPU out of memory: … (accumulate: 4 fits)")), True),
        (_raise(GpuMemoryError("two\nlines, of which one fits")), False),
        (lambda: None, False),
    ],
)
def test_too_large_a_batch_has_to_end_in_a_line_that_says_what_fits(
    train: Callable[[], None], passed: bool
) -> None:
    assert refused_for_memory(train).passed is passed


def test_a_gpu_is_busy_where_any_kernel_runs() -> None:
    assert covered([(0, 4), (1, 2), (3, 6), (8, 9)]) == 7


@pytest.mark.faults
def test_all_that_can_be_computed_on_a_cpu_passes(tmp_path: Path, results: Path) -> None:
    checks = program.checks_of([DEMO, results])
    for name in set(checks) - WITHOUT_A_GPU - {"feeding unet/masked"}:
        (tmp_path / name.replace("/", " ")).mkdir()
        found = checks[name].measure(tmp_path / name.replace("/", " "))
        assert found.passed, (name, found.value)
    torch.use_deterministic_algorithms(False)


@pytest.mark.faults
def test_a_check_is_a_process_of_its_own(tmp_path: Path) -> None:
    code, table = checked(tmp_path / "table.tsv", *only(["no usable GPU", "killed volume"]))
    assert code == 0
    assert set(table["pass"]) == {"yes"}
    assert "resources.gpu: expected a usable GPU" in table.loc["no usable GPU", "value"]


@pytest.mark.faults
def test_nothing_asks_for_a_gpu_before_a_check_is_forked() -> None:
    """CUDA can't be used after a fork by which it was asked."""
    script = (
        "import torch, sys; names = ('is_available', 'device_count', 'init', 'current_device')\n"
        "for name in names: setattr(torch.cuda, name, lambda *_: sys.exit('asked'))\n"
        "from selma3d.monitor.gpu_check import __main__ as program; program.checks_of([])"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True)
