"""Grand Challenge's `predictions.json`: the mask file of each image.

The file is a list of jobs: `pk`, `inputs` and `outputs`. Each of the latter lists values: an
`image` with its `name`, and an `interface` (in 2026 a `socket`) with `slug` and `relative_path`. A
job's mask lies at `<pk>/output/<relative_path>/`, one file, beside the predictions.json. Inferred:
where `relative_path` is absent it is `images/<slug>`, as the platform names its image sockets.
Source of the form: the organisers' public evaluation code of 2024 and 2026.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..images.readers import image_suffix
from ..system.errors import InputError
from ..system.fingerprint import visible
from ..system.json_text import parsed_json
from ..system.limits import check_file
from ..system.paths import safe_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlgorithmRun:
    """One run of an algorithm: the file name of the image that it saw, its mask or None."""

    image: str
    mask: Path | None


def read_jobs(path: Path) -> list[AlgorithmRun]:
    """The jobs of a predictions.json, in its order; a job without a mask is logged.

    Raises InputError for another form, several images or masks a job, and names that lead out of
    the file's folder.
    """
    check_file(path, "a predictions.json", "TEXT_BYTES")
    try:
        content = parsed_json(path.read_bytes(), path)
    except FileNotFoundError:
        raise InputError(f"{path}: expected a predictions.json, found nothing") from None
    if not isinstance(content, list):
        raise InputError(f"{path}: expected a list of jobs, found {type(content).__name__}")
    return [_job(path, f"job {number}", job) for number, job in enumerate(content)]


def _job(path: Path, where: str, job: Any) -> AlgorithmRun:
    pk = job.get("pk") if isinstance(job, dict) else None
    if not isinstance(pk, str):
        raise InputError(f"{path}: {where}: pk: expected text, found {pk!r}")
    inputs, outputs = (_images(path, f"{where}: {key}", job.get(key)) for key in _LISTS)
    if len(inputs) != 1:
        raise InputError(f"{path}: {where}: inputs: expected one image, found {len(inputs)}")
    if len(outputs) > 1:
        raise InputError(f"{path}: {where}: outputs: expected one image, found {len(outputs)}")
    name = inputs[0]["image"].get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: {where}: inputs: image.name: expected text, found {name!r}")
    mask = _mask(path, where, pk, outputs[0]) if outputs else None
    if mask is None:
        log.warning("%s: %s: no mask of image %s", path, where, name)
    return AlgorithmRun(name, mask)


_LISTS = ("inputs", "outputs")


def _images(path: Path, where: str, values: Any) -> list[dict[str, Any]]:
    """The values that are images; numbers and texts beside them are of no interest here."""
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise InputError(f"{path}: {where}: expected a list of mappings, found {values!r:.80}")
    return [value for value in values if isinstance(value.get("image"), dict)]


def _mask(path: Path, where: str, pk: str, output: dict[str, Any]) -> Path | None:
    socket = output.get("interface") or output.get("socket")
    if not isinstance(socket, dict) or not isinstance(socket.get("slug"), str):
        raise InputError(f"{path}: {where}: outputs: expected interface.slug, found {socket!r:.80}")
    place = socket.get("relative_path") or f"images/{socket['slug']}"
    try:
        folder = safe_path(path.parent, f"{pk}/output/{place}")
        found = visible(folder) if folder.is_dir() else []
        masks = [file for file in found if image_suffix(file)]
        if len(masks) > 1:
            raise InputError(f"{folder}: expected one mask, found {len(masks)}")
        names = [mask.relative_to(path.parent).as_posix() for mask in masks]
        return safe_path(path.parent, names[0]) if names else None
    except InputError as error:
        raise InputError(f"{path}: {where}: {error}") from None
