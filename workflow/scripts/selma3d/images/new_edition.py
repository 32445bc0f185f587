"""Command behind `make new-edition`: a lab's folder gives edition, samples and configuration.

    NEW_EDITION_NAME=mylab NEW_EDITION_DATA=<folder> python -m selma3d.images.new_edition

Both come by the environment, so that no shell reads them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..challenge import Challenge
from ..challenge.config import read_config
from ..challenge.lab_edition import (
    FoundImage,
    NewEdition,
    Survey,
    check_name,
    new_edition,
    write,
)
from ..challenge.layout import Layout
from ..system.errors import InputError
from .lab_survey import survey

ROOT = Path(__file__).resolve().parents[4]
TEMPLATE = Path("config", "templates", "own-images.yaml")
MOST_SHOWN = 12  # of one list; the rest are counted


def make(name: str, folder: Path, root: Path = ROOT) -> NewEdition:
    """Write the files of an edition of a folder's images, and print what was found.

    Raises InputError, with nothing written, for a name that cannot be one or is taken, and for a
    folder from which nothing can be learnt.
    """
    check_name(name)
    found = survey(folder)
    print("\n".join(_found(found)))
    made = new_edition(found, name, (root / TEMPLATE).read_text(encoding="utf-8"))
    write(made, root)
    print("\n".join(_made(made, name)))
    # What was written is read as a run will read it.
    Challenge(read_config(root, [root / "config" / f"{name}.yaml"]), root)
    return made


def _found(survey: Survey) -> Iterator[str]:
    yield f"found in {survey.folder}:"
    yield from _table(survey.images)
    if survey.others:
        listed = ", ".join(f"{number} {end}" for end, number in sorted(survey.others.items()))
        yield f"  no images: {listed}"
    for note in survey.notes:
        yield f"  {note}"


def _table(images: Iterable[FoundImage]) -> Iterator[str]:
    """A line for images that are alike, with an example."""
    alike: Counter[tuple[str, ...]] = Counter()
    example: dict[tuple[str, ...], str] = {}
    for image in images:
        channels, *shape = image.shape
        size = image.voxel_size_um
        names = f" ({', '.join(image.channel_names)})" if image.channel_names else ""
        key = (
            "patch with a mask" if image.mask else "volume",
            f"{'×'.join(map(str, shape))} (z,y,x)",
            f"{channels} channel{'s' if channels > 1 else ''}{names}",
            "voxel size not stated"
            if size is None
            else f"{'×'.join(f'{length:.4g}' for length in size)} µm",
        )
        alike[key] += 1
        example.setdefault(key, image.path)
    for key, number in alike.items():
        kind, *facts = key
        kind = kind if number == 1 else {"volume": "volumes"}.get(kind, "patches with masks")
        more = "" if number == 1 else " and so on"
        yield f"  {number} {kind}: {', '.join(facts)}: {example[key]}{more}"


def _made(made: NewEdition, name: str) -> Iterator[str]:
    for structure in dict.fromkeys(image.structure for image in made.images):
        own = [image for image in made.images if image.structure == structure]
        patches = [image for image in own if image.kind == "patch"]
        animals = sorted({image.specimen for image in patches} - {""})
        of = f" of {len(animals)} animals ({', '.join(animals)})" if animals else ""
        yield f"{structure}: {len(patches)} patches{of}, {len(own) - len(patches)} volumes"
    if made.unplaced:
        yield "not placed:"
        yield from _listed(_by_reason(made.unplaced))
    yield "written:"
    yield from (f"  {file}" for file in made.files)
    if made.questions:
        yield "please check (what was assumed, and the line to edit):"
        for question in made.questions:
            yield f"  {made.where(question)}: {question.text}"
    yield "then:"
    yield f"  .venv/bin/snakemake --configfile config/{name}.yaml -n --quiet rules"
    yield f"  make run CONFIG=config/{name}.yaml"
    yield f"its results: results/{name}/report.html"
    if any(image.kind == "volume" for image in made.images):
        yield f"and those of the volumes: {Layout(f'results/{name}').brains('unet')}"


def _by_reason(unplaced: Mapping[str, str]) -> Iterator[str]:
    """A line a reason, with the first of its paths."""
    paths: dict[str, list[str]] = {}
    for path, reason in sorted(unplaced.items()):
        paths.setdefault(reason, []).append(path)
    for reason, alike in paths.items():
        more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
        yield f"  {alike[0]}{more}: {reason}"


def _listed(lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    yield from lines[:MOST_SHOWN]
    if len(lines) > MOST_SHOWN:
        yield f"  and {len(lines) - MOST_SHOWN} more"


def main() -> None:
    """Command line of `make new-edition`."""
    name, folder = os.environ.get("NEW_EDITION_NAME", ""), os.environ.get("NEW_EDITION_DATA", "")
    try:
        if not folder:
            raise InputError("DATA: expected a folder (make new-edition NAME=mylab DATA=<folder>)")
        make(name, Path(folder).expanduser())
    except InputError as error:
        sys.exit("\n".join(f"new-edition: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
