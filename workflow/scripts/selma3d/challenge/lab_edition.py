"""Edition, samples table and configuration of a lab's own images, as commented text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ..system.errors import InputError
from .lab_names import is_generic, sample_name, structure_name, without_extension
from .samples import Sample

ARCHIVE = "images"  # what the folder is called in edition and table
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FEWEST_PATCHES = 3  # to learn from, to validate on, to test on
VoxelSize = tuple[float, float, float]


@dataclass(frozen=True)
class FoundImage:
    """An image of a lab's folder: a volume, or a patch with its mask.

    path, mask: below the folder, with `/`; files of channels separated by commas. shape (C,Z,Y,X).
    voxel_size_um (z,y,x), None where the file does not say it. structure: what it shows. channel:
    that shows it, where it is not the structure's.
    """

    path: str
    shape: tuple[int, int, int, int]
    mask: str = ""
    voxel_size_um: VoxelSize | None = None
    channel_names: tuple[str, ...] = ()
    specimen: str = ""
    role: str = ""
    structure: str = ""
    sample: str = ""
    channel: str = ""

    @property
    def kind(self) -> str:
        return "patch" if self.mask else "volume"


@dataclass(frozen=True)
class Survey:
    """What was found in a lab's folder.

    unplaced: what could not be used, by path, with the reason. others: files that are no images, by
    the end of their names. notes: what the survey left out as a whole.
    """

    folder: Path
    images: tuple[FoundImage, ...]
    unplaced: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """Something that the files do not say: what was assumed, and the text of the line to edit."""

    text: str
    file: str
    line: str


@dataclass
class _Asking:
    """Questions about an edition's file and its samples table, as these are made."""

    edition: str
    table: str
    questions: list[Question] = field(default_factory=list)

    def of_row(self, image: FoundImage, text: str) -> None:
        """Ask about a row of the table."""
        line = f"{image.structure}\t{image.kind}\t{image.sample}\t"
        self.questions.append(Question(text, self.table, line))

    def of_line(self, line: str, text: str) -> None:
        """Ask about a line of the edition, by its text or how it begins."""
        self.questions.append(Question(text, self.edition, line.rstrip()))


@dataclass(frozen=True)
class NewEdition:
    """The files to be written, by their path below the repository; and what is to be checked."""

    files: Mapping[str, str]
    images: tuple[FoundImage, ...]
    questions: tuple[Question, ...]
    unplaced: Mapping[str, str]

    def where(self, question: Question) -> str:
        """File and number of the line to edit."""
        for number, line in enumerate(self.files[question.file].splitlines(), start=1):
            if line.startswith(question.line):
                return f"{question.file}:{number}"
        return question.file


def new_edition(survey: Survey, name: str, template: str) -> NewEdition:
    """The edition of what a survey found; `template` is that of the configuration.

    Raises InputError for a name that cannot be one, and where no structure has enough patches with
    masks to learn from, to validate on and to test on.
    """
    check_name(name)
    named, unplaced = _named(survey)
    kept = [structure for structure in _structures(named) if _is_enough(structure, named)]
    few = f"at least {FEWEST_PATCHES} patches with masks (to learn from, to validate, to test on)"
    for image in named:
        if image.structure not in kept:
            unplaced[image.path] = (
                f"{image.structure} does not have {few}: annotate more, or cut one into several"
            )
    placed = [image for image in named if image.structure in kept]
    if not placed:
        patches = Counter(image.structure for image in named if image.kind == "patch")
        found = ", ".join(f"{number} of {structure}" for structure, number in patches.items())
        reasons = [f"\n{path}: {reason}" for path, reason in survey.unplaced.items()]
        raise InputError(
            f"{survey.folder}: expected a structure with {few}, found {found or 'none'} (annotate "
            "more, or cut one into several; to segment with a model that was trained elsewhere: "
            f"docs/inference.md){''.join(reasons)}"
        )
    asking = _Asking(f"config/editions/{name}.yaml", f"config/samples/{name}.tsv")
    images = _with_specimens(placed, asking)
    images = _with_roles_of_volumes(images, asking)
    images = _with_channels(images, asking)
    files = {
        asking.edition: _edition_text(survey, name, images, asking),
        asking.table: _samples_text(images),
        f"config/{name}.yaml": _config_text(survey, name, template),
    }
    return NewEdition(files, tuple(images), tuple(asking.questions), unplaced)


def check_name(name: str) -> None:
    """Raise InputError for a name that an edition cannot have."""
    if not NAME.fullmatch(name):
        raise InputError(
            "NAME: expected lower-case letters, digits and single hyphens, a letter first "
            f"(such as mylab), found {name!r}"
        )


def write(edition: NewEdition, root: Path) -> None:
    """Write the files below the repository; none, and InputError, where one of them exists."""
    taken = [root / file for file in edition.files if (root / file).exists()]
    if taken:
        raise InputError(
            f"{taken[0]}: expected no such file yet, found one (choose another NAME, or move it "
            "away: nothing is overwritten)"
        )
    for file, text in edition.files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        with (root / file).open("x", encoding="utf-8", newline="\n") as new:
            new.write(text)


