"""Zenodo records: listed, chosen from, downloaded and verified; from a server that misbehaves."""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from misbehaving_server import BLOCK, FAULTS, MisbehavingServer
from selma3d import archive
from selma3d.archive.manifest import Entry
from selma3d.challenge.edition import ArchiveSettings
from selma3d.system.errors import InputError

RECORD = "20149070"
CHOSEN = "all patches.tar.gz"


def content(number: int, size: int = 4 * BLOCK) -> bytes:
    return random.Random(number).randbytes(size)


FILES = {CHOSEN: content(1), "other.tar.gz": content(2)}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def listed(**changed: Any) -> list[dict[str, Any]]:
    """`files` of the record's JSON; what is changed is changed of the first."""
    files = [
        {
            "key": name,
            "size": len(data),
            "checksum": f"md5:{md5(data)}",
            "links": {"self": "http://example.invalid/not-followed"},
        }
        for name, data in FILES.items()
    ]
    files[0] |= changed
    return files


def served(files: object = None) -> dict[str, bytes]:
    page = {"id": int(RECORD), "files": listed() if files is None else files}
    below = f"api/records/{RECORD}"
    return {below: json.dumps(page).encode()} | {
        f"{below}/files/{name}/content": data for name, data in FILES.items()
    }


def source(server: MisbehavingServer, files: list[str] | None = None) -> ArchiveSettings:
    settings = {"kind": "zenodo", "record": RECORD, "roots": [f"{server.url}/api/records"]}
    return ArchiveSettings.read(settings | ({"files": files} if files else {}))


def list_record(server: MisbehavingServer, manifest: Path) -> str:
    return archive.refresh(
        source(server), manifest, settings=archive.DownloadSettings(retries=1, first_pause_s=0.001)
    )


def fetch(server: MisbehavingServer, folder: Path, retries: int = 1, **settings: int) -> Path:
    archive.fetch(
        source(server, [CHOSEN]),
        folder / "m.tsv",
        folder / "out",
        folder / "out" / "receipt.tsv",
        work=folder / "work",
        settings=archive.DownloadSettings(
            retries=retries, first_pause_s=0.001, timeout_s=0.4, **settings
        ),
    )
    return folder / "out" / CHOSEN


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def test_the_manifest_is_the_records_own_list_and_only_chosen_files_are_brought(
    tmp_path: Path,
) -> None:
    with MisbehavingServer(served()) as server:
        server.faults[f"api/records/{RECORD}"] = deque(["unavailable"])
        told = list_record(server, tmp_path / "m.tsv")
        assert told.endswith("record 20149070: 2 files, 131 kB; 2 new, 0 gone, 0 changed")
        assert archive.manifest.read(tmp_path / "m.tsv") == [
            Entry(name, len(data), md5=md5(data)) for name, data in FILES.items()
        ]
        final = fetch(server, tmp_path)
        assert final.read_bytes() == FILES[CHOSEN], "packed, as published"
        assert sorted(path.name for path in final.parent.iterdir()) == [CHOSEN, "receipt.tsv"]
        asked = len(server.requests)
        final = fetch(server, tmp_path)
        assert len(server.requests) == asked, "a second run asks for nothing, the record neither"
    known = (tmp_path / "work" / "known.tsv").read_text()
    assert hashlib.sha256(FILES[CHOSEN]).hexdigest() in known, "binding from the first time on"


def test_a_changed_file_that_keeps_its_size_is_noticed_by_its_md5(tmp_path: Path) -> None:
    with MisbehavingServer(served()) as server:
        list_record(server, tmp_path / "m.tsv")
        server.files[f"api/records/{RECORD}/files/{CHOSEN}/content"] = content(3)
        with pytest.raises(InputError, match=r"all patches\.tar\.gz: .*expected md5 "):
            fetch(server, tmp_path)
    assert not (tmp_path / "out" / CHOSEN).exists()


