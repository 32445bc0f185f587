"""Whatever is wrong with a configuration, its edition and its samples is told in one go."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.system.errors import InputError

HEADER = ("structure", "kind", "sample", "specimen", "role", "archive", "image", "mask")
ROWS = [
    ("neurite", "volume", "left", "mouse1", "", "mylab", "left_488", ""),
    ("neurite", "patch", "a", "mouse1", "training", "mylab", "a.tif", "a_mask.tif"),
    ("neurite", "patch", "b", "mouse2", "validation", "mylab", "b.tif", "b_mask.tif"),
    ("neurite", "case", "c", "mouse3", "test", "mylab", "c.tif", "c_mask.tif"),
]
LEAST = {
    "archives": {"mylab": {"kind": "local", "folder": "/data/mylab"}},
    "structures": {"neurite": {"scored_as": "vessel-like"}},
}


@pytest.fixture
def lab(repository: Path, tmp_path: Path):
    """Write an edition `mylab` and its table into a root of its own; the challenge of a config."""
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    for folder in ("editions", "samples", "methods"):
        (tmp_path / "config" / folder).mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    unet = (repository / "config/methods/unet.yaml").read_text()
    (tmp_path / "config/methods/unet.yaml").write_text(unet)

    def challenge(edition=LEAST, rows=ROWS, **changes) -> Challenge:
        (tmp_path / "config/editions/mylab.yaml").write_text(yaml.safe_dump(edition))
        table = "\n".join("\t".join(row) for row in (HEADER, *rows))
        (tmp_path / "config/samples/mylab.tsv").write_text(table + "\n")
        own = {"edition": "mylab", "methods": ["unet"], "test_cases": "archive"}
        return Challenge.of(config | own | changes, tmp_path)

    return challenge


def test_archives_structures_and_samples_are_all_that_an_edition_needs(lab):
    planned = lab()
    (structure,) = planned.structures.values()
    assert (structure.target, structure.group, structure.seen) == ("neurite", "neurite", True)
    assert planned.edition.structures["neurite"].title == "Neurite"
    assert planned.scored == ("neurite",)
    assert planned.ranking_groups() == {"vessel-like": ["neurite"]}
    assert planned.images("neurite", "patch").folder is None
    assert planned.targets["neurite"].learns == ("neurite",)
    assert planned.archives["mylab"].licence == "not stated"


def test_held_out_cases_are_drawn_from_patches_that_only_rows_name(lab):
    planned = lab(rows=ROWS[:3], test_cases="held-out")
    assert planned.structures_with_drawn_cases == ("neurite",)


def test_rows_that_name_images_replace_the_search_of_a_folder(lab):
    folder = {"patches": {"archive": "mylab", "folder": "annotated"}}
    planned = lab({**LEAST, "structures": {"neurite": LEAST["structures"]["neurite"] | folder}})
    assert planned.images("neurite", "patch").folder is None
    unnamed = [(*row[:6], "", "") if row[1] == "patch" else row for row in ROWS]
    planned = lab(
        {**LEAST, "structures": {"neurite": LEAST["structures"]["neurite"] | folder}}, unnamed
    )
    assert planned.images("neurite", "patch").folder == "annotated"


def test_a_volume_that_is_held_out_is_segmented_and_never_learnt_from(lab):
    rows = [("neurite", "volume", "right", "mouse3", "test", "mylab", "right_488", ""), *ROWS]
    planned = lab(rows=rows)
    assert [row.sample for row in planned.volumes("neurite")] == ["left"]
    assert planned.volume("neurite", "right") is not None


def test_faults_of_all_three_files_are_told_together(lab):
    edition = {
        "archives": {"mylab": {"kind": "local", "folder": "/data/mylab", "licens": "x"}},
        "structures": {
            "neurite": {"scored_as": "vessel", "patches": {"archive": "mylib", "folder": "x"}},
            "soma": {"scored_as": "spot-like", "cases_of": "sooma"},
            "axon": {"scored_as": "spot-like", "seen": True, "other_acquisition_of": "somma"},
        },
    }
    rows = [
        ("neurit", *ROWS[0][1:]),
        (*ROWS[1][:5], "theirs", *ROWS[1][6:]),
        ROWS[2],
        ROWS[2],
        (*ROWS[3][:3], "mouse1", *ROWS[3][4:]),
    ]
    with pytest.raises(InputError) as raised:
        lab(edition, rows, folds=0, seeds="0", archives={"mylap": {"folder": "x"}})
    message = str(raised.value)
    for fault in (
        "config: folds: expected at least 1, found 0",
        "config: seeds: expected array",
        "config: archives.mylap: the edition has no such archive, did you mean 'mylab'?",
        "mylab.yaml: archives.mylab.licens: unknown key, did you mean 'licence'?",
        "structures.neurite.scored_as: expected one of vessel-like, spot-like, found 'vessel'",
        "structures.neurite.patches.archive: no archive 'mylib', did you mean 'mylab'?",
        "structures.soma.cases_of: no structure 'sooma', did you mean 'soma'?",
        "structures.axon.other_acquisition_of: no structure 'somma', did you mean 'soma'?",
        "structures.axon.other_acquisition_of: expected a structure without training labels",
        "mylab.tsv, line 2: structure: the edition has no 'neurit', did you mean 'neurite'?",
        "mylab.tsv, line 3: archive: the edition has no 'theirs'",
        "mylab.tsv: patch 'b' of neurite stands twice",
        "mylab.tsv: specimen 'mouse1': expected in training",
    ):
        assert fault in message
    assert len(message.splitlines()) <= 14


def test_faults_that_only_show_together_are_told_together(lab):
    with pytest.raises(InputError) as raised:
        lab(phase="semifinal", methods=["unett"], analysis={
            "primary": {"method": "unet", "pretext": "masked", "structures": ["axon"]}
        })  # fmt: skip
    assert len(str(raised.value).splitlines()) >= 2
    assert "phase: expected one of final, found 'semifinal'" in str(raised.value)
    assert "no method 'unett'" in str(raised.value)


def test_a_structure_without_any_patch_cannot_be_seen(lab):
    structure = {"scored_as": "vessel-like", "seen": True}
    with pytest.raises(InputError, match=r"structures.neurite.seen: true needs patches"):
        lab({**LEAST, "structures": {"neurite": structure}}, ROWS[:1])
