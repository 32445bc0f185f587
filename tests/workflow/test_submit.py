"""Snakemake as a SLURM job: what is submitted, and where to."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import read_partition_file

from on_slurm import setup, submit


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An sbatch that keeps its options and the script, and says job 42."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "sbatch"
    command.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/options\ncat > {tmp_path}/script\necho 42\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path


def given(folder: Path, **partitions: dict) -> list[str]:
    file, config = folder / "partitions.yaml", folder / "a config.yaml"
    file.write_text(yaml.safe_dump({"partitions": partitions}))
    config.write_text(yaml.safe_dump({"results": str(folder / "results")}))
    return ["--partitions", str(file), "--configfile", str(config)]


def test_the_job_is_small_requeued_and_told_before_its_limit(sbatch, capsys):
    cpu, gpu = {"max_runtime": "2-00:00:00"}, {"max_runtime": "7-00:00:00", "max_gpu": 4}
    short = {"max_runtime": "01:00:00"}
    assert submit.main([*given(sbatch, short=short, cpu=cpu, gpu=gpu), "--rerun-incomplete"]) == 0
    options = (sbatch / "options").read_text().split("\n")
    for option in ("--time=2880", "--requeue", "--signal=B:USR1@120", "--open-mode=append"):
        assert option in options
    assert options[options.index("-p") + 1] == "cpu"
    script = (sbatch / "script").read_text()
    assert f"--configfile '{sbatch}/a config.yaml' --profile slurm --rerun-incomplete &" in script
    said = capsys.readouterr().out
    assert "job 42 runs Snakemake on partition cpu" in said
    assert f"make status CONFIG='{sbatch}/a config.yaml'" in said
    assert (sbatch / "results" / "logs").is_dir()


def test_without_partitions_it_goes_to_the_default_one_for_a_week(sbatch):
    assert submit.main(given(sbatch)) == 0
    options = (sbatch / "options").read_text().split("\n")
    assert "-p" not in options
    assert "--time=10080" in options


def test_what_the_profile_states_for_all_jobs_holds_for_this_one(sbatch, monkeypatch):
    profile = {
        "default-resources": {"slurm_account": "mine", "constraint": "skylake"},
        "slurm-qos": "long",
    }
    (sbatch / "config.yaml").write_text(yaml.safe_dump(profile))
    monkeypatch.setattr(setup, "PROFILE", sbatch)
    assert submit.main(given(sbatch)) == 0
    options = (sbatch / "options").read_text().split("\n")
    assert {"--account=mine", "--qos=long", "--constraint=skylake"} <= set(options)


def test_a_partition_that_is_named_is_taken_with_its_time(sbatch):
    short = {"max_runtime": "01:00:00"}
    long = {"max_runtime": "2-00:00:00"}
    for named, minutes in {"short": 60, "elsewhere": 10080}.items():
        assert submit.main(["--partition", named, *given(sbatch, short=short, long=long)]) == 0
        options = (sbatch / "options").read_text().split("\n")
        assert options[options.index("-p") + 1] == named
        assert f"--time={minutes}" in options


def test_keys_of_the_configuration_reach_snakemake_and_say_where_the_results_lie(sbatch):
    elsewhere = f"results={sbatch}/elsewhere"
    arguments = ["--config", elsewhere, *given(sbatch), "--partition", "cpu", "paper"]
    assert submit.main(arguments) == 0
    script = (sbatch / "script").read_text()
    options = f"--configfile '{sbatch}/a config.yaml' --config {elsewhere} --profile slurm paper"
    assert f"{options} &" in script
    assert (sbatch / "elsewhere" / "logs").is_dir()


def test_a_file_of_partitions_that_cannot_be_read_is_one_line(sbatch, capsys):
    arguments = given(sbatch, cpu={"max_runtme": "1-00:00:00"})
    assert submit.main(arguments) == 1
    said = capsys.readouterr().err
    assert "partitions.yaml: " in said
    assert "max_runtme" in said and said.count("\n") == 1
    assert not (sbatch / "options").exists()


def test_gpu_nodes_are_taken_where_there_are_no_others(tmp_path):
    arguments = given(tmp_path, gpu={"max_runtime": "1-00:00:00", "max_gpu": 4})
    assert submit.longest(read_partition_file(Path(arguments[1]))) == ("gpu", 1440)


def test_what_sbatch_refuses_is_said_in_its_words(sbatch, capsys):
    (sbatch / "bin" / "sbatch").write_text("#!/bin/sh\necho 'Invalid account' >&2\nexit 1\n")
    assert submit.main(given(sbatch)) == 1
    assert capsys.readouterr().err == "error: sbatch: Invalid account\n"


def test_a_wrong_configuration_is_told_before_anything_is_submitted(sbatch, capsys):
    arguments = given(sbatch)
    Path(arguments[-1]).write_text("resluts: here\n")
    assert submit.main(arguments) == 1
    assert "did you mean 'results'?" in capsys.readouterr().err
    assert not (sbatch / "options").exists()


def test_a_head_job_that_the_site_does_not_requeue_says_so_and_ends(sbatch):
    scontrol = sbatch / "bin" / "scontrol"
    scontrol.write_text("#!/bin/sh\necho 'Requested operation is presently disabled' >&2\nexit 1\n")
    scontrol.chmod(0o755)
    script = submit.SCRIPT.format(command="sh -c 'echo at work; exec sleep 600'")
    with subprocess.Popen(
        ["bash", "-c", script],
        stdout=subprocess.PIPE,
        env=os.environ | {"SLURM_JOB_ID": "42"},
        text=True,
    ) as job:
        assert job.stdout.readline() == "at work\n"
        job.send_signal(signal.SIGUSR1)
        said = job.stdout.read()
    assert job.returncode == 1
    assert "make submit again" in said
