"""Manifests, names, archives within archives, local folders, refreshing: no network involved."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import stat
import tarfile
import threading
import zipfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from misbehaving_server import MisbehavingServer
from selma3d import archive
from selma3d.archive import archive_folder
from selma3d.archive.manifest import Entry, measure
from selma3d.archive.many_files import GIVE_UP_AFTER, for_each
from selma3d.archive.progress import amount, duration
from selma3d.archive.recorded_checksums import RecordedChecksums
from selma3d.archive.unpack import UnreadableError, unpack
from selma3d.challenge.edition import ArchiveSettings
from selma3d.system.errors import InputError
from selma3d.system.fingerprint import folder_fingerprint
from selma3d.system.paths import fault_of_name, refuse_collisions, safe_path, safe_paths

HOSTILE = {
    "absolute": "/etc/passwd",
    "climbs": "../outside.tif",
    "climbs inside": "a/../../outside.tif",
    "backslash": "..\\outside.tif",
    "drive": "C:outside.tif",
    "NUL": "a\0.tif",
    "newline": "a\nb.tif",
    "empty": "",
    "empty component": "a//b.tif",
    "dot": "./a.tif",
    "folder": "a/",
    "long": "x" * 256,
    "lone surrogate": "a\udc80.tif",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_manifest(path: Path, *rows: str, header: str = "path\tbytes\tsha256") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


# Names


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="refused as a file name"):
        safe_path(tmp_path, name)


@given(st.text(st.sampled_from("ab./\\:\0 C"), max_size=12))
def test_accepted_name_stays_below_its_root(name: str) -> None:
    root = Path("/some/archive")
    if fault_of_name(name) is None:
        path = Path(os.path.normpath(root / name))
        assert path.is_relative_to(root) and path != root


def test_name_that_passes_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    for name in ("link", "link/a.tif"):
        with pytest.raises(InputError, match="symbolic link"):
            safe_path(root, name)


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "archive").symlink_to("scratch")
    assert safe_path(tmp_path / "archive", "a/b") == tmp_path / "archive/a/b"


@pytest.mark.parametrize(
    "names",
    [("a.tif", "a.tif"), ("a.tif", "A.TIF"), ("é", "e\u0301"), ("a", "a/b"), ("a/b", "A")],
    ids=["equal", "case", "Unicode form", "file then folder", "folder then file"],
)
def test_names_that_need_the_same_place_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InputError, match="collides"):
        safe_paths(tmp_path, names)


def test_names_that_share_folders_do_not_collide() -> None:
    refuse_collisions(["raw/a.tif", "raw/b.tif", "raw/c/d.tif", "rawa"])


# Manifests


def test_manifest_is_read_with_its_unknowns(tmp_path: Path) -> None:
    known = sha256(b"x")
    path = write_manifest(tmp_path / "m.tsv", f"a/b.tif\t7\t{known.upper()}", "#c.tif\t-\t-")
    assert archive.manifest.read(path) == [Entry("a/b.tif", 7, known), Entry("#c.tif")]


def test_manifest_survives_writing_and_reading(tmp_path: Path) -> None:
    entries = [Entry("a", 1, sha256(b"x")), Entry("b c/é\u2028#", None, None)]
    archive.manifest.write(reversed(entries), tmp_path / "m.tsv", ["where it is from"])
    assert archive.manifest.read(tmp_path / "m.tsv") == entries
    assert (tmp_path / "m.tsv").read_text().startswith("# where it is from\npath\tbytes\t")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected the columns path, bytes, sha256"),
        ("path,bytes,sha256\n", "expected the columns"),
        ("path\tbytes\tsha256\n", "expected at least one file"),
        ("path\tbytes\tsha256\na\t1\n", "line 2: expected 3 tab-separated cells, found 2"),
        ("# note\npath\tbytes\tsha256\na\t1 kB\t-\n", "line 3: bytes: expected a whole number"),
        ("path\tbytes\tsha256\na\t-1\t-\n", "line 2: bytes: expected a whole number"),
        ("path\tbytes\tsha256\na\t1\tabc\n", "line 2: sha256: expected 64 hexadecimal"),
        ("path\tbytes\tsha256\n../a\t1\t-\n", "line 2: path '../a' is refused"),
        ("path\tbytes\tsha256\na\t-\t-\nA\t-\t-\n", "'A': refused as a file name: it collides"),
        ("path\tbytes\tsha256\na\t-\t-\n\n", "line 3: expected 3 tab-separated cells, found 1"),
    ],
)
def test_malformed_manifest_is_refused_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "m.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        archive.manifest.read(path)
    assert str(path) in str(refused.value)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing_or_binary_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        archive.manifest.read(tmp_path / "m.tsv")
    (tmp_path / "m.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        archive.manifest.read(tmp_path / "m.tsv")


def test_committed_manifests_are_valid_and_hold_the_known_checksums(repository: Path) -> None:
    for path in (repository / "config/manifests").glob("*.tsv"):
        archive.manifest.read(path)
    entries = archive.manifest.read(repository / "config/manifests/S-BIAD1196.tsv")
    assert sum(entry.sha256 is not None for entry in entries) == 60
    subsets = pd.Series([entry.path.split("/")[1] for entry in entries]).value_counts()
    assert subsets["VessAP_vessel"] == 24 * 3
    assert subsets["shannel_cells"] == 12 * 2


# Zip and tar


def make_zip(path: Path, members: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for member, content in members.items():
            opened.writestr(member, content)
    return path


def make_tar(path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for member in members:
            if member.isreg():
                member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return path


def zip_member(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("placeholder")
    member.filename = name
    member.external_attr = mode << 16
    return member


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


MEMBERS = {"s1/C00/0001.tif": b"plane 1", "s1/C00/0002.tif": b"plane 2", "empty": b""}


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_archive_is_unpacked_with_the_checksums_of_its_members(tmp_path: Path, suffix: str) -> None:
    folder = write(tmp_path / "in", MEMBERS)
    path = tmp_path / f"a.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as opened:
            for file in sorted(folder.rglob("*")):  # folders too
                opened.write(file, file.relative_to(folder))
    else:
        mode = {"tar": "w", "tgz": "w:gz"}.get(suffix, f"w:{suffix[4:]}")
        with tarfile.open(path, mode) as opened:
            opened.add(folder, arcname=".")  # members are named ./s1/…
    entries = unpack(path, path.name, tmp_path / "out")
    assert {entry.path: (entry.bytes, entry.sha256) for entry in entries} == {
        name: (len(content), sha256(content)) for name, content in MEMBERS.items()
    }
    assert {name: (tmp_path / "out" / name).read_bytes() for name in MEMBERS} == MEMBERS


def hostile_zip(path: Path, name: str) -> Path:
    return make_zip(path, {"first": b"1", zip_member(name, stat.S_IFREG | 0o644): b"2"})


def hostile_tar(path: Path, name: str) -> Path:
    return make_tar(path, tar_member("first"), tar_member(name))


IN_ZIP = HOSTILE.keys() - {"empty", "folder", "lone surrogate"}  # which no zip can hold
IN_TAR = IN_ZIP - {"NUL", "dot"}  # a header ends a name at NUL; ./ is how tar begins its names


@pytest.mark.parametrize(
    ("make", "name"),
    [(hostile_zip, HOSTILE[kind]) for kind in sorted(IN_ZIP)]
    + [(hostile_tar, HOSTILE[kind]) for kind in sorted(IN_TAR)],
)
def test_archive_with_a_hostile_name_is_refused(
    tmp_path: Path, make: Callable[[Path, str], Path], name: str
) -> None:
    path = make(tmp_path / ("a.zip" if make is hostile_zip else "a.tar.gz"), name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=rf"^{path.name}: .*refused"):
        unpack(path, path.name, tmp_path / "out")
    outside = {file for file in tmp_path.rglob("*") if not file.is_relative_to(tmp_path / "out")}
    assert sorted(outside) == before


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "first"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    path = make_tar(tmp_path / "a.tgz", tar_member("first"), tar_member("link", kind, target))
    with pytest.raises(InputError, match="'link' is refused: it is a link or a device"):
        unpack(path, "a.tgz", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = make_tar(tmp_path / "a.tgz", tar_member("device", kind))
    with pytest.raises(InputError, match="'device' is refused"):
        unpack(path, "a.tgz", tmp_path / "out")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {zip_member("link", stat.S_IFLNK | 0o777): b"/etc"})
    with pytest.raises(InputError, match="'link' is refused: it is a link"):
        unpack(path, "a.zip", tmp_path / "out")


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"secret.tif": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"'secret.tif' is refused: it is encrypted"):
        unpack(path, "a.zip", tmp_path / "out")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("a", "a/b"), ("a/b", "a")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_whose_members_collide_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name in names:
            opened.writestr(name, b"x")
    with pytest.raises(InputError, match="collides"):
        unpack(path, "a.zip", tmp_path / "out")


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_bomb_is_refused_before_it_is_written(tmp_path: Path, suffix: str) -> None:
    """Ten megabytes in ten kilobytes, on a disk that has to keep all but one of its free ones."""
    path = tmp_path / f"bomb.{suffix}"
    content = bytes(10_000_000)
    if suffix == "zip":
        make_zip(path, {"bomb": content})
    else:
        make_tar(path, tar_member("bomb"), content=content)
    free = archive_folder.shutil.disk_usage(tmp_path).free
    with pytest.raises(InputError, match=f"bomb.{suffix}: .*needs 10 MB .*must stay free"):
        unpack(path, path.name, tmp_path / "out", min_free_bytes=free - 1_000_000)
    assert not list((tmp_path / "out").iterdir())


def test_broken_archive_is_unreadable_whatever_is_broken(tmp_path: Path) -> None:
    """A flipped or missing byte never gives other content: it is refused, or did not matter."""
    rng = random.Random(0)
    planes = {f"{number}.tif": rng.randbytes(300) for number in range(3)}
    members = {name: tar_member(name) for name in planes}
    for suffix in ("zip", "tar.gz", "tar.xz", "tar.bz2"):
        path = tmp_path / f"a.{suffix}"
        if suffix == "zip":
            make_zip(path, dict(planes))
        else:
            with tarfile.open(path, f"w:{suffix[4:]}") as opened:
                for name, member in members.items():
                    member.size = len(planes[name])
                    opened.addfile(member, io.BytesIO(planes[name]))
        whole = path.read_bytes()
        refused = 0
        for _ in range(30):
            data = bytearray(whole)
            if rng.random() < 0.3:
                del data[rng.randrange(len(data)) :]
            else:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            try:
                entries = unpack(path, path.name, tmp_path / "out")
            except InputError as error:
                refused += 1
                assert str(error).startswith(path.name)
            else:
                contents = {sha256(content) for content in planes.values()}
                assert {entry.sha256 for entry in entries} <= contents
        assert refused > 10


def test_empty_archive_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.zip: expected files in the archive, found none"):
        unpack(make_zip(tmp_path / "a.zip", {}), "a.zip", tmp_path / "out")
    (tmp_path / "b.tar").write_bytes(b"<html>log in</html>" * 100)
    with pytest.raises(UnreadableError, match=r"b.tar: not a readable archive"):
        unpack(tmp_path / "b.tar", "b.tar", tmp_path / "out")


# Synthetic archives, and folders that are read where they lie


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Fetch a synthetic archive, the folder `in`, into `out`; the receipt as a table."""

    def fetched(*rows: str, **settings: int) -> pd.DataFrame:
        folder, out = tmp_path / "in", tmp_path / "out"
        (folder / "manifest.tsv").unlink(missing_ok=True)
        files = [path for path in folder.rglob("*") if path.is_file()]
        named = [f"{file.relative_to(folder)}\t-\t{sha256(file.read_bytes())}" for file in files]
        archive.fetch(
            ArchiveSettings.read({"kind": "phantom"}),
            write_manifest(folder / "manifest.tsv", *(rows or named)),
            out,
            out / "receipt.tsv",
            work=tmp_path / "work",
            settings=archive.DownloadSettings(**settings),
        )
        return pd.read_csv(out / "receipt.tsv", sep="\t").set_index("path")

    return fetched


