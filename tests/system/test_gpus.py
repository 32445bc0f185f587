"""Jobs of one machine get a GPU of their own each."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from selma3d.system.errors import InputError
from selma3d.system.gpus import claimed, present


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose nvidia-smi lists two GPUs, outside of SLURM."""
    listing(tmp_path, "GPU 0: NVIDIA A10 (UUID: GPU-a1)", "GPU 1: NVIDIA A10 (UUID: GPU-b2)")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def listing(folder: Path, *lines: str) -> None:
    """A command nvidia-smi that prints these lines."""
    command = folder / "nvidia-smi"
    command.write_text("#!/bin/sh\ncat <<END\n" + "\n".join(lines) + "\nEND\n")
    command.chmod(0o755)


def hold(connection, jobs_per_gpu: int = 1) -> None:
    with claimed(1, jobs_per_gpu=jobs_per_gpu):
        connection.send(os.environ["CUDA_VISIBLE_DEVICES"])
        connection.recv()


def start_job(jobs_per_gpu: int = 1):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold, args=(theirs, jobs_per_gpu))
    process.start()
    return process, ours.recv()


def test_jobs_side_by_side_see_different_gpus_and_a_killed_one_frees_its_own():
    (first, gpu), (second, other) = start_job(), start_job()
    assert {gpu, other} == {"GPU-a1", "GPU-b2"}
    with pytest.raises(InputError, match="expected 1 free"), claimed(1, patience_s=0):
        pass
    first.kill()
    first.join()
    with claimed(1) as own:
        assert own == [gpu]
    second.kill()
    second.join()


def test_a_job_of_two_gpus_takes_both_or_none():
    process, gpu = start_job()
    with pytest.raises(InputError, match="expected 2 free"), claimed(2, patience_s=0):
        pass
    with claimed(1) as other:
        assert other != [gpu]
    process.kill()
    process.join()
    with claimed(2) as both:
        assert both == ["GPU-a1", "GPU-b2"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a1,GPU-b2"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_gpus_that_the_user_names_are_the_ones_that_are_shared_out(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert present() == ["3", "5"]
    with claimed(1) as own:
        assert own == ["3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3, 5"


def test_more_gpus_than_the_machine_has_are_refused():
    with pytest.raises(InputError, match=r"resources\.gpu: expected at most 2"), claimed(3):
        pass


def test_a_machine_without_gpus_claims_nothing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with claimed(1) as own:
        assert own == []
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_jobs_of_one_allocation_share_its_gpus_out_and_other_allocations_do_not_matter(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    (first, gpu), (second, other) = start_job(), start_job()
    assert {gpu, other} == {"0", "1"}
    with pytest.raises(InputError, match="expected 1 free"), claimed(1, patience_s=0):
        pass
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    with claimed(1) as own:  # SLURM calls a GPU of another job alike
        assert own == ["0"]
    for process in (first, second):
        process.kill()
        process.join()


def test_small_jobs_share_a_gpu_where_the_config_says_so_and_take_an_empty_one_first():
    jobs = [start_job(jobs_per_gpu=2) for _ in range(4)]
    assert [gpu for _, gpu in jobs] == ["GPU-a1", "GPU-b2"] * 2
    with pytest.raises(InputError, match="free"), claimed(1, jobs_per_gpu=2, patience_s=0):
        pass
    for process, _ in jobs:
        process.kill()
        process.join()


def test_a_divided_gpu_counts_as_its_instances(tmp_path):
    listing(
        tmp_path,
        "GPU 0: NVIDIA A100 (UUID: GPU-a1)",
        "  MIG 3g.20gb     Device  0: (UUID: MIG-x)",
        "  MIG 3g.20gb     Device  1: (UUID: MIG-y)",
        "GPU 1: NVIDIA A100 (UUID: GPU-b2)",
    )
    assert present() == ["MIG-x", "MIG-y", "GPU-b2"]


def test_one_training_in_several_processes_takes_no_instances_of_a_divided_gpu(monkeypatch):
    """Of which CUDA uses one a process, the first that it sees, so that the others would fail."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-x,0,MIG-y,1")
    with claimed(2) as own:
        assert own == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-x,MIG-y")
    with pytest.raises(InputError, match=r"training_gpus: expected at most 1, .*MIG"), claimed(2):
        pass
    with claimed(1) as own:
        assert own == ["MIG-x"]
