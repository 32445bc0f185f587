"""Claims about the lease of a folder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from selma3d.system import lease as leases
from selma3d.system.errors import InputError
from selma3d.system.lease import Lease, LeaseLostError, Owner
from selma3d.system.process_name import ProcessName


def owner(process: ProcessName | None = None, **changes: str) -> str:
    name = asdict(process or ProcessName.own()) | changes
    facts = {"role": "trainer", "job": "4711", "since": "2026-01-01 00:00:00"}
    return json.dumps({"token": "other", "process": name} | facts)


def test_second_trainer_is_refused_with_the_owners_name(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text(owner())
    with (
        pytest.raises(InputError, match=rf"process {os.getpid()} on .*SLURM job 4711"),
        Lease(tmp_path, patience_s=0.3),
    ):
        pass
    assert Owner.read(tmp_path).token == "other"


def test_dead_owner_on_this_host_is_taken_over(tmp_path: Path, caplog) -> None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.5,))
    child.start()
    name = ProcessName.of(child.pid)
    child.join()
    (tmp_path / "lease.json").write_text(owner(name))
    with Lease(tmp_path, patience_s=0.3) as lease:
        lease.check()
        assert lease.taken_over
    assert f"taking over from process {child.pid} on " in caplog.text


def test_dead_owner_that_nobody_has_waited_for_is_taken_over(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    (tmp_path / "lease.json").write_text(owner(ProcessName.of(child.pid)))
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    with Lease(tmp_path, patience_s=0.3) as lease:
        lease.check()
    child.join()


def test_process_that_only_has_the_dead_owners_number_is_no_owner(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text(owner(started="1"))
    with Lease(tmp_path, patience_s=0.3) as lease:
        lease.check()


def test_owner_on_another_host_without_heartbeat_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "STALE_S", 0.5)
    (tmp_path / "lease.json").write_text(owner(host="node7"))
    (tmp_path / "lease.heartbeat").write_text("other 1")
    with Lease(tmp_path, patience_s=5) as lease:
        lease.check()


def test_owner_on_another_host_whose_heart_beats_is_refused_however_short_the_patience(
    tmp_path: Path,
) -> None:
    (tmp_path / "lease.json").write_text(owner(host="node7"))
    beats = tmp_path / "lease.heartbeat"
    beats.write_text("other 1")
    threading.Timer(0.5, beats.write_text, ["other 2"]).start()
    with pytest.raises(InputError, match=r"no other run, .* on node7"):
        Lease(tmp_path, role="run", patience_s=0).__enter__()


def test_lease_is_free_again_afterwards(tmp_path: Path) -> None:
    with Lease(tmp_path):
        pass
    with Lease(tmp_path, patience_s=0) as lease:
        assert not lease.taken_over
    assert not list(tmp_path.glob("*lease*"))


def test_owner_that_was_taken_over_must_not_save(tmp_path: Path) -> None:
    with Lease(tmp_path) as lease:
        (tmp_path / "lease.json").write_text(owner(host="node7"))
        with pytest.raises(LeaseLostError, match="node7"):
            lease.check()
    assert Owner.read(tmp_path).process.host == "node7"


def test_whatever_fails_after_a_takeover_fails_because_of_it(tmp_path: Path) -> None:
    with pytest.raises(LeaseLostError, match=r"taken over by process .* on node7"), Lease(tmp_path):
        (tmp_path / "lease.json").write_text(owner(host="node7"))
        (tmp_path / "file that the other has finished with").read_bytes()


def test_an_owners_own_failure_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Lease(tmp_path):
        (tmp_path / "absent").read_bytes()


def test_a_file_system_without_hard_links_has_leases_too(tmp_path: Path, monkeypatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with (
        Lease(tmp_path),
        pytest.raises(InputError, match="expected no other trainer"),
        Lease(tmp_path, patience_s=0.0),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
