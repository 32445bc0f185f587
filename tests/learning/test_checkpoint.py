"""Claims about checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from selma3d.learning.training.checkpoint import Checkpoints, digest, place

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