def _named(survey: Survey) -> tuple[list[FoundImage], dict[str, str]]:
    """The images with structure and sample name; what a table cannot hold is unplaced."""
    unplaced = dict(survey.unplaced)
    images = []
    for image in survey.images:
        if re.search(r"[\t\r\n\"]", image.path + image.mask):
            unplaced[image.path] = "a tab, quote or line break in its name (rename it)"
            continue
        folder = str(PurePosixPath(image.path.split(",")[0]).parent)
        images.append(replace(image, structure=structure_name(folder, survey.folder.name)))
    patches = {image.structure for image in images if image.kind == "patch"}
    taken: dict[tuple[str, str], list[str]] = {}
    named = []
    for image in images:
        structure = image.structure
        if structure not in patches and len(patches) == 1:
            structure = next(iter(patches))  # there is nothing else that it could show
        elif structure not in patches and patches:
            unplaced[image.path] = (
                f"a volume of which structure? expected one of {', '.join(sorted(patches))} among "
                "its folders (move it there, or add its row to the table)"
            )
            continue
        names = taken.setdefault((image.kind, structure), [])
        own, longer = _own_names(image)
        name = sample_name(longer if sample_name(own, ()) in names else own, names)
        names.append(name)
        named.append(replace(image, structure=structure, sample=name))
    return named, unplaced


def _own_names(image: FoundImage) -> tuple[str, str]:
    """The name of an image among its neighbours; and with its folder, where that is taken."""
    parts = list(PurePosixPath(image.path.split(",")[0]).parts)
    if "," in image.path and image.kind == "volume":  # folders of channels
        parts.pop()
    while len(parts) > 1 and is_generic(parts[-1]):
        parts.pop()
    name = without_extension(parts.pop())
    folders = [part for part in parts if not is_generic(part)]
    return name, f"{folders[-1]}-{name}" if folders else name


def _structures(images: Iterable[FoundImage]) -> list[str]:
    return list(dict.fromkeys(image.structure for image in images))


def _is_enough(structure: str, images: Iterable[FoundImage]) -> bool:
    patches = [i for i in images if i.structure == structure and i.kind == "patch"]
    return len(patches) >= FEWEST_PATCHES


def _with_specimens(images: list[FoundImage], asking: _Asking) -> list[FoundImage]:
    """Specimens stay where they suffice for a split by specimen; else the split goes by blocks."""
    kept = []
    for structure in _structures(images):
        own = [image for image in images if image.structure == structure]
        patches = [image for image in own if image.kind == "patch"]
        animals = sorted({image.specimen for image in patches} - {""})
        unknown = [image for image in patches if not image.specimen]
        found = ""
        if len(animals) + len(unknown) < FEWEST_PATCHES:  # all known, and too few
            found = f"All are from {' and '.join(animals)}"
            own = [replace(i, specimen="") if i.kind == "patch" else i for i in own]
        elif unknown:
            found = f"For {len(unknown)} of {len(patches)} no name says it"
        if found:
            asking.of_row(
                (unknown or patches)[0],
                f"{structure}: which animals are the patches from (column specimen)? {found}. "
                "Learning, validation and test need three animals; without them neighbouring "
                "patches stay together, and scores may be too good",
            )
        kept += own
    return kept


def _with_roles_of_volumes(images: list[FoundImage], asking: _Asking) -> list[FoundImage]:
    """A volume of an animal that has patches is not pretrained on: the split may test on it."""
    annotated = {
        _number(i.specimen): i.specimen for i in images if i.kind == "patch" and i.specimen
    }
    kept = []
    for image in images:
        other = annotated.get(_number(image.specimen)) if image.specimen else None
        if image.kind == "volume" and other:
            if other != image.specimen:
                asking.of_row(
                    image,
                    f"{image.structure}: is {image.specimen} the same animal as {other}? So it is "
                    "assumed, and the volume is not learnt from (role test). Give both one name "
                    "in the column specimen, or remove the role",
                )
            image = replace(image, role="test")
        kept.append(image)
    return kept


def _with_channels(images: list[FoundImage], asking: _Asking) -> list[FoundImage]:
    """A volume with other channels than the patches says in its row which one is meant."""
    of_patches = {i.structure: i.shape[0] for i in images if i.kind == "patch"}
    kept = []
    for image in images:
        if image.kind == "volume" and image.shape[0] not in (1, of_patches[image.structure]):
            channel = _likely_channel(image)
            asking.of_row(
                image,
                f"{image.sample}: which channel shows {image.structure}, as in the patches "
                f"(column channel)? {channel} is assumed, of {_channels_listed(image)}",
            )
            image = replace(image, channel=str(channel))
        kept.append(image)
    return kept


def _likely_channel(image: FoundImage) -> int:
    """The one channel whose name holds that of the structure; else the first."""
    words = re.sub(r"[^a-z0-9]", "", image.structure)
    named = [
        number
        for number, name in enumerate(image.channel_names)
        if words in re.sub(r"[^a-z0-9]", "", name.casefold())
    ]
    return named[0] if len(named) == 1 else 0