@pytest.mark.parametrize("change", ["new file", "size", "time", "name", "gone", "folder gone"])
def test_a_folders_fingerprint_changes_with_its_files(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "lab"
    (folder / "gt").mkdir(parents=True)
    mask = folder / "gt" / "000.nii.gz"
    mask.write_text("mask")
    before = folder_fingerprint(folder)
    assert folder_fingerprint(folder) == before
    if change == "new file":
        (folder / "gt" / "001.nii.gz").write_text("mask")
    elif change == "size":
        mask.write_text("corrected")
    elif change == "time":
        os.utime(mask, ns=(0, 0))
    elif change == "name":
        mask.rename(folder / "gt" / "001.nii.gz")
    elif change == "gone":
        mask.unlink()
    else:
        shutil.rmtree(folder)
    assert folder_fingerprint(folder) != before


@pytest.mark.parametrize("name", [".DS_Store", "._000.nii.gz", "Thumbs.db", "@eaDir/000.nii.gz"])
def test_files_of_the_system_are_no_images(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "000.nii.gz").write_text("image")
    before = folder_fingerprint(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("of the system")
    assert folder_fingerprint(folder) == before


def test_synthetic_archive_is_linked_and_written_down(
    tmp_path: Path, bring: Callable[..., pd.DataFrame]
) -> None:
    folder = write(tmp_path / "in", MEMBERS)
    receipt = bring()
    assert dict(receipt.sha256) == {name: sha256(content) for name, content in MEMBERS.items()}
    assert set(receipt.source) == {str(folder)}
    for name in MEMBERS:
        assert (tmp_path / "out" / name).samefile(folder / name)


def test_synthetic_archive_is_copied_where_links_are_not_allowed(
    tmp_path: Path, bring: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_permitted(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(archive_folder.os, "link", not_permitted)
    write(tmp_path / "in", MEMBERS)
    for _ in range(2):  # the second time, what was copied stays
        bring()
    assert {name: (tmp_path / "out" / name).read_bytes() for name in MEMBERS} == MEMBERS
    assert not (tmp_path / "out/empty").samefile(tmp_path / "in/empty")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"empty\t-\t{'0' * 64}", "in/empty: expected sha256 000"),
        ("empty\t3\t-", "in/empty: expected 3 bytes, found 0"),
        ("absent.tif\t-\t-", "in/absent.tif: expected a file, found none"),
        ("s1\t-\t-", "in/s1: expected a file, found none"),
    ],
)
def test_synthetic_file_that_contradicts_the_manifest_is_refused(
    tmp_path: Path, bring: Callable[..., pd.DataFrame], row: str, expected: str
) -> None:
    write(tmp_path / "in", MEMBERS)
    with pytest.raises(InputError, match=expected):
        bring(row)
    assert not (tmp_path / "out/receipt.tsv").exists()


def test_file_that_the_archive_does_not_hold_is_found(
    tmp_path: Path, bring: Callable[..., pd.DataFrame]
) -> None:
    """It could be one of an earlier manifest, and would be converted with the others."""
    write(tmp_path, {"in/a.tif": b"a", "out/old/b.tif": b"b", "out/.hidden": b""})
    with pytest.raises(InputError, match=r"out: .*found 1 more, such as old/b.tif"):
        bring()
    (tmp_path / "out/old/b.tif").unlink()
    assert list(bring().index) == ["a.tif"]


def test_what_a_killed_run_left_half_written_is_removed(
    tmp_path: Path, bring: Callable[..., pd.DataFrame]
) -> None:
    write(tmp_path, {"in/a.tif": b"a", "out/s/.a.4711.partial.tif": b"ha"})
    bring()
    assert not (tmp_path / "out/s/.a.4711.partial.tif").exists()


def test_a_file_cannot_take_the_name_of_the_receipt(
    tmp_path: Path, bring: Callable[..., pd.DataFrame]
) -> None:
    write(tmp_path, {"in/receipt.tsv": b"mine"})
    with pytest.raises(InputError, match="receipt"):
        bring()


def test_a_receipt_is_the_same_every_time(
    tmp_path: Path, bring: Callable[..., pd.DataFrame]
) -> None:
    write(tmp_path / "in", MEMBERS)
    bring()
    receipt = tmp_path / "out/receipt.tsv"
    first = receipt.read_bytes()
    receipt.unlink()
    bring(workers=1)
    assert receipt.read_bytes() == first


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "local"}, "kind: expected biostudies, zenodo, urls or phantom, found 'local'"),
        ({}, "kind: expected biostudies, zenodo, urls or phantom, found None"),
        ({"kind": "phantom"}, "manifest: expected"),
        ({"kind": "urls"}, "urls: expected at least one"),
        ({"kind": "urls", "urls": ["file:///etc/passwd"]}, "expected an address that begins"),
        ({"kind": "urls", "urls": ["ftp://a.b/c"]}, "expected an address that begins"),
        ({"kind": "urls", "urls": ["http://a/b/"]}, "the file name '' in it is refused"),
        ({"kind": "urls", "urls": ["http://a/..%2Fb"]}, "is refused: it climbs"),
        ({"kind": "urls", "urls": ["http://a/b%2Fc"]}, "is refused: it has a folder"),
        ({"kind": "urls", "urls": ["http://a/b", "http://c/b"]}, "the same file name"),
        ({"kind": "urls", "urls": ["http://a/b", "http://c/B"]}, "collides"),
        ({"kind": "biostudies"}, "accession: expected"),
        ({"kind": "biostudies", "accession": "S-BIAD1"}, "S-BIAD1: expected a manifest"),
        ({"kind": "biostudies", "accession": "S-BIAD1", "roots": ["x"]}, "expected an address"),
    ],
)
def test_malformed_source_is_refused(
    tmp_path: Path, source: dict[str, object], expected: str
) -> None:
    with pytest.raises(InputError) as refused:
        archive.fetch(
            ArchiveSettings.read(source),
            None,
            tmp_path / "out",
            tmp_path / "r.tsv",
            work=tmp_path / "work",
        )
    assert expected in str(refused.value)


