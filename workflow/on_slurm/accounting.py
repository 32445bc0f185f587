"""Limits that a cluster's accounting sets a user: those of accounts, and of QOS (`sacctmgr`).

SLURM takes a job that is longer or larger than a QOS allows and lets it wait for ever (but for
clusters that refuse it, `DenyOnLimit`), and `sbatch --test-only` says nothing of it. So the limits
are asked for, and jobs go only where they fit.
"""

import getpass
import re
import shutil
import subprocess
from dataclasses import dataclass, field

COMMAND = ("sacctmgr", "--noheader", "--parsable2", "show")
# Limits as sacctmgr calls them for an account; those of a user are called differently in a QOS.
LIMITS = ("maxsubmit", "grpsubmit", "maxjobs", "grpjobs", "maxwall", "maxtres", "grptres")
IN_A_QOS = {"maxsubmit": "maxsubmitpu", "maxjobs": "maxjobspu"}
TRES = {"maxtres": "a job", "maxtrespu": "a user", "grptres": "all users together"}
AMOUNT = re.compile(r"([^,=]+)=([^,]+)")  # of a trackable resource: cpu=64,gres/gpu=4


@dataclass(frozen=True)
class Limits:
    """What limits a job; by sacctmgr's name of the limit, and of the trackable resource if any."""

    stated: dict[str, str] = field(default_factory=dict)

    def under(self, stronger: "Limits") -> "Limits":
        """These where the stronger ones say nothing, as SLURM reads an account's under a QOS's."""
        return Limits(self.stated | stronger.stated)

    @property
    def submitted(self) -> int | None:
        """Jobs at a time, pending ones too."""
        return self._least("maxsubmit", "grpsubmit")

    @property
    def gpus(self) -> int | None:
        """The most GPUs that one job can ever have."""
        return self._least(*(f"{name} gres/gpu" for name in TRES))

    @property
    def max_runtime(self) -> str | None:
        """The longest job, as SLURM writes it."""
        return self.stated.get("maxwall")

    def _least(self, *names: str) -> int | None:
        return min((int(self.stated[name]) for name in names if name in self.stated), default=None)

    @property
    def text(self) -> str:
        """All of them in a line; empty where there is none."""
        running = self._least("maxjobs", "grpjobs")
        said = [] if self.submitted is None else [f"{self.submitted} jobs at a time"]
        said += [] if running is None else [f"{running} running at a time, the others wait"]
        said += [f"no job longer than {self.max_runtime}"] if self.max_runtime else []
        for name, whose in TRES.items():
            amounts = [
                f"{key.partition(' ')[2].removeprefix('gres/')} {amount}"
                for key, amount in self.stated.items()
                if key.startswith(f"{name} ")
            ]
            said += [f"for {whose} {', '.join(amounts)}"] if amounts else []
        return "; ".join(said)


@dataclass(frozen=True)
class Association:
    """A user's account: its limits, and the QOS that its jobs may name."""

    account: str
    limits: Limits
    qos: frozenset[str]
    stated_default: str = ""

    @property
    def default_qos(self) -> str:
        """The QOS of a job that names none, as slurmctld takes it; empty where there is none."""
        only = self.qos if len(self.qos) == 1 else self.qos & {"normal"}
        return self.stated_default or next(iter(only), "")


@dataclass(frozen=True)
class Accounting:
    """What the accounting tells of a user; nothing where there is none."""

    associations: tuple[Association, ...] = ()
    default_account: str = ""
    qos: dict[str, Limits] = field(default_factory=dict)

    @property
    def accounts(self) -> frozenset[str]:
        """Names of the user's accounts."""
        return frozenset(each.account for each in self.associations)

    @property
    def usable_qos(self) -> frozenset[str]:
        """QOS that some account of the user may name."""
        return frozenset(name for each in self.associations for name in each.qos)

    def of_qos(self, name: str) -> Limits:
        """A QOS's limits."""
        return self.qos.get(name, Limits())

    def of_jobs(self, account: str = "", qos: str = "") -> tuple[str, Limits]:
        """The QOS of jobs that state this account and QOS, or none; what limits them."""
        account = account or self.default_account
        for each in self.associations:
            if each.account == account:
                name = qos or each.default_qos
                return name, each.limits.under(self.of_qos(name))
        return qos, self.of_qos(qos)


NO_ACCOUNTING = Accounting()


def asked_accounting() -> Accounting:
    """What `sacctmgr` tells of this user on this cluster."""
    if shutil.which("sacctmgr") is None:
        return NO_ACCOUNTING
    user = getpass.getuser()
    rows = _rows(
        "assoc", f"user={user}", *_this_cluster(), columns=("account", "defaultqos", "qos", *LIMITS)
    )
    associations = tuple(
        Association(account, _limits(LIMITS, limits), frozenset(qos.split(",")) - {""}, default)
        for account, default, qos, *limits in rows
    )
    if not associations:
        return NO_ACCOUNTING
    of_qos = [IN_A_QOS.get(name, name) for name in (*LIMITS, "maxtrespu")]
    qos = {
        name: _limits((*LIMITS, "maxtrespu"), limits)
        for name, *limits in _rows("qos", columns=("name", *of_qos))
    }
    default = [row[0] for row in _rows("user", user, columns=("defaultaccount",))]
    account = default[0] if default else associations[0].account
    return Accounting(associations, account, qos)


def _rows(*asked: str, columns: tuple[str, ...]) -> list[list[str]]:
    """Rows of an answer, each once, in order; none where there is no accounting."""
    command = [*COMMAND, *asked, f"format={','.join(columns)}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [] if ran.returncode else ran.stdout.splitlines()
    rows = [line.split("|") for line in sorted(set(lines))]
    return [row for row in rows if len(row) == len(columns) and row[0]]


def _this_cluster() -> list[str]:
    """The condition for rows of this cluster: one accounting may serve several."""
    command = ["scontrol", "show", "config"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    name = re.search(r"^ClusterName\s*= (\S+)", ran.stdout, re.MULTILINE)
    return [f"cluster={name[1]}"] if name else []


def _limits(names: tuple[str, ...], values: list[str]) -> Limits:
    """Limits in the order of their columns, those of trackable resources one by one."""
    stated: dict[str, str] = {}
    for name, value in zip(names, values, strict=True):
        if name in TRES:
            stated |= {f"{name} {what}": amount for what, amount in AMOUNT.findall(value)}
        elif value:
            stated[name] = value
    return Limits(stated)
