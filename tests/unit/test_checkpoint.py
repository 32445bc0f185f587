"""Claims about checkpoints and the lease of their folder."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import torch

from selma3d.errors import InputError
from selma3d.training import lease as leases
from selma3d.training.checkpoint import Checkpoints, digest, place
from selma3d.training.lease import Lease, LeaseLostError

RECIPE = {"steps": 10, "network": {"name": "unet"}, "volumes": [{"sha256": "abc"}]}


def state(value: float) -> dict:
    return {"weights": torch.full((64,), value), "past": {"seconds": 1.5}}


def test_newest_state_comes_back_with_its_step(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, RECIPE)
    checkpoints.save(5, state(1.0))
    checkpoints.save(10, state(2.0))
    loaded = Checkpoints(tmp_path, RECIPE).load()
    assert loaded["step"] == 10
    assert torch.equal(loaded["weights"], torch.full((64,), 2.0))


def test_two_states_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, RECIPE)
    for step in (1, 2, 3, 4):
        checkpoints.save(step, state(step))
    assert [path.name for path in sorted(tmp_path.glob("step-*"))] == [
        "step-000000003.pt",
        "step-000000004.pt",
    ]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_newest_state_falls_back_to_the_older_one_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    checkpoints = Checkpoints(tmp_path, RECIPE)
    checkpoints.save(1, state(1.0))
    checkpoints.save(2, state(2.0))
    newest = tmp_path / "step-000000002.pt"
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[content.index(torch.full((64,), 2.0).numpy().tobytes()) + 7] ^= 1
    else:
        content.clear()
    newest.write_bytes(content)
    assert Checkpoints(tmp_path, RECIPE).load()["step"] == 1
    assert "step-000000002.pt: unusable" in caplog.text


def test_changed_recipe_sets_the_old_state_aside_and_says_what_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, RECIPE).save(5, state(1.0))
    changed = RECIPE | {"network": {"name": "segresnet"}}
    assert Checkpoints(tmp_path, changed).load() is None
    assert "network.name" in caplog.text
    (aside,) = tmp_path.glob("set-aside-*")
    assert (aside / "step-000000005.pt").exists()
    assert json.loads((aside / "recipe.json").read_text()) == RECIPE


def test_changed_input_index_sets_the_old_state_aside(tmp_path: Path) -> None:
    Checkpoints(tmp_path, RECIPE).save(5, state(1.0))
    assert Checkpoints(tmp_path, RECIPE | {"volumes": [{"sha256": "def"}]}).load() is None


def test_state_of_another_recipe_is_never_loaded(tmp_path: Path) -> None:
    Checkpoints(tmp_path, RECIPE).save(5, state(1.0))
    (tmp_path / "recipe.json").unlink()
    assert Checkpoints(tmp_path, RECIPE | {"steps": 20}).load() is None


def test_leftover_of_a_killed_save_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".step-000000007.123.partial.pt").write_bytes(b"half")
    Checkpoints(tmp_path, RECIPE)
    assert not list(tmp_path.glob(".*"))


def test_finishing_keeps_the_result_and_drops_the_state(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, RECIPE)
    checkpoints.save(10, state(1.0))
    checkpoints.finish({"kind": "model"})
    assert not list(tmp_path.glob("step-*"))
    place(checkpoints.finished, tmp_path / "published" / "model.pt")
    content = torch.load(tmp_path / "published" / "model.pt", weights_only=True)
    assert content == {"kind": "model"}


def test_deleting_the_published_file_leaves_the_finished_one(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, RECIPE)
    checkpoints.finish({"kind": "model"})
    place(checkpoints.finished, tmp_path / "model.pt")
    (tmp_path / "model.pt").unlink()
    place(checkpoints.finished, tmp_path / "model.pt")
    assert (tmp_path / "model.pt").exists()


def test_digest_sees_values_names_and_shapes() -> None:
    weights = torch.arange(6.0)
    assert digest({"a": weights}) == digest({"a": weights.clone()})
    assert digest({"a": weights}) != digest({"b": weights})
    assert digest({"a": weights}) != digest({"a": weights.reshape(2, 3)})
    assert digest({"a": weights}) != digest({"a": weights + 1})


def owner(**changes: object) -> str:
    record = {"token": "other", "host": socket.gethostname(), "pid": os.getpid(),
              "started": leases._start_of(os.getpid()), "processes": leases._process_space(),
              "job": "4711", "since": "2026-01-01 00:00:00"}  # fmt: skip
    return json.dumps(record | changes)


def test_second_trainer_is_refused_with_the_owners_name(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text(owner())
    with (
        pytest.raises(InputError, match=rf"process {os.getpid()} on .*SLURM job 4711"),
        Lease(tmp_path, patience_s=0.3),
    ):
        pass
    assert json.loads((tmp_path / "lease.json").read_text())["token"] == "other"


def test_dead_owner_on_this_host_is_taken_over(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=os._exit, args=(0,))
    child.start()
    started = leases._start_of(child.pid)
    child.join()
    (tmp_path / "lease.json").write_text(owner(pid=child.pid, started=started))
    with Lease(tmp_path, patience_s=0.3) as lease:
        lease.check()


def test_dead_owner_that_nobody_has_waited_for_is_taken_over(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    (tmp_path / "lease.json").write_text(owner(pid=child.pid, started=leases._start_of(child.pid)))
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


def test_lease_is_free_again_afterwards(tmp_path: Path) -> None:
    with Lease(tmp_path):
        pass
    with Lease(tmp_path, patience_s=0):
        pass
    assert not list(tmp_path.glob("*lease*"))


def test_owner_that_was_taken_over_must_not_save(tmp_path: Path) -> None:
    with Lease(tmp_path) as lease:
        (tmp_path / "lease.json").write_text(owner(host="node7"))
        with pytest.raises(LeaseLostError, match="node7"):
            lease.check()
    assert json.loads((tmp_path / "lease.json").read_text())["host"] == "node7"
