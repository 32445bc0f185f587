"""Set-up for a SLURM cluster: what it understands, what it writes, where jobs then go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from on_slurm import setup
from on_slurm.accounting import NO_ACCOUNTING, Accounting, Association, Limits
from on_slurm.partition_table import SHIPPED, partitions_of, planned
from on_slurm.partitions import Partition, as_file, asked_partitions, not_admitted
from on_slurm.placement import placed, submission
from on_slurm.planned_jobs import JobKind, Request, planned_kinds
from selma3d.system.errors import InputError

# A university's cluster: small GPU nodes, large CPU nodes, no accounting of GPUs.
SCONTROL = """\
PartitionName=cpu
   MaxTime=7-00:00:00 TotalCPUs=6400 TotalNodes=50 DefMemPerCPU=1000 AllowGroups=ALL
PartitionName=gpu
   MaxTime=1-00:00:00 TotalCPUs=64 TotalNodes=4 DefMemPerCPU=1000
PartitionName=gpu-long
   MaxTime=7-00:00:00 TotalCPUs=64 TotalNodes=4 DefMemPerCPU=1000
PartitionName=gpu_debug
   MaxTime=00:30:00 TotalCPUs=64 TotalNodes=4
PartitionName=old
   MaxTime=UNLIMITED TotalCPUs=4 TotalNodes=1
"""
SINFO = """\
cpu|128|512000|(null)|up
gpu|16|64000|gpu:a100:4(S:0-1)|up
gpu|16|64000|gpu:h100:2,shard:8|up
gpu-long|16|64000|gpu:a100:4(S:0-1)|up
gpu_debug|16|64000|gpu:a100:4|up
old|4|8000|(null)|inactive
"""
# account, its default QOS, all its QOS, then the columns of LIMITS
ASSOCIATIONS = """\
mine||normal,long|100||||3-00:00:00|gres/gpu=8|
theirs||normal||50|||||
"""
# name, the same, MaxTRESPU
QOS = """\
normal|40|||20|12:00:00||cpu=640,gres/gpu=16|gres/gpu=2
long||||||||
gpu-partition|10|||||||
nobody|1|||||||
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands that answer as a cluster's do; sbatch refuses more than 16 CPUs beside a GPU."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {
        "scontrol": f"cat <<'END'\n{SCONTROL}END",
        "sinfo": f"cat <<'END'\n{SINFO}END",
        "squeue": "exit 1",  # the executor wants it to be there
        "sbatch": 'echo "sbatch: Job 7 to start at 2027-01-01T00:00:00" >&2',
        "sacctmgr": f"case \"$*\" in *' assoc '*) cat <<'END'\n{ASSOCIATIONS}END\n"
        f";; *' qos '*) cat <<'END'\n{QOS}END\n;; *) echo mine ;; esac",
    }
    for name, body in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def kind(rule: str, gpus: int, minutes: int, mem_mb: int = 4000, threads: int = 1) -> JobKind:
    return JobKind(Request(gpus, threads, mem_mb, minutes), ((rule, 1),))


def test_partitions_have_limits_of_time_and_the_largest_node_s_cpus_memory_and_gpus(slurm):
    found = {partition.name: partition for partition in asked_partitions()}
    assert found["cpu"] == Partition("cpu", "7-00:00:00", 128, 512000)
    assert found["gpu"] == Partition("gpu", "1-00:00:00", 16, 64000, 4, ("a100", "h100"))
    assert found["gpu_debug"].left_out == "by its name it is for trials"
    assert found["old"].left_out == "it is inactive"
    assert not found["gpu-long"].left_out


def test_cpu_jobs_keep_off_small_gpu_nodes_which_they_would_fill_better(slurm, tmp_path):
    file = tmp_path / "partitions.yaml"
    file.write_text(as_file(asked_partitions()))
    kinds = [
        kind("score", 0, 1440, mem_mb=60000, threads=16),  # fills a GPU node to the brim
        kind("split", 0, 10),
        kind("pretrain", 1, 1440, mem_mb=32000, threads=8),
        kind("finetune", 1, 2880, mem_mb=32000, threads=8),
        kind("huge", 8, 60),
    ]
    chosen = [partition for _, partition in placed(file, kinds)]
    assert chosen == ["cpu", "cpu", "gpu", "gpu-long", None]
    assert "# Left out: gpu_debug: by its name it is for trials" in file.read_text()


def test_a_cluster_of_gpu_nodes_alone_takes_every_job_and_states_its_nodes_limits(tmp_path):
    file = tmp_path / "partitions.yaml"
    file.write_text(as_file([Partition("all", "1-00:00:00", 16, 64000, 4)]))
    limits = yaml.safe_load(file.read_text())["partitions"]["all"]
    assert (limits["max_threads"], limits["max_mem_mb"], limits["max_gpu"]) == (16, 64000, 4)
    assert [p for _, p in placed(file, [kind("split", 0, 10), kind("pretrain", 1, 10)])] == [
        "all",
        "all",
    ]


