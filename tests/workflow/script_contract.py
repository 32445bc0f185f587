"""Scripts run on what their real rules hand them, with a record of what they make use of.

    python script_contract.py FOLDER TARGET ... --configfile FILE ...

Plans the targets, takes one job of each rule and runs its script, with the library outside
`challenge/` replaced by stand-ins. Prints JSON: by rule, what was wrong with the two together.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.system.errors import InputError  # noqa: E402 - found by the line above

REAL = ("selma3d.challenge", "selma3d.system.errors")


class StandIn:
    """Whatever a script calls: it gives stand-ins, holds two of them, and notes its arguments."""

    truth = False

    def __init__(self, handed: list[Any]) -> None:
        self._handed = handed

    def __call__(self, *arguments: Any, **keywords: Any) -> StandIn:
        self._handed += [*arguments, *keywords.values()]
        return StandIn(self._handed)

    def __getattr__(self, name: str) -> StandIn:
        return StandIn(self._handed)

    def __getitem__(self, key: object) -> StandIn:
        return StandIn(self._handed)

    def __iter__(self):
        return iter([StandIn(self._handed), StandIn(self._handed)])

    def __eq__(self, other: object) -> StandIn:
        return StandIn(self._handed)

    def __lt__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return False

    def __or__(self, other: object) -> StandIn:
        self._handed.append(other)
        return StandIn(self._handed)

    def __add__(self, other: object) -> StandIn:
        return StandIn(self._handed)

    __radd__ = __truediv__ = __add__

    def __bool__(self) -> bool:
        return StandIn.truth

    def __len__(self) -> int:
        return 2

    def __hash__(self) -> int:
        return id(self)

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Recorded:
    """A named list of a job that remembers which of its names were read."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self.read: set[str] = set()
        self._kept = {
            name: RecordedMapping(value) if isinstance(value, dict) else value
            for name, value in values.items()
        }

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return self._kept[name] if name in self._kept else getattr(self._values, name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return self._kept.get(name, default)

    def items(self):
        self.read |= set(self._kept)
        return self._kept.items()

    def __getitem__(self, place: int) -> Any:
        return self._values[place]

    def __iter__(self):
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def unread(self) -> list[str]:
        """Names that nobody read, and keys of mappings of which only others were read."""
        names = [name for name in self._kept if name not in self.read]
        mappings = {k: v for k, v in self._kept.items() if isinstance(v, RecordedMapping)}
        keys = [
            f"{k}[{key!r}]" for k, v in mappings.items() if k in self.read for key in v.unread()
        ]
        return names + keys


class RecordedMapping(dict):
    """A mapping that remembers which of its keys were read; handed on whole, all were."""

    def __init__(self, values: dict) -> None:
        super().__init__(values)
        self.read: set[object] = set()
        self.touched = False

    def _all(self) -> None:
        self.touched = True
        self.read |= set(super().keys())

    def __getitem__(self, key):
        self.touched = True
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.touched = True
        self.read.add(key)
        return super().get(key, default)

    def __iter__(self):
        self._all()
        return super().__iter__()

    def keys(self):
        self._all()
        return super().keys()

    def values(self):
        self._all()
        return super().values()

    def items(self):
        self._all()
        return super().items()

    def unread(self) -> list[object]:
        return [key for key in dict.keys(self) if key not in self.read] if self.touched else []


def jobs_of(folder: Path, targets: list[str], configs: list[Path]) -> list[Any]:
    """One planned job of each rule that has a script."""
    os.chdir(folder)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=configs),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        workflow.dag(DAGSettings(targets=frozenset(targets))).execute_workflow(executor="dryrun")
        first: dict[str, Any] = {}
        for job in workflow._workflow.dag.jobs:
            if job.rule.script:
                first.setdefault(job.rule.name, job)
        return list(first.values())


def fault_of(job: Any) -> str | None:
    """What a rule and its script don't agree on; None if they do."""
    script = Path(job.rule.basedir.join(job.rule.script).get_path_or_uri(secret_free=True))
    lists = {name: Recorded(getattr(job, name)) for name in ("input", "output", "params", "log")}
    for StandIn.truth in (False, True):  # both ways at each fork
        handed: list[Any] = []
        names = {
            "__name__": "__main__",
            "__file__": str(script),
            "snakemake": SimpleNamespace(
                **lists, wildcards=job.wildcards, threads=2, resources=job.resources
            ),
        }
        try:
            run_with_stand_ins(script, names, handed)
        except InputError:
            pass  # what is wrong with a stand-in
        except Exception as error:
            return f"{script.name}: {type(error).__name__}: {error}"
        for mapping in handed:
            if isinstance(mapping, RecordedMapping):
                mapping.keys()  # the library may read them all
    unread = lists["params"].unread()
    return f"{script.name} makes no use of {', '.join(unread)}" if unread else None


def run_with_stand_ins(script: Path, names: dict[str, Any], handed: list[Any]) -> None:
    """Run a script with stand-ins for what it imports from rooms beyond `challenge/`."""
    *definitions, job = ast.parse(script.read_text()).body
    exec(compile(ast.Module(definitions, []), script, "exec"), names)
    for name, value in list(names.items()):
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        room = str(home).split(".")[0]
        if room in ("selma3d", "job", "pandas", "torch") and not str(home).startswith(REAL):
            names[name] = StandIn(handed)
    names["retry_if_lease_lost"] = lambda work: work()
    exec(compile(ast.Module([job], []), script, "exec"), names)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--configfile", type=Path, action="append", default=[])
    given = parser.parse_args()
    jobs = jobs_of(given.folder, given.targets, given.configfile)
    print(json.dumps({job.rule.name: fault_of(job) for job in jobs}))


if __name__ == "__main__":
    main()
