"""Spoilt files of every kind are read or refused in a line: no crash, no traceback, no overrun.

The whole files of `strangers_files.py` are changed at random places and read in processes with caps
on memory and time. A few of each kind are tried in every run of the tests, thousands in the long
suite: SELMA3D_FUZZED of each kind (1,000), from SELMA3D_FUZZ_SEED (0). What has once been a fault
lies in `spoilt/<kind>/`, packed with gzip, and is read every time.
"""

from __future__ import annotations

import gzip
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from guarded_reading import Outcome, Read, read_all
from microscope_files import microscope_kinds
from mutations import mutated
from strangers_files import Kind, kinds

SPOILT = Path(__file__).parent / "spoilt"
A_FEW = 12
MANY = int(os.environ.get("SELMA3D_FUZZED", "1000"))
SEED = os.environ.get("SELMA3D_FUZZ_SEED", "0")


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return kinds(tmp_path_factory.mktemp("whole"))


def spoilt(name: str, kind: Kind, count: int, folder: Path) -> Iterator[tuple[Path, Read]]:
    """Spoilt files of a kind, each alone in a folder."""
    chance = random.Random(f"{SEED} {name}")
    names = list(kind.files)
    for number in range(count):
        file = names[number % len(names)]
        content, other = kind.files[file], kind.files[chance.choice(names)]
        if kind.inside and kind.back:
            changed = kind.back(content, mutated(kind.inside(content), kind.inside(other), chance))
        else:
            changed = mutated(content, other, chance)
        yield placed(folder / str(number) / file, changed), kind.read


def placed(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def told(outcomes: list[Outcome]) -> str:
    """Each fault, and where its file lies: packed, it belongs into `spoilt/<kind>/`."""
    faults = [outcome for outcome in outcomes if outcome.is_fault]
    return "\n\n".join(f"{fault.end}: {fault.path}\n{fault.said}" for fault in faults[:5])


def test_whole_files_are_read(every_kind: dict[str, Kind], tmp_path: Path) -> None:
    tasks = [
        (placed(tmp_path / name / file / file, content), kind.read)
        for name, kind in every_kind.items()
        for file, content in kind.files.items()
    ]
    outcomes = read_all(tasks, tmp_path / "record")
    assert [(o.path, o.said) for o in outcomes if o.end != "read"] == []


def test_a_few_spoilt_files_of_each_kind(every_kind: dict[str, Kind], tmp_path: Path) -> None:
    tasks = [
        task
        for name, kind in every_kind.items()
        for task in spoilt(name, kind, A_FEW, tmp_path / name)
    ]
    outcomes = read_all(tasks, tmp_path / "record")
    ends = Counter(outcome.end for outcome in outcomes)
    assert ends.keys() == {"read", "refused"}, told(outcomes)


def test_what_was_once_a_fault(every_kind: dict[str, Kind], tmp_path: Path) -> None:
    tasks = []
    for number, file in enumerate(sorted(SPOILT.glob("*/*.gz"))):
        path = placed(tmp_path / str(number) / file.stem, gzip.decompress(file.read_bytes()))
        tasks.append((path, every_kind[file.parent.name].read))
    outcomes = read_all(tasks, tmp_path / "record")
    assert not any(outcome.is_fault for outcome in outcomes), told(outcomes)


@pytest.mark.faults
def test_thousands_of_spoilt_files(every_kind: dict[str, Kind], tmp_path: Path) -> None:
    every_kind = every_kind | microscope_kinds(tmp_path / "microscopes")
    everything: list[Outcome] = []
    print("\n| kind | files | read | refused | faults | highest memory, MB | longest, CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name, kind in every_kind.items():
        outcomes = read_all(list(spoilt(name, kind, MANY, tmp_path / name)), tmp_path / "record")
        everything += outcomes
        ends = Counter(outcome.end for outcome in outcomes)
        faults = len(outcomes) - ends["read"] - ends["refused"]
        most_mb, longest = (max(getattr(o, what) for o in outcomes) for what in ("mb", "seconds"))
        print(
            f"| {name} | {len(outcomes)} | {ends['read']} | {ends['refused']} | {faults} | "
            f"{most_mb:.0f} | {longest:.2f} |"
        )
    assert not any(outcome.is_fault for outcome in everything), told(everything)
