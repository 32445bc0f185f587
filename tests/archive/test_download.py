"""Downloads against a server that fails as public servers do (misbehaving_server, loopback)."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from misbehaving_server import BLOCK, FAULTS, MisbehavingServer
from selma3d import archive
from selma3d.archive import archive_folder, download
from selma3d.archive.listing import listing
from selma3d.challenge.edition import ArchiveSettings
from selma3d.system.errors import InputError

SEEN_THROUGH = sorted({*FAULTS} - {"wrong bytes"})  # even where no checksum is known


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def random_files(count: int, size: int, seed: int = 0) -> dict[str, bytes]:
    rng = random.Random(seed)
    return {f"raw/{number:03d}.nii.gz": rng.randbytes(size) for number in range(count)}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Site:
    """An accession on a misbehaving server, and the folders that it is fetched into."""

    def __init__(self, folder: Path, server: MisbehavingServer) -> None:
        self.server = server
        self.out, self.work = folder / "out", folder / "work"
        self.receipt, self.manifest = self.out / "receipt.tsv", folder / "manifest.tsv"
        self.roots = [server.url]
        self.state(checksums=True)

    def state(self, *, checksums: bool = False, sizes: bool = False) -> None:
        """Write the manifest, with what of the files is to be known beforehand."""
        rows = [
            f"{path}\t{len(content) if sizes else '-'}\t{sha256(content) if checksums else '-'}"
            for path, content in self.server.files.items()
        ]
        self.manifest.write_text("\n".join(["path\tbytes\tsha256", *rows]) + "\n")

    def fetch(self, **settings: Any) -> None:
        source = {"kind": "biostudies", "accession": "S-BIAD0", "roots": self.roots}
        self.call(source, self.manifest, **settings)

    def fetch_urls(self, *paths: str, manifest: Path | None = None, **settings: Any) -> None:
        urls = [f"{self.server.url}/{path}" for path in paths]
        self.call({"kind": "urls", "urls": urls}, manifest, **settings)

    def call(self, source: dict[str, Any], manifest: Path | None, **settings: Any) -> None:
        archive.fetch(
            ArchiveSettings.read(source),
            manifest,
            self.out,
            self.receipt,
            work=self.work,
            settings=archive.DownloadSettings(
                **{"first_pause_s": 0.001, "timeout_s": 0.4, **settings}
            ),
        )

    def downloaded(self) -> dict[str, bytes]:
        """What has a final name, apart from the receipt."""
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and path != self.receipt and not path.name.startswith(".receipt")
        }

    def gets(self) -> list[str]:
        return [request.path for request in self.server.requests if request.method == "GET"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start a server for these files; it is stopped after the test."""
    running: list[MisbehavingServer] = []

    def start(files: dict[str, bytes], **behaviour: Any) -> Site:
        server = MisbehavingServer(files, **behaviour)
        running.append(server.__enter__())
        folder = tmp_path / str(len(running))
        folder.mkdir()
        return Site(folder, server)

    yield start
    for server in running:
        server.__exit__(None, None, None)


# What a rule sees


def test_files_arrive_and_the_receipt_is_written_last(site: Callable[..., Site]) -> None:
    here = site(random_files(5, 50_000) | {"empty.txt": b"", "with space#%.txt": b"x"})
    here.fetch()
    assert here.downloaded() == here.server.files
    receipt = pd.read_csv(here.receipt, sep="\t")
    assert list(receipt.columns) == ["path", "bytes", "sha256", "source"]
    assert list(receipt.path) == sorted(here.server.files)
    for row in receipt.itertuples():
        content = here.server.files[row.path]
        assert (row.bytes, row.sha256) == (len(content), sha256(content))
        assert row.source.startswith(here.server.url)
    assert here.receipt.stat().st_mtime_ns >= max(
        path.stat().st_mtime_ns for path in here.out.rglob("*.nii.gz")
    )


def test_second_run_asks_for_nothing_and_writes_the_same_receipt(
    site: Callable[..., Site],
) -> None:
    for known in ({"checksums": True}, {"sizes": True}, {}):
        here = site(random_files(4, 10_000))
        here.state(**known)
        here.fetch()
        receipt = here.receipt.read_bytes()
        here.receipt.unlink()  # as Snakemake does before a job
        here.server.requests.clear()
        here.fetch()
        assert here.server.requests == []
        assert here.receipt.read_bytes() == receipt


