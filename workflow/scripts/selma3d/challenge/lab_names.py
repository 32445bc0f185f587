"""Names of a lab's files: what they say of masks, animals, channels and structures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

IMAGE_FOLDERS = ("raw", "images", "image", "imgs", "img", "imagestr", "imagests", "data", "crops")
MASK_FOLDERS = (
    *("gt", "labels", "label", "masks", "mask", "labelstr", "labelsts", "annotations"),
    *("groundtruth", "ground_truth", "seg", "segmentation", "segmentations", "annotated"),
)
TEST_FOLDERS = ("imagests", "labelsts", "test", "testing")
MASK_WORD = "mask|masks|gt|label|labels|labelled|labeled|seg|segmentation|annotation|groundtruth"
MASK_END = re.compile(rf"(?P<stem>.+?)[ ._-](?:{MASK_WORD})", re.IGNORECASE)
MASK_START = re.compile(rf"(?:{MASK_WORD})[ ._-](?P<stem>.+)", re.IGNORECASE)
IMAGE_END = re.compile(r"(?P<stem>.+?)[ ._-](?:raw|image|img|\d{4})", re.IGNORECASE)
CHANNEL_END = re.compile(r".+_(?P<channel>\d{4})")

# Words before the number of an animal, the surest first; a volume's number comes last.
SPECIMEN_WORDS = (
    *("brain", "mouse", "animal", "rat", "subject", "sub", "specimen", "mice", "fish"),
    *("id", "m", "sample", "vol", "volume"),
)
CHANNEL_FOLDER = re.compile(
    r"(?:c|ch|channel)[ _-]?\d{1,2}|ex[ _-]?\d{3}[ _-]em[ _-]?\d{3}|\d{3}(?:[ _-]?nm)?",
    re.IGNORECASE,
)
CHANNEL_IN_NAME = re.compile(
    r"(?<![A-Za-z0-9])(?:c\d{1,2}|ch\d{1,2}|channel\d{1,2}|w\d|ex_\d{3}_em_\d{3}|\d{3}nm)"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# Folders whose names say how images are kept, and nothing of what they show.
GENERIC = (
    *IMAGE_FOLDERS,
    *MASK_FOLDERS,
    *TEST_FOLDERS,
    *("patches", "patch", "training", "train", "volumes", "volume", "brains", "brain", "files"),
    *("scans", "scan", "stacks", "unannotated", "annotation", "labelled", "labeled", "c00", "c01"),
)


@dataclass(frozen=True)
class Pairs:
    """Masks by the path of their image; and masks without one, with the reason.

    An image whose channels are files of their own is their paths, separated by commas.
    """

    masks: dict[str, str]
    unpaired: dict[str, str]


def pair_masks(images: Sequence[str], stem_of: dict[str, str]) -> Pairs:
    """Find masks by folder (`raw/` and `gt/`, `imagesTr/` and `labelsTr/`) or by the end of a name.

    images: paths with `/`. stem_of: their names without extension.
    """
    masks, unpaired = {}, {}
    by_place: dict[tuple[str, str], list[str]] = {}
    for path in images:
        place = (str(PurePosixPath(path).parent), stem_of[path].casefold())
        by_place.setdefault(place, []).append(path)
    for path in images:
        if not is_mask_name(path, stem_of[path], by_place):
            continue
        partners = _channels_joined(_partners(path, stem_of[path], by_place), stem_of)
        if len(partners) == 1 and partners[0] not in masks:
            masks[partners[0]] = path
        elif len(partners) > 1:
            unpaired[path] = f"a mask of {len(partners)} images: {', '.join(sorted(partners)[:3])}"
        elif partners:
            unpaired[path] = f"a second mask of {partners[0]}, beside {masks[partners[0]]}"
        else:
            unpaired[path] = "a mask by its name, and no image beside it has the same name"
    return Pairs(masks, unpaired)


def is_mask_name(path: str, stem: str, by_place: dict[tuple[str, str], list[str]]) -> bool:
    """Whether the folder or the name says that it is a mask."""
    folder = PurePosixPath(path).parent
    if folder.name.casefold() in MASK_FOLDERS and _image_folders(folder, by_place):
        return True
    return bool(MASK_END.fullmatch(stem) or MASK_START.fullmatch(stem))


def _image_folders(folder: PurePosixPath, by_place: dict[tuple[str, str], list[str]]) -> list[str]:
    """Folders beside a folder of masks that hold the images, those with a like name first."""
    beside = {place for place, _ in by_place if PurePosixPath(place).parent == folder.parent}
    test = folder.name.casefold() in TEST_FOLDERS
    return [
        place
        for place in sorted(beside)
        if PurePosixPath(place).name.casefold() in IMAGE_FOLDERS
        and (PurePosixPath(place).name.casefold() in TEST_FOLDERS) == test
    ]


def _partners(path: str, stem: str, by_place: dict[tuple[str, str], list[str]]) -> list[str]:
    """Images that a mask may belong to."""
    folder = PurePosixPath(path).parent
    ends = [match["stem"] for p in (MASK_END, MASK_START) if (match := p.fullmatch(stem))]
    places = [str(folder)] if ends else []
    if folder.name.casefold() in MASK_FOLDERS:
        places = [*_image_folders(folder, by_place), *places]
    for place in places:
        for name in (stem, *ends):
            found = [
                other
                for image in _images_called(name, place, by_place)
                for other in by_place[image]
                if other != path
            ]
            if found:
                return found
    return []


def _channels_joined(paths: Sequence[str], stem_of: dict[str, str]) -> Sequence[str]:
    """Files `x_0000`, `x_0001`, … as one image; other paths as they are."""
    found = sorted((match["channel"], path) for path in paths
                   if (match := CHANNEL_END.fullmatch(stem_of[path])))  # fmt: skip
    if len(found) > 1 and [int(channel) for channel, _ in found] == list(range(len(paths))):
        return [",".join(path for _, path in found)]
    return paths


def _images_called(
    name: str, place: str, by_place: dict[tuple[str, str], list[str]]
) -> Iterable[tuple[str, str]]:
    """Places of images of a name in a folder, as it is or with `_raw`, `_0000` and the like."""
    wanted = name.casefold()
    if (place, wanted) in by_place:
        return [(place, wanted)]
    return [
        (folder, stem)
        for folder, stem in by_place
        if folder == place and (match := IMAGE_END.fullmatch(stem)) and match["stem"] == wanted
    ]


def channel_patterns(names: Sequence[str]) -> dict[str, str]:
    """Patterns such as `*_C00_*.tif` by channel, where a folder's planes are of several.

    Empty where names say nothing of channels, or where each does not fit one pattern and all as
    many.
    """
    found = [list(CHANNEL_IN_NAME.finditer(name)) for name in names]
    if len({len(matches) for matches in found}) != 1:
        return {}
    for matches in zip(*found, strict=True):
        patterns: dict[str, str] = {}
        for name, match in zip(names, matches, strict=True):
            before, after = name[: match.start()][-1:], name[match.end() :][:1]
            start = f"*{before}" if before else ""
            patterns[match[0]] = f"{start}{match[0]}{after}*{PurePosixPath(name).suffix}"
        fitting = Counter(
            channel
            for name in names
            for channel, pattern in patterns.items()
            if fnmatchcase(name, pattern)
        )
        if len(patterns) > 1 and sum(fitting.values()) == len(names):
            return dict(sorted(patterns.items())) if len(set(fitting.values())) == 1 else {}
    return {}


def specimen_of(path: str) -> str:
    """The animal that a path names, such as `brain6742` or `mouse 3`; empty where none is named.

    The surest word wins, wherever it stands; among equal ones the file's own name.
    """
    parts = list(reversed(PurePosixPath(path).parts))
    for word in SPECIMEN_WORDS:
        pattern = re.compile(rf"(?<![A-Za-z]){word}[ _-]?0*(\d+)(?![0-9]*[A-Za-z])", re.IGNORECASE)
        for part in parts:
            if match := pattern.search(part):
                return re.sub(r"[ _-]", "", match[0]).casefold()
    return ""


def structure_name(folder: str, fallback: str) -> str:
    """A structure's name from the folders of its images: the last that says what they show."""
    for part in reversed([*PurePosixPath(fallback).parts, *PurePosixPath(folder).parts]):
        if not is_generic(part) and not specimen_of(part):
            name = re.sub(r"[^a-z0-9]+", "-", part.casefold()).strip("-")
            if name:
                return name
    return "structure"


def is_generic(name: str) -> bool:
    """Whether a folder's name says nothing of what it holds, or only its channel."""
    return name.casefold() in GENERIC or bool(CHANNEL_FOLDER.fullmatch(name))


def without_extension(name: str) -> str:
    """The name of an image without its extensions, such as `.ome.zarr` or `.nii.gz`."""
    return re.sub(
        r"(\.(ome|zarr|tiff?|nii|gz|mha|npy|ims|n5|czi|h5|hdf5))+\Z", "", name, flags=re.IGNORECASE
    )


def sample_name(stem: str, taken: Iterable[str]) -> str:
    """A name for an image in the samples table, unlike those that are taken."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._") or "image"
    taken, number, free = set(taken), 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