def test_the_shipped_file_leaves_every_job_to_the_default_partition(repository):
    file = repository / "profiles" / "slurm" / "partitions.yaml"
    assert placed(file, [kind("pretrain", 1, 10)]) == [(kind("pretrain", 1, 10), None)]


def test_without_slurm_it_says_where_it_belongs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.main(["--file", str(tmp_path / "partitions.yaml")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "SLURM" in said and said.count("\n") == 1
    assert not (tmp_path / "partitions.yaml").exists()


def test_a_kind_of_job_that_slurm_refuses_is_named_with_slurm_s_words(
    slurm, tmp_path, capsys, monkeypatch
):
    (slurm / "sbatch").write_text(
        "#!/bin/sh\ncase \"$*\" in *--gpus*) echo 'error: Invalid account' >&2; exit 1;; esac\n"
    )
    kinds = [kind("pretrain", 1, 60), kind("score", 0, 60)]
    monkeypatch.setattr(setup, "planned_kinds", lambda arguments: kinds)
    assert setup.main(["--file", str(tmp_path / "partitions.yaml")]) == 1
    said = capsys.readouterr().out
    assert "refused: pretrain: error: Invalid account" in said
    assert "refused: score" not in said
    assert "several accounts: state one as slurm_account" in said


def test_a_job_larger_than_every_node_is_told_what_to_ask_for_instead(
    slurm, tmp_path, capsys, monkeypatch
):
    (slurm / "sbatch").write_text(
        "#!/bin/sh\necho 'allocation failure: Requested node configuration is not available' >&2\n"
        "exit 1\n"
    )
    kinds = [kind("pretrain", 1, 60), kind("score", 0, 60)]
    monkeypatch.setattr(setup, "planned_kinds", lambda arguments: kinds)
    assert setup.main(["--file", str(tmp_path / "partitions.yaml")]) == 1
    said = capsys.readouterr().out
    assert "ask for less in `resources` of the configuration (training_threads" in said
    assert "`set-resources: score: " in said
    assert "ask your site" not in said


def test_limits_of_accounts_and_qos_are_told_and_jobs_go_only_where_they_fit(
    slurm, tmp_path, capsys, monkeypatch
):
    file = tmp_path / "partitions.yaml"
    long, short = kind("convert_collection", 0, 1440), kind("pretrain", 1, 600)
    monkeypatch.setattr(setup, "planned_kinds", lambda arguments: [short, long])
    with_qos = SCONTROL.replace("TotalCPUs=64 ", "TotalCPUs=64 QoS=gpu-partition ")
    (slurm / "scontrol").write_text(f"#!/bin/sh\ncat <<'END'\n{with_qos}END\n")
    assert setup.main(["--file", str(file)]) == 1
    said = capsys.readouterr().out
    for line in (
        "account mine: 100 jobs at a time; no job longer than 3-00:00:00; for a job gpu 8\n",
        "account theirs: 50 jobs at a time\n",
        "QOS normal, of your jobs: 40 jobs at a time; 20 running at a time, the others wait; "
        "no job longer than 12:00:00; for a user gpu 2; for all users together cpu 640, gpu 16\n",
        "QOS gpu-partition, of jobs in gpu-long: 10 jobs at a time\n",
        "QOS long, not used: no limit\n",
        "set `jobs: 8` or less in the profile\n",
        "set-resources: convert_collection: {runtime: 720",
    ):
        assert line in said, line
    assert "nobody" not in said
    partitions = yaml.safe_load(file.read_text())["partitions"]
    assert {name: each["max_runtime"] for name, each in partitions.items()} == dict.fromkeys(
        ("cpu", "gpu", "gpu-long"), "12:00:00"
    )
    assert partitions["gpu"]["max_gpu"] == 2
    # A QOS of the profile takes the place of the account's own, and says nothing of time.
    (slurm / "config.yaml").write_text("slurm-qos: long\n")
    monkeypatch.setattr(setup, "PROFILE", slurm)
    setup.main(["--file", str(file)])
    partitions = yaml.safe_load(file.read_text())["partitions"]
    assert partitions["cpu"]["max_runtime"] == "3-00:00:00"
    assert partitions["gpu"]["max_runtime"] == "1-00:00:00"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL DenyAccounts=theirs RootOnly=NO", ""),
        ("AllowGroups=physics,lab AllowAccounts=theirs,mine AllowQos=normal", ""),
        ("AllowGroups=physics,chemistry", "it is for groups physics,chemistry"),
        ("AllowAccounts=theirs", "it is for accounts theirs"),
        ("AllowAccounts=" + ",".join(f"lab{n}" for n in range(99)), "it is for accounts lab0,lab1"),
        ("AllowQos=priority", "it is for QOS priority"),
        ("DenyAccounts=mine,theirs", "it is not for your accounts"),
        ("RootOnly=YES", "it is for root"),
    ],
)
def test_a_partition_that_is_not_for_this_user_is_left_out_with_the_reason(told, reason):
    fields = dict(field.split("=") for field in told.split())
    mine = Association("mine", Limits(), frozenset({"normal"}))
    said = not_admitted(fields, frozenset({"lab", "users"}), Accounting((mine,), "mine"))
    assert said.startswith(reason) if reason else not said
    assert len(said) < 90
    assert not_admitted(fields, frozenset(), NO_ACCOUNTING) in ("", "it is for root")


