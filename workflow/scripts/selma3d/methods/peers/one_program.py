"""Methods that are one program of another package: it gets arrays, learns, and writes masks.

The program runs in the package's own environment as `program.py <folder>`. In the folder it finds
`task.json` (settings, seed, threads, gpu) and NumPy arrays (Z,Y,X) that are numbered from 0000:
`train/` and `validation/` (annotated patches, with `-mask` beside each), `windows/` (of unannotated
volumes, where its settings ask for them) and `cases/`. For each case it writes a mask to `masks/`.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import ConfigDict, Field

from ...challenge.checking import Model
from ...challenge.run import Run
from ...challenge.source import Source
from ...images.splits import held_out_specimens, read_split
from ...system.errors import InputError
from ..cases import CasesToSegment
from .environment import Environment
from .examples import Example, Windows, examples, windows
from .programs import run

log = logging.getLogger(__name__)

PROGRAMS = Path(__file__).resolve().parents[3] / "peers"
SEED = 0  # of the one run, `default`


class ProgramSettings(Model):
    """Settings of a method that is one program; all but the windows are the program's own."""

    model_config = ConfigDict(extra="allow")

    windows: Windows | None = Field(None, description="of unannotated volumes, to learn from")


def segment_cases(
    sources: Sequence[Source],
    volumes: Sequence[tuple[Path, int]],
    to_segment: CasesToSegment,
    *,
    program: Path,
    environment: Environment,
    settings: ProgramSettings,
    program_log: Path,
) -> None:
    """Let a package learn from all training patches of the sources and segment every case.

    volumes: unannotated ones, each with the channel that is seen; the settings say how much of
    them the program is given. program_log: what it prints.
    Raises InputError where it fails, and for a mask that is absent or violates the contract.
    """
    task = {
        "settings": settings.plain(),
        "seed": SEED,
        "threads": environment.threads,
        "gpu": environment.gpu,
    }
    with tempfile.TemporaryDirectory() as scratch, to_segment.open() as (cases, writer):
        folder = Path(scratch)
        _write_examples(examples(sources, Run()), folder)
        if settings.windows is not None:
            held_out = held_out_specimens(
                [read_split(source.split) for source in sources], [Run().fold]
            )
            _write_arrays(windows(volumes, settings.windows, SEED, held_out), folder / "windows")
        images = (cases.image(case, to_segment.channel) for case in cases.ids)
        _write_arrays(images, folder / "cases")
        (folder / "task.json").write_text(json.dumps(task))
        (folder / "masks").mkdir()
        spent = run(
            [environment.program("python"), program, folder],
            program_log=program_log,
            variables={"OMP_NUM_THREADS": str(environment.threads)},
        )
        log.info("%s: %.0f s, %.0f CPU s", to_segment.method, spent.seconds, spent.cpu_seconds)
        for number, case in enumerate(cases.ids):
            writer.add(case, _mask(folder / "masks" / _file(number), case, cases.shape(case)))


def _write_examples(found: Iterable[Example], folder: Path) -> None:
    counts = {"train": 0, "validation": 0}
    for role in counts:
        (folder / role).mkdir()
    for example in found:
        place = folder / example.role / _file(counts[example.role])
        np.save(place, example.image)
        np.save(place.with_stem(f"{place.stem}-mask"), example.mask)
        counts[example.role] += 1


def _write_arrays(arrays: Iterable[np.ndarray], folder: Path) -> None:
    folder.mkdir()
    for number, array in enumerate(arrays):
        np.save(folder / _file(number), array)


def _mask(path: Path, case: str, shape: tuple[int, ...]) -> np.ndarray:
    if not path.exists():
        raise InputError(f"{path.name}: expected the mask of case {case!r}, found no file")
    try:
        mask = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise InputError(f"{path.name}: expected an array of numbers: {error}") from None
    if mask.shape != shape or not np.isin(mask, (0, 1)).all():
        raise InputError(
            f"{path.name}: case {case!r}: expected {shape} voxels of 0 and 1, found {mask.shape} "
            f"with values from {mask.min(initial=0)} to {mask.max(initial=0)}"
        )
    return mask.astype(np.uint8)


def _file(number: int) -> str:
    return f"{number:04d}.npy"