@pytest.mark.faults
def test_two_hundred_faults_of_a_record_put_nothing_wrong_under_a_final_name(
    tmp_path: Path,
) -> None:
    """Every kind of fault in turn; after each run the file is whole or absent."""
    kinds = [*FAULTS] * (200 // len(FAULTS)) + [*FAULTS][: 200 % len(FAULTS)]
    random.Random(0).shuffle(kinds)
    failed = whole = 0
    path = f"api/records/{RECORD}/files/{CHOSEN}/content"
    with MisbehavingServer(served()) as server:
        list_record(server, tmp_path / "m.tsv")
        server.faults[path] = deque(kinds)
        while server.faults[path]:
            final = tmp_path / "out" / CHOSEN
            try:
                archive.fetch(
                    source(server, [CHOSEN]),
                    tmp_path / "m.tsv",
                    tmp_path / "out",
                    tmp_path / "receipt.tsv",
                    work=tmp_path / "work",
                    settings=archive.DownloadSettings(
                        retries=2, first_pause_s=0.001, timeout_s=0.1
                    ),
                )
            except InputError:
                failed += 1
                assert not final.exists()
            else:
                whole += 1
                assert final.read_bytes() == FILES[CHOSEN]
                final.unlink()
    print(f"{len(kinds)} faults: {failed} runs refused, {whole} with the whole file")
    assert failed > 0
    assert whole > 0


def test_what_is_needed_of_the_disk_is_said_before_the_first_byte(tmp_path: Path) -> None:
    with MisbehavingServer(served()) as server:
        list_record(server, tmp_path / "m.tsv")
        with pytest.raises(InputError, match=r"the download: needs 65\.5 kB at .*must stay free"):
            fetch(server, tmp_path, min_free_bytes=1 << 60)
        assert server.sent(f"api/records/{RECORD}/files/{CHOSEN}/content") == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"<html>", "expected JSON"),
        (json.dumps({"status": 403}).encode(), "expected a record with a list of files"),
        (listed(key="../a"), "key '../a' is refused"),
        (listed(key="Other.tar.gz"), "collides"),
        (listed(size="4"), "size: expected a whole number, found '4'"),
        (listed(checksum="md5:00"), "checksum: expected md5: and 32 hexadecimal digits"),
        (listed(checksum=None), "checksum: expected md5: and 32 hexadecimal digits"),
        (["a"], "expected a file with a key, found a"),
    ],
)
def test_a_listing_that_is_not_understood_leaves_the_manifest_alone(
    tmp_path: Path, answer: Any, expected: str
) -> None:
    manifest = tmp_path / "m.tsv"
    manifest.write_text("path\tbytes\tsha256\na\t1\t-\n")
    before = manifest.read_bytes()
    files = served(None if isinstance(answer, bytes) else answer)
    if isinstance(answer, bytes):
        files[f"api/records/{RECORD}"] = answer
    with MisbehavingServer(files) as server, pytest.raises(InputError, match=expected):
        list_record(server, manifest)
    assert manifest.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "rows", "expected"),
    [
        ({"record": "10.5281/zenodo.1"}, "a\t1\t-", "record: expected the number"),
        ({"record": "1", "files": ["b"]}, "a\t1\t-", "has no 'b' (files of record 1: a)"),
        ({"record": "1"}, None, "record 1: expected a manifest"),
    ],
)
def test_a_source_that_says_too_little_is_refused_in_one_line(
    tmp_path: Path, settings: dict[str, Any], rows: str | None, expected: str
) -> None:
    manifest = tmp_path / "m.tsv"
    manifest.write_text(f"path\tbytes\tsha256\n{rows}\n")
    with pytest.raises(InputError) as refused:
        archive.fetch(
            ArchiveSettings.read({"kind": "zenodo", **settings}),
            manifest if rows else None,
            tmp_path / "out",
            tmp_path / "receipt.tsv",
            work=tmp_path / "work",
        )
    assert expected in str(refused.value)