def _channels_listed(image: FoundImage) -> str:
    names = image.channel_names or ("",) * image.shape[0]
    return ", ".join(f"{number} {name}".strip() for number, name in enumerate(names))


def _number(specimen: str) -> str:
    """The number in a specimen's name; the whole name where it has none."""
    return re.sub(r"\D", "", specimen) or specimen


def _samples_text(images: Iterable[FoundImage]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
    writer.writerow(Sample.model_fields)
    for image in images:
        cells = {
            "structure": image.structure,
            "kind": image.kind,
            "sample": image.sample,
            "specimen": image.specimen,
            "role": image.role,
            "archive": ARCHIVE,
            "image": image.path,
            "mask": image.mask,
            "channel": image.channel,
        }
        writer.writerow(cells.get(column, "") for column in Sample.model_fields)
    return text.getvalue()


def _edition_text(survey: Survey, name: str, images: list[FoundImage], asking: _Asking) -> str:
    lines = [
        f"# Images of {_in_a_comment(survey.folder)}, as `make new-edition` found them.",
        "# Keys and their meaning: config/README.md, 'Editions'. What is left out has a default.",
        f"title: {name.replace('-', ' ').capitalize()}",
        "description: >-",
        "  Images of our own.",
        "archives:",
        f"  {ARCHIVE}:",
        "    kind: local  # read where they lie",
        f"    folder: {json.dumps(str(survey.folder), ensure_ascii=False)}",
        "    licence: not stated  # of the images; stated with all that is made from them",
        "structures:",
    ]
    for structure in _structures(images):
        own = [image for image in images if image.structure == structure]
        lines += _structure_lines(structure, own, asking)
    return "\n".join(lines) + "\n"


def _structure_lines(structure: str, images: list[FoundImage], asking: _Asking) -> list[str]:
    """A structure's lines; each ends in a comment of its own, by which a question finds it."""
    scored_as, sure = _scored_as(structure)
    scoring = f"    scored_as: {scored_as}  # {structure}: "
    if not sure:
        asking.of_line(scoring, f"{structure}: filaments or spots? {scored_as} is assumed")
    patches = [image for image in images if image.kind == "patch"]
    most = max(patches, key=lambda image: image.shape[0])
    channel, seen = f"    channel: 0  # {structure}: ", "the only one"
    if most.shape[0] > 1:
        listed = _channels_listed(most)
        seen = f"that networks see, of {_in_a_comment(listed)}"
        asking.of_line(channel, f"{structure}: which channel shows it? 0 is assumed, of {listed}")
    return [
        f"  {structure}:",
        f"{scoring}vessel-like for vessels, axons and nerves, spot-like for cells, nuclei, plaques",
        f"{channel}{seen}",
        _voxel_size_line(structure, images, asking),
    ]


def _voxel_size_line(structure: str, images: list[FoundImage], asking: _Asking) -> str:
    sizes = Counter(_rounded(image.voxel_size_um) for image in images)
    known = [size for size in sizes if size is not None]
    stated, question = "unknown", ""
    if not known:
        question = (
            "how large is a voxel? No file says it; unknown is assumed, and nothing can be told "
            "in micrometres"
        )
    elif len(known) > 1:
        listed = ", ".join(f"{_listed(size)} ({sizes[size]} images)" for size in known)
        question = f"voxels of several sizes: {listed}. Images keep those of their files"
    else:
        stated = _listed(known[0])
        if None in sizes:
            question = (
                f"{stated} µm, as {sizes[known[0]]} of {len(images)} files say, is assumed of the "
                "others too"
            )
    line = f"    voxel_size_um: {stated}  # {structure}: [z, y, x] in micrometres"
    if question:
        asking.of_line(line, f"{structure}: {question}")
    return line


def _rounded(size: VoxelSize | None) -> VoxelSize | None:
    """Without the last digits, in which headers of the same size differ."""
    return None if size is None else tuple(float(f"{length:.4g}") for length in size)


def _listed(size: VoxelSize) -> str:
    return f"[{', '.join(f'{length:.6g}' for length in size)}]"


def _scored_as(structure: str) -> tuple[str, bool]:
    """How a structure is scored by the sound of its name, and whether the name says it at all."""
    filaments = ("vessel", "vascul", "arter", "capillar", "axon", "neurit", "nerve", "fiber")
    spots = ("cell", "nucle", "plaque", "cfos", "c-fos", "spot", "soma", "neuron", "microglia")
    if any(word in structure for word in filaments):
        return "vessel-like", True
    return "spot-like", any(word in structure for word in spots)


def _config_text(survey: Survey, name: str, template: str) -> str:
    values = {"NAME": name, "FOLDER": _in_a_comment(survey.folder)}
    return re.sub("@(NAME|FOLDER)@", lambda match: values[match[1]], template)


def _in_a_comment(text: object) -> str:
    """Text that does not end a comment's line."""
    return " ".join(str(text).split())
