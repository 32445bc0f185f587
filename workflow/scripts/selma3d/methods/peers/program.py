"""A package as a method by one program: it is handed arrays, learns, and answers with masks.

The program runs in the package's own environment as `program.py <folder>`. In the folder it finds
`task.json` (settings, seed, threads, gpu) and NumPy arrays (Z,Y,X) that are numbered from 0000:
`train/` and `validation/` (annotated patches, with `-mask` beside each), `windows/` (of unannotated
volumes, where its settings ask for them) and `cases/`. For each case it writes a mask to `masks/`.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...challenge.run import Run
from ...images import PatchFile, PredictionWriter
from ...system.errors import InputError
from .environment import python_of
from .learning import Example, Source, examples, windows
from .process import run

log = logging.getLogger(__name__)

PROGRAMS = Path(__file__).resolve().parents[3] / "peers"
SEED = 0  # of the one run, `default`


def segment_cases(
    sources: Sequence[Source],
    volumes: Sequence[tuple[Path, int]],
    cases_h5: Path,
    channel: int,
    predictions: Path,
    *,
    method: str,
    structure: str,
    program: Path,
    environment: Path,
    settings: Mapping[str, Any],
    threads: int,
    gpu: bool,
    words: Path,
) -> None:
    """Let a package learn from all training patches of the sources and segment every case.

    volumes: unannotated ones, each with the channel that is seen; `settings.windows` (number,
    shape) says how much of them the program is given. words: what it says.
    Raises InputError where it fails, and for a mask that is absent or violates the contract.
    """
    task = {"settings": dict(settings), "seed": SEED, "threads": threads, "gpu": gpu}
    with (
        tempfile.TemporaryDirectory() as scratch,
        PatchFile(cases_h5) as cases,
        PredictionWriter(predictions, method, structure, "default") as writer,
    ):
        folder = Path(scratch)
        _write_examples(examples(sources, Run()), folder)
        wanted = settings.get("windows")
        if wanted is not None:
            found = windows(volumes, wanted["number"], wanted["shape"], SEED)
            _write_arrays(found, folder / "windows")
        images = (cases.image(case, channel) for case in cases.ids)
        _write_arrays(images, folder / "cases")
        (folder / "task.json").write_text(json.dumps(task))
        (folder / "masks").mkdir()
        spent = run(
            [python_of(environment), program, folder],
            words=words,
            variables={"OMP_NUM_THREADS": str(threads)},
        )
        log.info("%s: %.0f s, %.0f CPU s", method, spent.seconds, spent.cpu_seconds)
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
