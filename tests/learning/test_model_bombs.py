"""Model files of strangers: sizes and form before weights, and no code in them."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selma3d.learning.model_files import at_most_weights, check_window, read_weights
from selma3d.system.errors import InputError


class Code:
    def __reduce__(self) -> tuple:
        return os.system, ("true",)


def saved(path: Path, content: object = None) -> None:
    torch.save({"kind": "model", "state": torch.zeros(99)} if content is None else content, path)


def repacked(path: Path) -> None:
    saved(path, {"state": torch.zeros(1 << 22)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def overlapping(path: Path) -> None:
    """A zip in whose index every member is the first one."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", bytes(1 << 20))
        first = archive.infolist()[0]
        for number in range(20):
            entry = zipfile.ZipInfo(f"m/data/{number}")
            entry.file_size = entry.compress_size = first.file_size
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            archive.filelist.append(entry)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda p: None, "expected a model file, found nothing"),
    "a folder": (Path.mkdir, "found a folder, pipe or device"),
    "a pipe": (os.mkfifo, "found a folder, pipe or device"),
    "code": (lambda p: saved(p, {"a": Code()}), "without running code.*it is not run"),
    "a plain pickle": (lambda p: p.write_bytes(pickle.dumps(Code())), "does not load"),
    "packed members": (repacked, "found packed members"),
    "members on one another": (overlapping, "bytes at most, found members of"),
    "cut off": (lambda p: (saved(p), p.write_bytes(p.read_bytes()[:200])), "does not load"),
    "no mapping": (lambda p: saved(p, [1, 2]), "found list"),
}


@pytest.mark.parametrize("what", CASES)
def test_what_is_no_plain_model_is_refused_in_a_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "m.pt"
    made, message = CASES[what]
    made(path)
    with pytest.raises(InputError, match=rf"m\.pt: .*{message}") as refused:
        read_weights(path, "a model file")
    assert "\n" not in str(refused.value)


def test_a_larger_model_than_the_limit_is_not_opened(tmp_path: Path, monkeypatch) -> None:
    saved(tmp_path / "m.pt")
    assert read_weights(tmp_path / "m.pt", "a model file")["kind"] == "model"
    monkeypatch.setenv("SELMA3D_IMAGE_BYTES", "100")
    with pytest.raises(InputError, match="SELMA3D_IMAGE_BYTES"):
        read_weights(tmp_path / "m.pt", "a model file")


@pytest.mark.parametrize("window", [(1000, 1000, 1000), (0, 8, 8), (8, 8), (-8, -8, 8)])
def test_a_window_is_one_that_images_are_seen_through(tmp_path: Path, window) -> None:
    with pytest.raises(InputError, match="inference_window: expected"):
        check_window(window, tmp_path / "m.pt")
    check_window((128, 128, 128), tmp_path / "m.pt")


def test_a_network_has_no_more_weights_than_its_file() -> None:
    with at_most_weights(100):
        torch.nn.Linear(9, 10)
    with pytest.raises(ValueError, match="more than 100 weights"), at_most_weights(100):
        torch.nn.Linear(10, 10)
    torch.nn.Linear(1000, 1000)
