"""Partitions of a SLURM cluster, as the cluster tells them, and the file from which jobs choose.

The file is the SLURM executor's own (`slurm-partition-config`): it chooses a job's partition from
the GPUs, memory, time and threads that its rule asks for, so that no list of rules is needed.
"""

import grp
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes

from selma3d.system.errors import InputError

from .accounting import NO_ACCOUNTING, Accounting, Limits

# Partitions for trying things out are kept free of a week of jobs.
FOR_TRIALS = re.compile(r"(^|[^a-z])(debug|devel|dev|test|trial|interactive)([^a-z]|$)", re.I)
NODE_FIELDS = "%R|%c|%m|%G|%a"
GPU = re.compile(r"gpu(?::(?P<model>[^:,(]+?))??:(?P<count>\d+)")
TOLD = re.compile(r"(\w+)=(\S+)")  # a field of `scontrol show partition`


@dataclass(frozen=True)
class Partition:
    """What a job may ask of a partition: time as SLURM writes it, threads, MB, GPUs of a node."""

    name: str
    max_runtime: str | None = None  # [days-]hours:minutes:seconds; None where there is no limit
    threads: int = 0
    mem_mb: int = 0
    gpus: int = 0
    gpu_models: tuple[str, ...] = ()
    left_out: str = field(default="", compare=False)  # the reason, where jobs shall not go there
    qos: str = field(default="", compare=False)  # whose limits hold for all jobs in it

    def limits(self, *, with_cpu_partitions: bool) -> dict[str, object]:
        """The partition's entry in the executor's file.

        The executor takes the partition whose limits a job fills best. A small GPU node is filled
        better by a CPU job than a large CPU node, so beside CPU partitions those with GPUs state no
        threads and memory: the executor then never prefers them for a job without a GPU.
        """
        stated: dict[str, object] = {}
        if self.max_runtime:
            stated["max_runtime"] = self.max_runtime
        if self.gpus:
            stated["max_gpu"] = self.gpus
        if self.gpu_models:
            stated["available_gpu_models"] = list(self.gpu_models)
        if not (self.gpus and with_cpu_partitions):
            stated |= {"max_threads": self.threads, "max_mem_mb": self.mem_mb}
        return stated

    def within(self, limits: Limits) -> "Partition":
        """The partition as jobs with these limits can use it."""
        runtimes = [each for each in (self.max_runtime, limits.max_runtime) if each]
        shortest = min(runtimes, key=parse_time_to_minutes, default=None)
        if limits.gpus is None or not self.gpus:
            return replace(self, max_runtime=shortest)
        none = "the QOS of your jobs gives no GPUs" if limits.gpus == 0 else ""
        gpus = min(self.gpus, limits.gpus) or self.gpus
        return replace(self, max_runtime=shortest, gpus=gpus, left_out=self.left_out or none)


def asked_partitions(accounting: Accounting = NO_ACCOUNTING) -> list[Partition]:
    """Partitions as the executor's own command and `sinfo` tell them.

    The command knows the limits of time; it counts GPUs only where the accounting does, takes the
    mean of a partition's nodes, and a default amount of memory for a limit. `sinfo` tells of nodes.
    Partitions that take no job of this user are left out. Raises InputError without SLURM.
    """
    for command in ("scontrol", "sinfo", "sbatch"):
        if shutil.which(command) is None:
            raise InputError(f"{command}: not found; this is for a host that can submit to SLURM")
    command = Path(sys.executable).with_name("generate-slurm-partition-config")
    told = yaml.safe_load(ask(str(command)))["partitions"]
    nodes = _nodes(ask("sinfo", "--all", "--noheader", "--Node", f"--format={NODE_FIELDS}"))
    admitted = _fields(ask("scontrol", "show", "partition"))
    found = []
    for name, limits in told.items():
        runtime = limits.get("max_runtime")
        partition = Partition(name, runtime, left_out="no node of it is up")
        qos = admitted[name].get("QoS", "N/A").replace("N/A", "")
        partition = replace(nodes.get(name, partition), max_runtime=runtime, qos=qos)
        barred = not_admitted(admitted[name], own_groups(), accounting)
        trials = "by its name it is for trials" if FOR_TRIALS.search(name) else ""
        found.append(replace(partition, left_out=partition.left_out or barred or trials))
    return found


def _fields(answer: str) -> defaultdict[str, dict[str, str]]:
    """What `scontrol show partition` tells, field by field, of each partition."""
    fields: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for block in answer.split("PartitionName=")[1:]:
        fields[block.split(maxsplit=1)[0]] = dict(TOLD.findall(block))
    return fields


def own_groups() -> frozenset[str]:
    """Names of the groups of this user; none for root, whom SLURM lets in everywhere."""
    if os.geteuid() == 0:
        return frozenset()
    names = set()
    for number in {os.getegid(), *os.getgroups()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:  # a number without a name, as of a container
            continue
    return frozenset(names)


def not_admitted(fields: dict[str, str], groups: frozenset[str], accounting: Accounting) -> str:
    """Why a partition takes no job of this user; empty where it does, or where nothing tells.

    fields: of `scontrol show partition`.
    """
    for key, own, kind in (
        ("AllowGroups", groups, "groups"),
        ("AllowAccounts", accounting.accounts, "accounts"),
        ("AllowQos", accounting.usable_qos, "QOS"),
    ):
        allowed = fields.get(key, "ALL")
        if own and allowed != "ALL" and own.isdisjoint(allowed.split(",")):
            return f"it is for {kind} {allowed if len(allowed) < 60 else f'{allowed[:56]} ...'}"
    denied = fields.get("DenyAccounts", "").split(",")
    if accounting.accounts and accounting.accounts <= set(denied):
        return "it is not for your accounts"
    return "it is for root" if fields.get("RootOnly") == "YES" else ""


def _nodes(answer: str) -> dict[str, Partition]:
    """The largest node of each partition, from a line a node."""
    nodes: defaultdict[str, list[Partition]] = defaultdict(list)
    for line in answer.splitlines():
        name, threads, mem_mb, gres, available = line.split("|")
        gpus = list(GPU.finditer(gres))
        models = {match["model"] for match in gpus if match["model"]}
        nodes[name].append(
            Partition(
                name,
                threads=int(threads),
                mem_mb=int(mem_mb),
                gpus=sum(int(match["count"]) for match in gpus),
                gpu_models=tuple(models),
                left_out="" if available.startswith("up") else f"it is {available}",
            )
        )
    return {
        name: Partition(
            name,
            threads=max(node.threads for node in those),
            mem_mb=max(node.mem_mb for node in those),
            gpus=max(node.gpus for node in those),
            gpu_models=tuple(sorted({model for node in those for model in node.gpu_models})),
            left_out=those[0].left_out,
        )
        for name, those in nodes.items()
    }


def as_file(partitions: list[Partition]) -> str:
    """The executor's file, with a head that says how it was made."""
    used = [partition for partition in partitions if not partition.left_out]
    with_cpu_partitions = any(not partition.gpus for partition in used)
    lines = ["# Partitions of this cluster, written by `make slurm-setup`: yours to edit."]
    lines += [f"# Left out: {p.name}: {p.left_out}" for p in partitions if p.left_out]
    limits = {p.name: p.limits(with_cpu_partitions=with_cpu_partitions) for p in used}
    return "\n".join([*lines, yaml.safe_dump({"partitions": limits}, sort_keys=False)])


def ask(*command: str) -> str:
    """The answer of one of SLURM's commands; InputError where there is none."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise InputError(f"{' '.join(command)}: {' '.join(ran.stderr.split())}")
    return ran.stdout