def test_several_files_at_a_time_but_not_more_from_one_host(site: Callable[..., Site]) -> None:
    for per_host, most in ((4, 4), (2, 2), (1, 1)):
        here = site(random_files(8, 1_000), latency_s=0.05)
        here.fetch(workers=4, per_host=per_host)
        assert here.server.most_at_once == most


def test_progress_is_logged_with_rate_and_remaining_time(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selma3d.archive.progress.LOG_EVERY_S", 0.05)
    here = site(random_files(1, 200_000), rate=400_000)
    with caplog.at_level(logging.INFO):
        here.fetch()
    assert "out: 1 files to download, 200 kB" in caplog.text
    assert "out: 1 files, 200 kB, all verified" in caplog.text
    lines = [record.message for record in caplog.records if "left" in record.message]
    assert lines[0].startswith("out: 0 of 1 files, ")
    assert " of 200 kB, " in lines[0] and "kB/s, " in lines[0]


# Faults


@pytest.mark.parametrize("fault", FAULTS)
def test_every_file_arrives_right_after_a_fault(site: Callable[..., Site], fault: str) -> None:
    here = site(random_files(2, 60_000))
    here.server.faults["raw/000.nii.gz"] = deque(["drop", fault])  # the second with a range
    here.server.faults["raw/001.nii.gz"] = deque([fault])
    if fault == "web page":
        here.state(checksums=True, sizes=True)
    here.fetch()
    assert here.downloaded() == here.server.files


@pytest.mark.parametrize("fault", SEEN_THROUGH)
def test_fault_is_seen_through_without_a_checksum(site: Callable[..., Site], fault: str) -> None:
    here = site(random_files(1, 60_000))
    here.state()
    here.server.faults["raw/000.nii.gz"] = deque(["drop", fault])
    if fault == "web page":
        with pytest.raises(InputError, match=r"raw/000.nii.gz: .* sent a web page instead"):
            here.fetch()
        assert here.downloaded() == {}
    here.fetch()
    assert here.downloaded() == here.server.files


@pytest.mark.parametrize("fault", sorted({*FAULTS} - {"redirect", "slow", "no range"}))
def test_lasting_fault_fails_the_run_and_names_the_file(
    site: Callable[..., Site], fault: str
) -> None:
    here = site(random_files(3, 60_000))
    here.server.faults["raw/001.nii.gz"] = deque([fault] * 20)
    if fault == "wrong range":
        here.server.faults["raw/001.nii.gz"].appendleft("drop")
    with pytest.raises(InputError, match=r"raw/001\.nii\.gz: not downloaded: http://") as failed:
        here.fetch(retries=2, timeout_s=0.1)
    assert "\n" not in str(failed.value)
    assert not here.receipt.exists()
    assert here.downloaded().keys() == {"raw/000.nii.gz", "raw/002.nii.gz"}


def test_redirect_without_end_fails_the_run(site: Callable[..., Site]) -> None:
    here = site(random_files(1, 100))
    here.server.faults["raw/000.nii.gz"] = deque(["redirect"] * 1000)
    with pytest.raises(InputError, match=r"raw/000.nii.gz: not downloaded: .*redirects"):
        here.fetch(retries=0)


def test_two_hundred_faults_put_no_wrong_content_under_a_final_name(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    """Whenever one looks, and after every failed run, what has a final name is right."""
    rng = random.Random(1)
    here = site(random_files(20, 3 * BLOCK))
    kinds = [*FAULTS] * 16 + rng.choices(FAULTS, k=200 - 16 * len(FAULTS))
    rng.shuffle(kinds)
    paths = list(here.server.files)
    for number, fault in enumerate(kinds):
        here.server.faults[paths[number % len(paths)]].append(fault)
    wrong: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            with contextlib.suppress(FileNotFoundError):  # put aside below
                wrong.extend(
                    path
                    for path, content in here.downloaded().items()
                    if content != here.server.files.get(path)
                )

    watching = threading.Thread(target=watch)
    watching.start()
    failed = whole = 0
    try:
        while any(here.server.faults.values()) and failed + whole < 100:
            try:
                here.fetch(retries=2, timeout_s=0.1)
            except InputError as error:
                assert "raw/" in str(error)
                assert not here.receipt.exists()
                failed += 1
            else:
                assert here.downloaded() == here.server.files
                here.out.rename(tmp_path / f"whole {whole}")
                whole += 1
    finally:
        done.set()
        watching.join()
    assert not any(here.server.faults.values()), "all 200 faults were met"
    assert wrong == []
    assert failed > 0
    assert whole > 0


def test_missing_file_is_not_asked_for_again(site: Callable[..., Site]) -> None:
    here = site(random_files(2, 1_000))
    del here.server.files["raw/001.nii.gz"]
    with pytest.raises(InputError, match=r"raw/001.nii.gz: not downloaded: .*answered 404"):
        here.fetch()
    assert here.gets().count("raw/001.nii.gz") == 1


def test_server_that_is_gone_is_given_up_soon(site: Callable[..., Site]) -> None:
    here = site(random_files(60, 10))
    here.roots = ["http://127.0.0.1:9"]  # discard: nobody listens
    with pytest.raises(InputError, match=r"files failed, \d\d were not tried; .*Connection"):
        here.fetch(retries=0)


def test_retry_after_is_honoured(site: Callable[..., Site]) -> None:
    here = site(random_files(1, 1_000), retry_after="1")
    here.server.faults["raw/000.nii.gz"] = deque(["busy"])
    began = time.monotonic()
    here.fetch()
    assert time.monotonic() - began >= 1


def test_server_that_wants_to_be_left_alone_for_hours_is(site: Callable[..., Site]) -> None:
    here = site(random_files(1, 1_000), retry_after="7200")
    here.server.faults["raw/000.nii.gz"] = deque(["busy"])
    with pytest.raises(InputError, match=r"answered 429 .*asked again in 7200 s"):
        here.fetch()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("", 0), ("soon", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float) -> None:
    response = download.requests.Response()
    response.headers["Retry-After"] = value
    assert download._retry_after_s(response) == seconds


def test_pauses_grow_and_are_bounded() -> None:
    settings = download.DownloadSettings(first_pause_s=1.0)
    for turn in range(20):
        longest = min(2.0**turn, download.LONGEST_PAUSE_S)
        assert longest / 2 <= settings.pause_s(turn) <= longest


# Continuing


def test_broken_transfer_continues_where_it_stopped(site: Callable[..., Site]) -> None:
    size = 6 * BLOCK
    for known in ({"checksums": True}, {"sizes": True}, {}):
        here = site(random_files(1, size))
        here.state(**known)
        here.server.faults["raw/000.nii.gz"] = deque(["drop"])
        here.fetch()
        assert here.downloaded() == here.server.files
        assert here.server.sent() == size
        assert here.server.requests[-1].range_header == f"bytes={size // 2}-"


KILLED = """
import sys
from pathlib import Path
from selma3d import archive
from selma3d.challenge.edition import ArchiveSettings
url, folder = sys.argv[1], Path(sys.argv[2])
source = ArchiveSettings(kind="urls", urls=(url,))
archive.fetch(source, None, folder / "out", folder / "out/receipt.tsv", work=folder / "work")
"""


def test_killed_download_continues_where_it_stopped(
    site: Callable[..., Site], repository: Path
) -> None:
    """Killed twice by SIGKILL; the server counts what it sent."""
    size = 6_000_000
    content = random.Random(2).randbytes(size)
    here = site({"big.bin": content}, rate=4_000_000)
    folder = here.out.parent
    for kill in (1, 2):
        running = subprocess.Popen(
            [sys.executable, "-c", KILLED, f"{here.server.url}/big.bin", str(folder)],
            env=os.environ | {"PYTHONPATH": str(repository / "workflow/scripts")},
        )
        while here.server.sent() < kill * size // 3:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        (part,) = here.work.glob("parts/*.part")
        in_hand = part.read_bytes()
        assert content.startswith(in_hand)
        assert not here.receipt.exists()
        assert here.downloaded() == {}
    here.server.rate = None
    here.fetch_urls("big.bin")
    assert here.downloaded() == {"big.bin": content}
    last = here.server.requests[-1]
    assert last.range_header == f"bytes={len(in_hand)}-"
    assert last.sent == size - len(in_hand)
    assert here.server.sent() < 1.25 * size  # what the kills cost was on the wire
    assert not list(here.work.glob("parts/*"))


def test_whole_part_is_not_downloaded_again(site: Callable[..., Site]) -> None:
    """Killed between the last byte and the final name."""
    here = site(random_files(1, 50_000))
    here.server.faults["raw/000.nii.gz"] = deque(["drop"])
    with pytest.raises(InputError):
        here.fetch(retries=0)
    (part,) = here.work.glob("parts/*.part")
    part.write_bytes(here.server.files["raw/000.nii.gz"])
    before = here.server.sent()
    here.fetch()
    assert here.server.sent() == before
    assert here.downloaded() == here.server.files


@pytest.mark.parametrize("validators", [True, False])
@pytest.mark.parametrize("checksums", [True, False])
def test_parts_of_two_versions_are_never_joined(
    site: Callable[..., Site], validators: bool, checksums: bool
) -> None:
    here = site({"a.bin": bytes(100_000)}, validators=validators)
    here.state()
    here.server.faults["a.bin"] = deque(["drop"])
    with pytest.raises(InputError):
        here.fetch(retries=0)
    here.server.files["a.bin"] = b"\1" * 100_000
    here.state(checksums=checksums)
    here.fetch()
    assert here.downloaded() == here.server.files


def test_part_that_is_longer_than_the_file_is_given_up(site: Callable[..., Site]) -> None:
    here = site({"a.bin": bytes(100_000)})
    here.server.faults["a.bin"] = deque(["drop"])
    with pytest.raises(InputError):
        here.fetch(retries=0)
    (part,) = here.work.glob("parts/*.part")
    part.write_bytes(bytes(100_001))
    here.fetch()
    assert here.downloaded() == here.server.files


def test_server_without_ranges_restarts_the_file(site: Callable[..., Site]) -> None:
    here = site(random_files(1, 4 * BLOCK), ranges=False)
    here.server.faults["raw/000.nii.gz"] = deque(["drop", "drop"])
    here.fetch()
    assert here.downloaded() == here.server.files


def test_transfer_that_gets_on_is_not_a_failed_one(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that drops every so often is survived without a single retry."""
    monkeypatch.setattr(download, "PROGRESS_BYTES", BLOCK)
    here = site(random_files(1, 64 * BLOCK))
    here.server.faults["raw/000.nii.gz"] = deque(["drop"] * 5)
    here.fetch(retries=0)
    assert here.downloaded() == here.server.files


def test_two_downloads_never_share_a_work_folder(
    site: Callable[..., Site], repository: Path
) -> None:
    here = site({"big.bin": bytes(1_000_000)}, rate=200_000)
    orphan = subprocess.Popen(
        [sys.executable, "-c", KILLED, f"{here.server.url}/big.bin", str(here.out.parent)],
        env=os.environ | {"PYTHONPATH": str(repository / "workflow/scripts")},
    )
    try:
        while not here.server.sent():
            assert orphan.poll() is None
            time.sleep(0.01)
        with pytest.raises(InputError, match=f"no other download .* process {orphan.pid} "):
            here.fetch_urls("big.bin")
    finally:
        orphan.kill()
        orphan.wait()
    here.server.rate = None
    here.fetch_urls("big.bin")


# Mirrors


def test_mirrors_are_tried_in_turn(site: Callable[..., Site]) -> None:
    files = random_files(3, 20_000)
    empty, broken, good = site({}), site(files), site(files)
    for path in files:
        broken.server.faults[path] = deque(["unavailable"] * 9)
    good.roots = [empty.server.url, broken.server.url, good.server.url]
    good.fetch(retries=0)
    assert good.downloaded() == files
    assert set(good.gets()) == set(files)
    # The receipt names the preferred mirror, so that it does not depend on the day's weather.
    assert set(pd.read_csv(good.receipt, sep="\t").source) == {
        f"{empty.server.url}/{path}" for path in files
    }


def test_mirror_with_another_content_does_not_spoil_the_file(site: Callable[..., Site]) -> None:
    """The good mirror breaks off, the other has the wrong bytes: parts of them are never mixed."""
    files = random_files(1, 8 * BLOCK)
    bad, good = site({path: bytes(len(content)) for path, content in files.items()}), site(files)
    good.server.faults["raw/000.nii.gz"] = deque(["drop"])
    good.roots = [good.server.url, bad.server.url]
    good.fetch(retries=2)
    assert good.downloaded() == files
    assert good.server.sent() == 8 * BLOCK


def test_dead_mirror_is_asked_last_once_it_was_found_dead(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """Its time-out would otherwise be added to the time of every file."""
    here = site(random_files(5, 1_000))
    dead = "http://127.0.0.1:9"  # discard: nobody listens
    here.roots = [dead, here.server.url]
    here.fetch(workers=1)
    assert here.downloaded() == here.server.files
    assert sum(dead in record.message for record in caplog.records) <= 1
    assert set(pd.read_csv(here.receipt, sep="\t").source.str.startswith(dead)) == {True}


def test_tokens_in_an_address_are_used_but_neither_shown_nor_stored(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    here = site({"a.bin": b"x" * 50_000, "b.bin": b"y"})
    here.server.faults["a.bin"] = deque(["drop"])
    urls = [f"{here.server.url}/a.bin?token=SECRET", "http://me:SECRET@127.0.0.1:9/b.bin?t=SECRET"]
    with pytest.raises(InputError, match=r"b.bin: not downloaded: http://127") as failed:
        here.call({"kind": "urls", "urls": urls}, None, retries=1)
    assert "SECRET" not in caplog.text + str(failed.value)
    here.call({"kind": "urls", "urls": urls[:1]}, None)
    written = [
        path.read_text() for path in here.work.rglob("*") if path.suffix in {".tsv", ".json"}
    ]
    assert "SECRET" not in here.receipt.read_text() + "".join(written)


def test_failure_names_every_mirror_and_its_fault(site: Callable[..., Site]) -> None:
    empty, broken = site({}), site(random_files(1, 10))
    broken.server.faults["raw/000.nii.gz"] = deque(["unavailable"] * 9)
    broken.roots = [empty.server.url, broken.server.url]
    with pytest.raises(InputError) as failed:
        broken.fetch(retries=1)
    assert f"{empty.server.url}/raw/000.nii.gz: answered 404" in str(failed.value)
    assert f"{broken.server.url}/raw/000.nii.gz: answered 503" in str(failed.value)


# Checksums


def test_file_that_was_damaged_since_is_downloaded_again(site: Callable[..., Site]) -> None:
    for known in ({"checksums": True}, {}):
        here = site(random_files(3, 10_000))
        here.state(**known)
        here.fetch()
        (here.out / "raw/001.nii.gz").write_bytes(bytes(10_000))
        here.server.requests.clear()
        here.fetch()
        assert here.gets() == ["raw/001.nii.gz"]
        assert here.downloaded() == here.server.files


def test_first_download_is_recorded_and_binding_ever_after(site: Callable[..., Site]) -> None:
    here = site(random_files(2, 10_000))
    here.state()
    here.fetch()
    known = here.work / "known.tsv"
    entries = {entry.path: entry.sha256 for entry in archive.manifest.read(known)}
    assert entries == {path: sha256(content) for path, content in here.server.files.items()}
    here.server.files["raw/001.nii.gz"] = bytes(10_000)
    (here.out / "raw/001.nii.gz").unlink()
    with pytest.raises(InputError, match=r"raw/001.*expected sha256.*remove its line from .*known"):
        here.fetch(retries=1)
    lines = known.read_text().splitlines(keepends=True)
    known.write_text("".join(line for line in lines if not line.startswith("raw/001")))
    here.fetch()
    assert here.downloaded() == here.server.files


def test_manifest_that_learns_a_checksum_overrules_the_recorded_one(
    site: Callable[..., Site],
) -> None:
    here = site(random_files(1, 10_000))
    here.state()
    here.fetch()
    here.server.files["raw/000.nii.gz"] = bytes(10_000)
    here.state(checksums=True)
    here.fetch()
    assert here.downloaded() == here.server.files


def test_file_without_any_record_is_accepted_if_its_size_is_right(
    site: Callable[..., Site],
) -> None:
    """The work folder was emptied: nothing is known but what the server says of the size."""
    for size, downloaded_again in ((10_000, 0), (9_999, 1)):
        here = site(random_files(1, 10_000))
        here.state()
        content = here.server.files["raw/000.nii.gz"][:size]
        (here.out / "raw").mkdir(parents=True)
        (here.out / "raw/000.nii.gz").write_bytes(content)
        here.fetch()
        assert len(here.gets()) == downloaded_again
        assert here.downloaded() == here.server.files


def test_packed_or_endless_answers_are_refused(site: Callable[..., Site]) -> None:
    here = site({"a.tif": b"x" * 100}, encoding="gzip")
    with pytest.raises(InputError, match=r"a.tif: .*packs the file anew \(gzip\)"):
        here.fetch()
    assert here.server.requests[-1].encodings == "identity"
    named = site({"a.nii.gz": b"x" * 100}, encoding="x-gzip")  # as Apache labels what is packed
    named.fetch()
    assert named.downloaded() == named.server.files
    endless = site({"a.tif": b"x" * 100}, lengths=False)
    endless.state()
    with pytest.raises(InputError, match="gives no length; state the file's bytes"):
        endless.fetch()
    endless.state(sizes=True)
    endless.fetch()
    assert endless.downloaded() == endless.server.files


def test_a_transfer_stops_where_the_manifest_says_that_the_file_ends(
    site: Callable[..., Site],
) -> None:
    endless = site({"a.tif": b"x" * (64 * BLOCK)}, lengths=False)
    endless.manifest.write_text("path\tbytes\tsha256\na.tif\t100\t-\n")
    with pytest.raises(InputError, match=r"a\.tif: .*expected 100 bytes, found more"):
        endless.fetch(retries=0)
    assert not any(path.is_file() for path in (endless.work / "parts").iterdir())


def test_a_listing_without_end_is_not_read_to_it(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELMA3D_TABLE_BYTES", "1000")
    here = site({"S-BIAD0": b"[" * (64 * BLOCK)}, lengths=True)
    settings = archive.DownloadSettings(retries=0, first_pause_s=0.001, timeout_s=0.4)
    with pytest.raises(InputError, match="expected 1000 bytes, found more"):
        listing("S-BIAD0", here.roots, here.server.url, settings)


def test_head_is_not_needed(site: Callable[..., Site]) -> None:
    here = site(random_files(2, 1_000), head=False)
    here.state()
    here.fetch()
    assert here.downloaded() == here.server.files


# The disk


def test_too_little_room_is_found_before_the_first_byte(site: Callable[..., Site]) -> None:
    here = site(random_files(3, 1_000_000))
    free = archive_folder.shutil.disk_usage(here.out.parent).free
    with pytest.raises(InputError, match=r"download: needs 3 MB at .*out, found .* must stay free"):
        here.fetch(min_free_bytes=free - 1_000_000)
    assert here.gets() == []


def test_the_reserve_of_the_disk_is_kept_while_a_file_grows(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site(random_files(1, 64 * BLOCK), head=False)
    monkeypatch.setattr(download, "ROOM_BYTES", BLOCK)
    usage = archive_folder.shutil.disk_usage(here.out.parent)
    room = iter([usage, usage])  # at the beginning; then another program fills the disk
    full = usage._replace(free=1000)
    monkeypatch.setattr(archive_folder.shutil, "disk_usage", lambda _: next(room, full))
    with pytest.raises(InputError, match=r"raw/000\.nii\.gz: grows at .* must stay free"):
        here.fetch(min_free_bytes=2000)
    assert here.downloaded() == {}


def test_full_disk_fails_the_run_and_names_the_file(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site(random_files(1, 1_000))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("selma3d.archive.partial_download.PartialDownload.write", full)
    with pytest.raises(InputError, match=r"raw/000.nii.gz: cannot be stored: .*No space left"):
        here.fetch()


def test_nothing_is_written_through_a_link_in_the_archives_folder(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    here = site(random_files(1, 1_000))
    here.out.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (here.out / "raw").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"raw/000.nii.gz.*symbolic link"):
        here.fetch()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_hostile_manifest_is_refused_before_the_first_request(site: Callable[..., Site]) -> None:
    here = site({"../outside.bin": b"x"})
    with pytest.raises(InputError, match=r"line 2: path '\.\./outside\.bin' is refused"):
        here.fetch()
    assert here.server.requests == []


# Archives among the URLs


def zipped(files: dict[str, bytes], folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "z.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return (folder / "z.zip").read_bytes()


@pytest.fixture
def zips(site: Callable[..., Site], tmp_path: Path) -> Site:
    """Two zips with a sample each, and a plain file."""
    return site(
        {
            "get/s1.zip": zipped({"s1/C00/0.tif": b"one", "s1/C00/1.tif": b"two"}, tmp_path),
            "get/s2.zip": zipped({"s2/C00/0.tif": b"three"}, tmp_path),
            "get/licence.txt": b"CC BY-NC",
        }
    )


UNPACKED = {
    "s1/C00/0.tif": b"one",
    "s1/C00/1.tif": b"two",
    "s2/C00/0.tif": b"three",
    "licence.txt": b"CC BY-NC",
}


def test_archives_among_the_urls_are_unpacked_once(zips: Site) -> None:
    zips.fetch_urls(*zips.server.files)
    assert zips.downloaded() == UNPACKED
    receipt = pd.read_csv(zips.receipt, sep="\t").set_index("path")
    assert receipt.source["s1/C00/1.tif"] == f"{zips.server.url}/get/s1.zip"
    assert dict(receipt.sha256) == {path: sha256(content) for path, content in UNPACKED.items()}
    first = zips.receipt.read_bytes()
    zips.receipt.unlink()
    zips.server.requests.clear()
    zips.fetch_urls(*zips.server.files)
    assert zips.server.requests == []
    assert zips.receipt.read_bytes() == first
    assert not list(zips.work.glob("unpacking/*"))


def test_archive_with_a_damaged_member_is_brought_again(zips: Site) -> None:
    zips.fetch_urls(*zips.server.files)
    (zips.out / "s1/C00/0.tif").write_bytes(b"ONE")
    zips.server.requests.clear()
    zips.fetch_urls(*zips.server.files)
    assert zips.gets() == ["get/s1.zip"]
    assert zips.downloaded() == UNPACKED


def test_manifest_verifies_archives_before_they_are_unpacked(zips: Site, tmp_path: Path) -> None:
    manifest = tmp_path / "m.tsv"
    checksums = {path: sha256(content) for path, content in zips.server.files.items()}
    checksums["get/s2.zip"] = "0" * 64
    rows = [f"{path[4:]}\t-\t{checksum}" for path, checksum in checksums.items()]
    manifest.write_text("\n".join(["path\tbytes\tsha256", *rows]) + "\n")
    with pytest.raises(
        InputError, match=r"^archive out: s2.zip: not downloaded: .*expected sha256 000"
    ):
        zips.fetch_urls(*zips.server.files, manifest=manifest, retries=0)
    assert not (zips.out / "s2").exists()


@pytest.mark.parametrize(
    "members", [{"../evil": b"x"}, {"/evil": b"x"}, {"licence.txt": b"x"}, {"s1/C00": b"x"}]
)
def test_archive_that_reaches_for_other_files_is_refused_whole(
    zips: Site, tmp_path: Path, members: dict[str, bytes]
) -> None:
    zips.server.files["get/x.zip"] = zipped({"good.tif": b"good"} | members, tmp_path)
    with pytest.raises(InputError, match="refused as a file name"):
        zips.fetch_urls(*zips.server.files, workers=1)
    assert zips.downloaded() == UNPACKED
    assert not list(tmp_path.rglob("evil"))


def test_broken_archive_is_downloaded_again_next_time(zips: Site) -> None:
    """Nobody knew its checksum, so only unpacking could tell; it must not become binding."""
    good = zips.server.files["get/s2.zip"]
    zips.server.files["get/s2.zip"] = good[:50] + bytes(len(good) - 50)
    with pytest.raises(InputError, match=r"s2.zip: not a readable archive"):
        zips.fetch_urls(*zips.server.files)
    assert not list(zips.work.glob("parts/*"))
    zips.server.files["get/s2.zip"] = good
    zips.fetch_urls(*zips.server.files)
    assert zips.downloaded() == UNPACKED


def test_unpacking_that_was_killed_starts_from_the_downloaded_archive(
    zips: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive.archive_download.place

    def killed(temporary: Path, final: Path, entry: archive.manifest.Entry) -> None:
        if final.name == "1.tif":
            raise KeyboardInterrupt
        real(temporary, final, entry)

    monkeypatch.setattr(archive.archive_download, "place", killed)
    with pytest.raises(KeyboardInterrupt):
        zips.fetch_urls("get/s1.zip")
    monkeypatch.undo()
    before = zips.server.sent()
    zips.fetch_urls("get/s1.zip")
    assert zips.server.sent() == before
    assert zips.downloaded().keys() == {"s1/C00/0.tif", "s1/C00/1.tif"}
