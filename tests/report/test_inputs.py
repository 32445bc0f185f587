"""What is shown of a challenge is one run an entrant; of a partial challenge, what exists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import layer
from selma3d.challenge.display import Display
from selma3d.challenge.layout import Layout
from selma3d.report.inputs import ReportInputs, panel_files, training_files
from selma3d.report.shown import Trainings
from selma3d.system.errors import InputError

TWO_SEEDS = {"seeds": [3, 5], "methods": ["unet", "threshold"]}


@pytest.fixture
def demo(repository: Path):
    """The inputs of the demo's report, some keys of its configuration changed."""

    def inputs(layout: Layout | None = None, **changes: object) -> ReportInputs:
        config = yaml.safe_load((repository / "config/config.yaml").read_text())
        config = layer(config, yaml.safe_load((repository / "config/demo.yaml").read_text()))
        challenge = Challenge.of(layer(config, changes), repository)
        return ReportInputs(challenge, layout or Layout("results"), Display.of(challenge))

    return inputs


def make(path: str | Path) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).touch()


def test_each_entrant_is_shown_by_its_first_seed_with_every_patch(demo) -> None:
    shown = demo(**TWO_SEEDS).cases("cfos", "per-type").predictions
    names = {entrant: path.name for entrant, path in shown.items()}
    assert names == {
        ("threshold", "default"): "default.h5",
        ("unet", "scratch"): "scratch-nall-f0-s3.h5",
        ("unet", "masked"): "masked-nall-f0-s3.h5",
    }


def test_an_ensemble_is_an_entrant_of_its_own(demo) -> None:
    shown = demo(**TWO_SEEDS, predict={"ensemble": True}).cases("cfos", "per-type").predictions
    assert shown["unet", "masked-ens"].name == "masked-nall-ens.h5"


def test_a_track_shows_its_own_runs(demo) -> None:
    inputs = demo(**TWO_SEEDS, tracks=["per-type", "one-model"])
    shown = inputs.panels()["one-model", "cfos"].predictions
    assert shown["unet", "masked"].name == "masked-nall-f0-s3-one.h5"
    assert shown["threshold", "default"].name == "default.h5"


def test_left_out_twins_have_panels_but_no_place_on_cards(demo) -> None:
    inputs = demo(**TWO_SEEDS, tracks=["one-model"], leave_one_structure_out=True)
    assert ("one-model", "cfos-unseen") in inputs.panels()
    assert "cfos-unseen" not in [shown.structure for shown in inputs.gallery()]


def test_one_volume_a_structure_is_shown_with_the_masks_that_are_asked_for(demo) -> None:
    def shown(**changes: object) -> dict[str, list[str]]:
        volumes = demo(**changes).volumes()
        return {
            f"{v.structure}/{v.sample}": ["-".join(entrant) for entrant in v.masks] for v in volumes
        }

    volumes = {"vessel/sample1", "cfos/sample1"}
    assert shown() == {name: ["unet-masked"] for name in volumes}
    assert shown(segment={"shown": []}) == {name: [] for name in volumes}
    # Nothing learns from them and nothing segments them: they need not be fetched.
    assert shown(segment={"shown": []}, inits=["scratch"]) == {}
    with pytest.raises(InputError, match=r"segment.shown: expected recipes that take part"):
        shown(segment={"shown": ["threshold"]})


def test_of_a_partial_challenge_what_exists_is_shown(demo, tmp_path: Path) -> None:
    layout = Layout(str(tmp_path), partial=True)
    inputs = demo(layout, **TWO_SEEDS)
    assert inputs.cases("cfos", "per-type").predictions == {}
    assert inputs.histories() == {}
    make(tmp_path / "predictions/unet/cfos/masked-nall-f0-s3.h5")
    make(tmp_path / "encoders/unet/spot-like/masked-s5.tsv")
    assert set(inputs.cases("cfos", "per-type").predictions) == {("unet", "masked")}
    (shown,) = inputs.histories().values()
    history = f"{tmp_path}/encoders/unet/spot-like/masked-s5.tsv"
    assert shown == [Trainings(("unet", "masked"), "spot-like", (history,))]
    assert Trainings.read(json.loads(json.dumps(shown[0].plain()))) == shown[0]


def test_the_seeds_of_an_entrant_share_a_line_of_the_histories(demo) -> None:
    histories = demo(**TWO_SEEDS).histories()
    assert list(histories) == ["pretraining", "finetuning"]
    (own,) = [e for e in histories["pretraining"] if e.learnt_from == "spot-like"]
    seeds = [Path(path).name for path in own.histories]
    assert seeds == ["masked-s3.tsv", "masked-s5.tsv"]
    assert all("-nall-" in path for each in histories["finetuning"] for path in each.histories)


def test_published_scores_are_drawn_where_there_are_some(demo, tmp_path: Path) -> None:
    table = tmp_path / "reported.tsv"
    table.write_text("team\tstructure\tmetric\tvalue\tsource\n")
    assert "reported" not in demo().figures(table)
    table.write_text(table.read_text() + "a team\tcfos\tdice\t0.7\ta paper\n")
    assert "reported" in demo().figures(table)


def test_figures_of_a_partial_challenge_lie_apart() -> None:
    layout = Layout("results", partial=True)
    panels = panel_files(layout, [("per-type", "cfos")], "svg")
    assert panels == ["results/partial/figures/per-type/panel-cfos.svg"]
    histories = training_files(layout, {"pretraining": {}}, "pdf")
    assert histories == ["results/partial/figures/training/pretraining.pdf"]
