"""Checkpoints: written whole, the newest two kept, read only by the recipe that wrote them."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...challenge.recipe import Optimisation
from ...system.atomic import publish

log = logging.getLogger(__name__)

KEPT = 2


class Checkpoints:
    """The resumable state of one training, in a folder that the trainer owns (system/lease.py).

    record: everything that decides the result: settings, seed, digests of the inputs
    (weight_files.py). State that another recipe has left in the folder is set aside under a dated
    name.
    """

    def __init__(self, folder: str | Path, record: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fingerprint = fingerprint(record)
        self._record = json.loads(_canonical(record))
        self._set_aside_other_recipes()
        for leftover in self.folder.glob(".*.partial*"):
            leftover.unlink()

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write the state after `step` steps, then drop all but the newest two."""
        with publish(self._path(step)) as temporary:
            _write({"fingerprint": self.fingerprint, "step": step, **state}, temporary)
        for path in self._newest_first()[KEPT:]:
            path.unlink()

    def load(self) -> dict[str, Any] | None:
        """The newest state that is whole and of this recipe, on the CPU; None where there is none.

        A damaged file is renamed, with a warning, and the older one taken.
        """
        for path in self._newest_first():
            try:
                state = _read_whole(path)
                if state["fingerprint"] != self.fingerprint:
                    raise ValueError("it belongs to another recipe")
                log.info("%s: continuing after step %d", path, state["step"])
            except Exception as error:  # torch and zipfile raise many types for damaged files
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                log.warning("%s: unusable, falling back to an older one (%s)", path, reason)
                path.rename(path.with_suffix(".damaged"))
                continue
            return state
        return None

    @staticmethod
    def finished_in(folder: str | Path) -> Path:
        """The file that keeps the result of a training that has ended in `folder`."""
        return Path(folder) / "finished.pt"

    @property
    def finished(self) -> Path:
        """The file that keeps the result, once the training has ended."""
        return self.finished_in(self.folder)

    def finish(self, content: Mapping[str, Any]) -> None:
        """Keep the result, and drop the state that is no longer needed."""
        with publish(self.finished) as temporary:
            _write(content, temporary)
        for path in self._newest_first():
            path.unlink()

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def _set_aside_other_recipes(self) -> None:
        description = self.folder / "recipe.json"
        if description.exists():
            before = json.loads(description.read_text())
            if before == self._record:
                return
            aside = self.folder / time.strftime(f"set-aside-%Y-%m-%dT%H-%M-%S-{os.getpid()}")
            aside.mkdir()
            kept = ("set-aside-", "lease.", description.name)
            for path in self.folder.iterdir():
                if not path.name.startswith(kept):
                    path.rename(aside / path.name)
            description.rename(aside / description.name)  # last: a kill before it is repeated
            log.warning(
                "%s: the recipe or its input has changed (%s); the earlier state is now in %s",
                self.folder,
                ", ".join(_differences(before, self._record)),
                aside.name,
            )
        with publish(description) as temporary:
            temporary.write_text(_canonical(self._record))


def _write(content: Mapping[str, Any], path: Path) -> None:
    """Write with Python's own file: torch's hides which error a full disk is."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getbuffer())


def _read_whole(path: Path) -> dict[str, Any]:
    """Read a saved state and check its bytes: torch.load alone does not compare checksums."""
    with zipfile.ZipFile(path) as archive:
        if broken := archive.testzip():
            raise ValueError(f"wrong checksum of {broken}")
    return torch.load(path, map_location="cpu", weights_only=True)


class Saves:
    """When to save: every so many steps, and every so many seconds."""

    def __init__(self, settings: Optimisation, step: int) -> None:
        self._settings, self._step, self._at = settings, step, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether to save now; counts on it that it is done."""
        every, seconds = self._settings.save_every, self._settings.save_every_s
        by_step = every and step % every == 0
        if step > self._step and (by_step or time.monotonic() - self._at > seconds):
            self._step, self._at = step, time.monotonic()
            return True
        return False


def place(finished: Path, output: Path) -> None:
    """Give a finished file its published name: a hard link where possible, else a copy."""
    with publish(output) as temporary:
        try:
            os.link(finished, temporary)
        except OSError:
            shutil.copyfile(finished, temporary)


def fingerprint(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record's canonical JSON."""
    return hashlib.sha256(_canonical(record).encode()).hexdigest()


def digest(state: dict[str, Tensor]) -> str:
    """SHA-256 of a state_dict's names, types, shapes and bytes."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return hashed.hexdigest()


def _canonical(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, indent=1, default=str)


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], within: str = ""
) -> list[str]:
    """Dotted keys whose values differ."""
    keys = []
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            keys += _differences(old, new, f"{within}{key}.")
        elif old != new:
            keys.append(f"{within}{key}")
    return keys