def test_a_qos_without_gpus_closes_their_partitions_and_makes_none_of_them_a_cpu_partition():
    normal = Limits({"maxtrespu gres/gpu": "0"})
    gpu = Partition("gpu", "1-00:00:00", 16, 64000, 4).within(normal)
    assert gpu.left_out and gpu.gpus == 4
    assert not Partition("cpu", "1-00:00:00", 16, 64000).within(normal).left_out


USES_GPU = ("pretrain", "finetune", "predict_", "segment_", "cellpose", "wnet3d", "nnunet_")


@pytest.mark.parametrize(
    "config",
    [
        "full",
        *(pytest.param(name, marks=pytest.mark.faults) for name in SHIPPED if name != "full"),
    ],
)
def test_every_gpu_job_gets_a_gpu_partition_and_no_other_does_as_the_page_tells(
    slurm, tmp_path, repository, config
):
    file = tmp_path / "partitions.yaml"
    file.write_text(as_file(asked_partitions()))
    kinds = planned(SHIPPED[config])
    for kind_of_job, partition in placed(file, kinds):
        for rule, _ in kind_of_job.rules:
            wanted = {"gpu", "gpu-long"} if rule.startswith(USES_GPU) else {"cpu"}
            assert partition in wanted, (rule, kind_of_job.request)
    assert 10 < sum(kind.jobs for kind in kinds) < 5000
    assert partitions_of(kinds, file) == documented(repository, config)


def documented(repository: Path, config: str) -> dict[str, str]:
    """A configuration's column of the table in docs/slurm.md."""
    lines = (repository / "docs" / "slurm.md").read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| rule | "))
    end = next(number for number in range(begin, len(lines)) if not lines[number])
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[begin:end]]
    column = table[0].index(config)
    return {row[0]: row[column] for row in table[2:] if row[column]}


def test_the_table_has_a_column_for_each_shipped_configuration(repository):
    files = {file.stem for file in (repository / "config").glob("*.yaml")}
    assert set(SHIPPED) == files, "on_slurm/partition_table.py, then its table in docs/slurm.md"


def test_a_configuration_that_cannot_be_planned_is_told_in_one_line(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("resluts: here\n")
    with pytest.raises(InputError, match=r"resluts.*did you mean"):
        planned_kinds(["--profile", "slurm", "--configfile", str(wrong)])


def test_lines_that_a_site_adds_to_the_profile_reach_sbatch(repository, slurm, tmp_path):
    profile = yaml.safe_load((repository / "profiles" / "slurm" / "config.yaml").read_text())
    profile["default-resources"] |= {"slurm_account": "mine", "constraint": "skylake"}
    profile["set-resources"] = {
        "finetune": {"slurm_account": "gpu-account", "qos": "gpu", "gpu_model": "a100"},
        "pretrain": {"gpu": 0, "gres": "gpu:a100:1"},
        "score": {"slurm_partition": "short"},
    }
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "config.yaml").write_text(yaml.safe_dump(profile))
    file, on_gpus = tmp_path / "partitions.yaml", tmp_path / "gpus.yaml"
    file.write_text(as_file(asked_partitions()))
    on_gpus.write_text(yaml.safe_dump({"resources": {"gpu": 1}, "results": str(tmp_path / "none")}))
    options = ["--profile", str(tmp_path / "site"), "--configfile", "config/demo.yaml"]
    calls = {
        rule: " ".join(submission(kind, partition))
        for kind, partition in placed(file, planned_kinds([*options, str(on_gpus)]))
        for rule, _ in kind.rules
    }
    assert "-A gpu-account -p gpu " in calls["finetune"]
    assert "--qos=gpu" in calls["finetune"] and "--gpus=a100:1" in calls["finetune"]
    assert "-A mine -p gpu " in calls["pretrain"]
    assert "--gres=gpu:a100:1" in calls["pretrain"] and "--gpus" not in calls["pretrain"]
    assert "-p short " in calls["score"]
    assert all("-C skylake" in call for call in calls.values())
