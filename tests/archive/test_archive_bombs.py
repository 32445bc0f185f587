"""Archives that unpack to more than they should, and headers without end."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from selma3d.archive import manifest
from selma3d.archive.unpack import unpack
from selma3d.system.errors import InputError

LIMITS = {"UNPACKED_ARCHIVE": "3e6", "UNPACKED_RATIO": "2", "MEMBERS": "50"}


@pytest.fixture(autouse=True)
def _low_limits(monkeypatch) -> None:
    for name, value in LIMITS.items():
        monkeypatch.setenv(f"SELMA3D_{name}", value)


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def tar(*parts: tuple[tarfile.TarInfo, bytes], end: int = 1024) -> bytes:
    content = b"".join(
        info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512) for info, data in parts
    )
    return gzip.compress(content + bytes(end), 1)


def zipped(*members: tuple[str, int]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in members:
            archive.writestr(name, bytes(size))
    return content.getvalue()


def sparse(end: int) -> bytes:
    """A file of so many zeros, none of them stored (old GNU form)."""
    info = member("a.nii", 0, tarfile.GNUTYPE_SPARSE)
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:398], head[398:410] = b"%011o\0" % end, b"%011o\0" % 0
    head[483:495] = b"%011o\0" % end
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return gzip.compress(bytes(head) + bytes(1024))


SMALL = (member("a.nii", 5), b"voxel")
BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zip of zeros": ("a.zip", lambda: zipped(("a.nii", 9_000_000)), "promise of 9000000"),
    "zip of many zeros": (
        "a.zip",
        lambda: zipped(*((f"{n}.nii", 100_000) for n in range(40))),
        "promise of 4000000",
    ),
    "zip of many members": (
        "a.zip",
        lambda: zipped(*((f"{n}.nii", 1) for n in range(60))),
        "at most 50 members",
    ),
    "tar of zeros": (
        "a.tar.gz",
        lambda: tar((member("a.nii", 9_000_000), bytes(9_000_000))),
        "at most 3000000 unpacked",
    ),
    "tar of many members": (
        "a.tar.gz",
        lambda: tar(*((member(f"{n}.nii"), b"") for n in range(60))),
        "at most 50 members",
    ),
    "tar of many folders": (
        "a.tar.gz",
        lambda: tar(*((member(f"{n}", 0, tarfile.DIRTYPE), b"") for n in range(60))),
        "at most 50 members",
    ),
    "tar with zeros behind its end": (
        "a.tar.gz",
        lambda: tar(SMALL, end=9_000_000),
        "at most 3000000 unpacked",
    ),
    "pax header of a megabyte": (
        "a.tar.gz",
        lambda: tar((member("x", 1_000_000, tarfile.XHDTYPE), bytes(1_000_000)), SMALL),
        "at most 262144 bytes",
    ),
    "long name of a megabyte": (
        "a.tar.gz",
        lambda: tar((member("x", 1_000_000, tarfile.GNUTYPE_LONGNAME), b"a" * 1_000_000), SMALL),
        "at most 262144 bytes",
    ),
    "headers in a chain": (
        "a.tar.gz",
        lambda: tar(*[(member("x", 1, tarfile.GNUTYPE_LONGNAME), b"a")] * 2000, SMALL),
        "too many levels",
    ),
    "sparse member": ("a.tar.gz", lambda: sparse(2_000_000), "sparse file"),
    "long name of its own": (
        "a.tar.gz",
        lambda: tar((member("x", 400, tarfile.GNUTYPE_LONGNAME), b"a" * 400), SMALL),
        "longer than 255",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_an_archive_out_of_proportion_is_one_line(tmp_path: Path, what: str) -> None:
    name, made, message = BOMBS[what]
    (tmp_path / name).write_bytes(made())
    with pytest.raises(InputError, match=rf"{name}: .*{message}") as refused:
        unpack(tmp_path / name, name, tmp_path / "out")
    assert "\n" not in str(refused.value)
    written = sum(file.stat().st_size for file in (tmp_path / "out").rglob("*"))
    assert written <= 3.1e6


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_honest_tars_are_unpacked(tmp_path: Path, mode: str, form: int) -> None:
    content = os.urandom(700_000)
    name = "a.tar" + mode[1:].replace(":", ".")
    long = "/".join(["folder" * 20] * 3) + "/é.nii"
    with tarfile.open(tmp_path / name, mode, format=form) as archive:
        for path in ("raw/a.nii", long):
            archive.addfile(member(path, len(content)), io.BytesIO(content))
    entries = unpack(tmp_path / name, name, tmp_path / "out")
    assert [entry.path for entry in entries] == ["raw/a.nii", long]
    assert (tmp_path / "out" / long).read_bytes() == content


def test_a_manifest_is_a_file_of_sizes_that_there_are(tmp_path: Path, monkeypatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="found a folder, pipe or device"):
        manifest.read(tmp_path / "pipe")
    (tmp_path / "m.tsv").write_text("path\tbytes\tsha256\na\t" + "9" * 5000 + "\t-\n")
    with pytest.raises(InputError, match="bytes: expected a whole number"):
        manifest.read(tmp_path / "m.tsv")
    monkeypatch.setenv("SELMA3D_TABLE_BYTES", "1000")
    with pytest.raises(InputError, match="at most 1000 bytes in a manifest"):
        manifest.read(tmp_path / "m.tsv")
