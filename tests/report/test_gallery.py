"""The gallery has a card for each method, from its file and from what it achieved."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ranking_tables import DISPLAY
from report_page import EDITION
from selma3d.challenge.method_file import MethodFile, RecipeFile
from selma3d.images import PatchWriter, PredictionWriter
from selma3d.report.gallery import Picture, draw_pictures, write_gallery
from selma3d.report.shown import ShownCases

METHOD = {
    "kind": "recipe",
    "idea": "It <learns>. It segments.",
    "citation": "Nobody & Co., arXiv 1234.56789",
    "licence": "MIT",
    "colour": "#0072B2",
    "capabilities": {"gpu": True, "unannotated": True, "structure_types": ["spot-like"]},
}
METHODS = {
    name: MethodFile.read(METHOD | {"name": name, "title": name.upper()})
    for name in ("alpha", "beta", "mu")
}


def standings(**places: float) -> pd.DataFrame:
    rows = [
        {
            "method": name,
            "init": "scratch",
            "place": place,
            "mean_rank": 1.5,
            "dice cfos": 1 / place,
            "cpu_hours": 0.5,
            "gpu_hours": 0.0,
            "peak_memory_gb": 1.0,
            "parameters": np.nan,
        }
        for name, place in places.items()
    ]
    return pd.DataFrame(rows)


def page(folder: Path, **changes: object) -> str:
    arguments = {
        "edition": EDITION,
        "methods": METHODS,
        "standings": {"per-type": standings(alpha=2.0, mu=1.0)},
        "pictures": {},
        "recipes": {},
        "left_out": ["broken: broken.yaml: expected the key 'licence' & more"],
        "display": replace(DISPLAY, note="synthetic images"),
    }
    write_gallery(folder / "gallery.html", **(arguments | changes))
    return (folder / "gallery.html").read_text()


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """A card's figure, of two cases of one structure."""
    random = np.random.default_rng(0)
    with (
        PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as cases,
        PredictionWriter(tmp_path / "p.h5", "mu", "cfos", "scratch-nall-f0-s0") as masks,
    ):
        for case in ("a", "b"):
            mask = (random.random((6, 8, 10)) > 0.8).astype(np.uint8)
            cases.add(case, (mask * np.uint16(900))[None], mask, "mouse", (4.0, 2.0, 2.0))
            masks.add(case, mask if case == "a" else 1 - mask)
    scores = pd.DataFrame(
        {
            "method": "mu",
            "init": "scratch",
            "budget": "all",
            "structure": "cfos",
            "case": ["a", "b"],
            "metric_profile": "selma2024",
            "metric": "dice",
            "value": [1.0, 0.0],
            "doubtful": False,
        }
    )
    predictions = {("mu", "scratch"): tmp_path / "p.h5"}
    structures = [
        ShownCases(name, tmp_path / "cases.h5", 0, predictions) for name in ("cfos", "unscored")
    ]
    return draw_pictures(standings(mu=1.0), structures, scores, DISPLAY, tmp_path)["mu"]


def test_cards_stand_in_the_order_of_places_and_unscored_methods_last(tmp_path):
    said = page(tmp_path)
    assert re.findall(r'<article class="card" id="(\w+)"', said) == ["mu", "alpha", "beta"]
    assert said.count("It has not been scored.") == 1


def test_a_card_tells_idea_citation_licence_scores_and_cost(tmp_path):
    card = page(tmp_path).split("<article")[1]
    for words in (
        "It &lt;learns&gt;.",
        "Nobody &amp; Co.",
        "MIT",
        "30.0",
        "<strong>1.000</strong>",
    ):
        assert words in card
    assert "<strong>0.500</strong>" not in page(tmp_path).split("<article")[2]


RECIPE = {
    "network": {"name": "unet"},
    "input": {"window": [16, 32, 32]},
    "pretexts": {"masked": {"steps": 5000}},
    "finetune": {"steps": 100},
}


def test_a_card_says_how_a_recipe_was_trained_what_it_is_sorted_by_and_shows_its_file(tmp_path):
    trained = RecipeFile.read(
        METHOD | {"name": "mu", "title": "MU", "recipe": {"production": RECIPE}}
    )
    said = page(
        tmp_path,
        methods=METHODS | {"mu": trained},
        recipes={"mu": "unet, windows of 8×8×8 voxels; fine-tuning 60 steps of 4"},
    )
    first, second, _ = said.split("<article")[1:]
    assert "unet, windows of 8×8×8 voxels; fine-tuning 60 steps of 4" in first  # not its file's
    assert 'data-place="1.0" data-minutes="30.0"' in first
    assert "citation: Nobody &amp; Co., arXiv 1234.56789" in first
    assert "How it was trained here" not in second


def test_who_does_not_take_part_and_what_a_reader_must_know_are_said(tmp_path):
    said = page(
        tmp_path,
        display=replace(
            DISPLAY,
            note="synthetic images",
            partial=("alpha, cfos: 1 of 2 runs finished",),
        ),
    )
    assert "broken.yaml: expected the key &#39;licence&#39; &amp; more" in said
    assert "Of all scores here: synthetic images." in said
    assert "alpha, cfos: 1 of 2 runs finished" in said


def test_a_card_shows_what_its_best_entrant_did(tmp_path, picture):
    said = page(tmp_path, pictures={"mu": picture})
    assert said.count("data:image/webp;base64,") == 1
    assert "http" not in re.sub(r"data:[^\"]*", "", said).replace("doi.org", "")
