"""Claims about controls: each is judged alone, and a failed one is told with exit code 1."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from selma3d.challenge.controls import Control
from selma3d.ranking import controls
from selma3d.ranking.controls import controls_table
from selma3d.report.pretraining_findings import controls_outcome
from test_verdicts import TARGETS, arm


def declared(expect: str, init: str = "masked") -> Control:
    return Control(method="unet", init=init, structures=("vessel",), expect=expect)


def found(expect: str, gain: float, **details: object) -> pd.Series:
    scores = pd.concat([arm(**details), arm("masked", 0.5 + gain, **details)], ignore_index=True)
    return controls_table(scores, {"some": declared(expect)}, 0.02, TARGETS).iloc[0]


@pytest.mark.parametrize(
    ("expect", "gain", "passed"),
    [
        ("gain", 0.05, True),
        ("gain", 0.0, False),
        ("no gain", 0.05, False),
        ("no gain", 0.0, True),
        ("no gain", -0.05, True),
        ("no difference", 0.05, False),
        ("no difference", 0.0, True),
        ("no difference", -0.05, False),
    ],
)
def test_a_control_passes_where_it_finds_what_was_put_in(
    expect: str, gain: float, passed: bool
) -> None:
    assert bool(found(expect, gain)["passed"]) is passed


@pytest.mark.parametrize("expect", ["gain", "no gain", "no difference"])
def test_a_control_without_an_answer_fails(expect: str) -> None:
    row = found(expect, 0.05, seeds=1)
    assert row["found"] == "not answerable"
    assert not row["passed"]


def test_a_control_is_judged_whatever_the_others_found() -> None:
    scores = pd.concat([arm(), arm("masked", 0.55), arm("shuffled")], ignore_index=True)
    both = {"positive": declared("gain"), "negative": declared("no gain", "shuffled")}
    together = controls_table(scores, both, 0.02, TARGETS)
    alone = controls_table(scores, {"negative": both["negative"]}, 0.02, TARGETS)
    pd.testing.assert_frame_equal(together.iloc[1:].reset_index(drop=True), alone)


@pytest.mark.parametrize("gain", [0.05, 0.0])
def test_the_command_and_the_report_tell_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gain: float
) -> None:
    scores = pd.concat([arm(), arm("masked", 0.5 + gain)], ignore_index=True)
    table = controls_table(scores, {"positive": declared("gain")}, 0.02, TARGETS)
    (tmp_path / "ranking" / "per-type").mkdir(parents=True)
    table.to_csv(tmp_path / "ranking" / "per-type" / "controls.tsv", sep="\t", index=False)
    layer = tmp_path / "layer.yaml"
    layer.write_text(yaml.safe_dump({"results": str(tmp_path)}))
    code = controls.main(["config/controls.yaml", str(layer)])
    told = capsys.readouterr()
    sentence = controls_outcome({"controls": table})
    if gain:
        assert (code, told.err) == (0, "")
        assert told.out.startswith("passed: positive (masked against scratch): expected gain")
        assert sentence == "Yes, 1 control of 1 passed: positive +0.050 (expected gain)."
    else:
        assert code == 1
        assert told.out.startswith("FAILED: positive")
        assert told.err.startswith("controls failed: positive (report: ")
        assert sentence.startswith("No: 1 control of 1 failed")