def test_manifest_and_urls_must_name_the_same_files(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.tsv", "a.zip\t-\t-")
    with pytest.raises(InputError, match=r"(a|b)\.zip: named in .*the two must name"):
        archive.fetch(
            ArchiveSettings.read({"kind": "urls", "urls": ["http://127.0.0.1:9/b.zip"]}),
            manifest,
            tmp_path / "out",
            tmp_path / "r.tsv",
            work=tmp_path / "work",
        )


# What is shared by all kinds


def test_file_moves_from_one_disk_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = write(tmp_path, {"work/x.part": b"content"}) / "work/x.part"
    rename = Path.replace

    def between_disks(path: Path, target: Path) -> Path:
        if path.parent != Path(target).parent:
            raise OSError(18, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", between_disks)
    final = tmp_path / "out/x"
    archive_folder.place(temporary, final, measure(temporary, "x"))
    assert final.read_bytes() == b"content"
    assert not temporary.exists()


def test_copy_that_is_not_like_its_origin_gets_no_final_name(
    tmp_path: Path, bring: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    def badly(_: Path, target: Path) -> None:
        target.write_bytes(b"A")

    monkeypatch.setattr(archive_folder.os, "link", no_link)
    monkeypatch.setattr(archive_folder.shutil, "copyfile", badly)
    write(tmp_path / "in", {"a.tif": b"a"})
    with pytest.raises(InputError, match=r"a.tif: the copy of .* is not like it"):
        bring()
    assert not (tmp_path / "out/a.tif").exists()


def test_known_checksums_survive_a_kill_in_mid_line(tmp_path: Path) -> None:
    known = RecordedChecksums(tmp_path / "known.tsv")
    a, b = Entry("a", 1, sha256(b"a")), Entry("b", 2, sha256(b"bb"))
    known.record(a)
    known.record(b)
    whole = (tmp_path / "known.tsv").read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "known.tsv").write_bytes(whole[:size])
        again = RecordedChecksums(tmp_path / "known.tsv")
        again.record(b)
        assert again.complete(Entry("b")) == b
        assert RecordedChecksums(tmp_path / "known.tsv").complete(Entry("a")) in {a, Entry("a")}
        assert RecordedChecksums(tmp_path / "known.tsv").complete(Entry("b")) == b


def test_known_checksum_yields_to_a_manifest_that_knows_better(tmp_path: Path) -> None:
    known = RecordedChecksums(tmp_path / "known.tsv")
    known.record(Entry("a", 1, sha256(b"a")))
    stated = Entry("a", None, sha256(b"b"))
    assert known.complete(stated) == stated
    assert known.complete(Entry("a", 2)) == Entry("a", 2)
    known.record(Entry("a", 2, sha256(b"bb")))
    assert RecordedChecksums(tmp_path / "known.tsv").complete(Entry("a", 2)).sha256 == sha256(b"bb")


def test_one_failure_does_not_stop_the_others_but_many_do() -> None:
    tried: list[int] = []

    def work(number: int) -> int:
        tried.append(number)
        if number in {1, 3}:
            raise InputError(f"file {number}")
        return number

    with pytest.raises(InputError, match=r"^2 files failed, 0 were not tried; .*file 1 \| file 3"):
        for_each(range(6), work, 1)
    assert tried == list(range(6))

    def fail(number: int) -> None:
        raise InputError(f"file {number}")

    with pytest.raises(InputError, match=r"files failed, \d+ were not tried"):
        for_each(range(100 * GIVE_UP_AFTER), fail, 2)


def test_an_unexpected_error_stops_the_others() -> None:
    tried: list[int] = []

    def work(number: int) -> None:
        tried.append(number)
        if number == 2:
            raise KeyboardInterrupt
        stop.wait(0.05)

    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        for_each(range(100), work, 1, stop)
    assert stop.is_set()
    assert len(tried) < 100


def test_amounts_and_durations_read_well() -> None:
    assert [amount(size) for size in (0, 999, 999.9, 1_500, 2.5e9, 7e12)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1.5 kB",
        "2.5 GB",
        "7 TB",
    ]
    assert [duration(seconds) for seconds in (40, 720, 12_600)] == ["40 s", "12 min", "3.5 h"]


# Refreshing a manifest. The answers have the form that BioStudies documents and serves: a page-tab
# tree whose sections hold attributes, files, links and subsections (tables of them are lists in
# the list), and file lists that lie among the files.

STUDY = {
    "accno": "S-BIAD0",
    "attributes": [{"name": "Title", "value": "Patches"}, {"name": "RootPath", "value": "x"}],
    "section": {
        "type": "Study",
        "attributes": [{"name": "License", "value": "CC BY 4.0"}, {"name": "Empty"}],
        "files": [{"path": "readme.txt", "size": 5, "type": "file"}],
        "links": [[{"url": "https://selma3d.grand-challenge.org"}]],
        "subsections": [
            [{"type": "Author", "attributes": [{"name": "Name", "value": "A. B."}]}],
            {
                "type": "Study Component",
                "attributes": [
                    {"name": "Name", "value": "Patches"},
                    {"name": "File List", "value": "file list.json"},
                ],
                "subsections": [
                    {
                        "type": "Annotations",
                        "attributes": [{"name": "File List", "value": "gt.tsv"}],
                    }
                ],
            },
        ],
    },
    "type": "submission",
}
RAW = [
    {"path": "raw/a.nii.gz", "size": 10, "type": "file", "attributes": [{"name": "n"}]},
    {"path": "raw/b.nii.gz", "size": 20, "type": "file", "attributes": []},
    {"path": "raw/whole.zarr", "size": 99, "type": "directory"},
]
GT = [{"path": "gt/a.nii.gz", "size": 3, "type": "file"}]


def biostudies(study: object = STUDY, raw: object = RAW, gt: object = GT) -> dict[str, bytes]:
    return {
        name: json.dumps(answer).encode()
        for name, answer in {
            "api/S-BIAD0": study,
            "files/file list.json": raw,
            "files/gt.json": gt,
        }.items()
    }


def refresh(server: MisbehavingServer, manifest: Path) -> str:
    return archive.refresh(
        ArchiveSettings.read(
            {"kind": "biostudies", "accession": "S-BIAD0", "roots": [f"{server.url}/files/"]}
        ),
        manifest,
        api=f"{server.url}/api",
        settings=archive.DownloadSettings(retries=1, first_pause_s=0.001),
    )


def test_refresh_makes_a_manifest_and_says_what_is_new(tmp_path: Path) -> None:
    with MisbehavingServer(biostudies()) as server:
        server.faults["api/S-BIAD0"] = deque(["unavailable"])
        text = refresh(server, tmp_path / "m.tsv")
        assert archive.manifest.read(tmp_path / "m.tsv") == [
            Entry("gt/a.nii.gz", 3),
            Entry("raw/a.nii.gz", 10),
            Entry("raw/b.nii.gz", 20),
            Entry("readme.txt", 5),
        ]
        assert text.splitlines() == [
            "+ gt/a.nii.gz: 3 bytes, sha256 -",
            "+ raw/a.nii.gz: 10 bytes, sha256 -",
            "+ raw/b.nii.gz: 20 bytes, sha256 -",
            "+ readme.txt: 5 bytes, sha256 -",
            "! raw/whole.zarr: a folder without a list of its files; not taken",
            "S-BIAD0: 4 files, 38 B; 4 new, 0 gone, 0 changed",
        ]
        written = (tmp_path / "m.tsv").stat().st_mtime_ns
        assert refresh(server, tmp_path / "m.tsv").endswith("0 new, 0 gone, 0 changed")
        assert (tmp_path / "m.tsv").stat().st_mtime_ns == written


def test_refresh_keeps_checksums_and_forgets_outdated_ones(tmp_path: Path) -> None:
    one, two = (sha256(name) for name in (b"1", b"2"))
    manifest = write_manifest(
        tmp_path / "m.tsv", f"raw/a.nii.gz\t-\t{one}", f"raw/b.nii.gz\t19\t{two}", "old\t1\t-"
    )
    with MisbehavingServer(biostudies()) as server:
        text = refresh(server, manifest)
    checksums = {entry.path: entry.sha256 for entry in archive.manifest.read(manifest)}
    assert checksums == {
        "gt/a.nii.gz": None,
        "raw/a.nii.gz": one,
        "raw/b.nii.gz": None,
        "readme.txt": None,
    }
    assert "- old: 1 bytes, sha256 -" in text
    assert f"~ raw/b.nii.gz: 19 bytes, sha256 {two[:12]} -> 20 bytes, sha256 -" in text
    assert text.endswith("2 new, 1 gone, 2 changed")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (biostudies(study=[]), "expected a study with a section"),
        (biostudies() | {"api/S-BIAD0": b"<html>"}, "expected JSON"),
        (biostudies(study={"section": {}}), "expected files, found none"),
        (biostudies(raw={"detail": "error"}), "expected a list of files"),
        (biostudies(raw=["a"]), "expected a file with a path, found a"),
        (biostudies(raw=[{"path": "../a", "size": 1}]), "path '../a' is refused"),
        (biostudies(raw=[{"path": "a", "size": "1"}]), "a: size: expected a whole number"),
        (biostudies(raw=[{"path": "a", "size": 1}, {"path": "A", "size": 1}]), "collides"),
        ({}, "answered 404"),
    ],
)
def test_refresh_that_is_not_understood_leaves_the_manifest_alone(
    tmp_path: Path, answers: dict[str, bytes], expected: str
) -> None:
    manifest = write_manifest(tmp_path / "m.tsv", "a\t1\t-")
    before = manifest.read_bytes()
    with MisbehavingServer(answers) as server, pytest.raises(InputError, match=expected):
        refresh(server, manifest)
    assert manifest.read_bytes() == before


def test_only_an_accession_can_be_refreshed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kind: expected biostudies or zenodo, found 'urls'"):
        archive.refresh(ArchiveSettings(kind="urls"), tmp_path / "m.tsv")
