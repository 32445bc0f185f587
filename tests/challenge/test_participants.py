"""What is scored of a challenge: all that it asks for; of a partial one, what is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import layer
from selma3d.challenge.layout import Layout
from selma3d.challenge.participants import missing_runs, scored_pairs, scored_runs


@pytest.fixture
def challenge(repository: Path) -> Challenge:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    config = layer(config, yaml.safe_load((repository / "config/demo.yaml").read_text()))
    few = {"methods": ["unet", "threshold"], "budgets": ["all"], "seeds": [0, 1]}
    return Challenge.of(layer(config, few), repository)


def test_all_that_is_asked_for_is_scored(challenge: Challenge) -> None:
    layout = Layout("results")
    assert scored_runs(challenge, layout, "unet", "cfos") == challenge.runs("unet", "cfos")
    assert ("threshold", "vessel") in scored_pairs(challenge, layout)
    assert missing_runs(challenge, layout) == []


def test_of_a_partial_challenge_finished_runs_are_scored_and_the_rest_is_missing(
    challenge: Challenge, tmp_path: Path
) -> None:
    layout = Layout(str(tmp_path), partial=True)
    assert scored_pairs(challenge, layout) == []
    finished = tmp_path / "predictions/unet/cfos/masked-nall-f0-s1.h5"
    finished.parent.mkdir(parents=True)
    finished.touch()
    (run,) = scored_runs(challenge, layout, "unet", "cfos")
    assert run.name == "masked-nall-f0-s1"
    assert scored_pairs(challenge, layout) == [("unet", "cfos")]
    missing = missing_runs(challenge, layout)
    assert "unet, cfos: 1 of 4 runs finished" in missing
    assert "threshold, cfos: 0 of 1 runs finished" in missing
