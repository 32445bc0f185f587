"""The report says who won, how sure that is and what pretraining gained, and does not flatter."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import report_page
from ranking_tables import DISPLAY, MadeUp, empty_tables, ranking_tables
from selma3d.report import pretraining_findings, ranking_findings
from selma3d.report.shown import ShownFigure
from selma3d.system.errors import InputError

SMALL = {"methods": ("unet", "swin"), "structures": ("cfos", "microglia"), "cases": 2, "seeds": 2}
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects what the tests ask for; fails where tags are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    two = (MadeUp(**SMALL), MadeUp(**SMALL, gain=0.0))
    return report_page.write(folder, *two).read_text()


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def tables_with_gains(**columns: list) -> dict[str, pd.DataFrame]:
    """A table of gains in Dice, a row an entry of `gain`; the other columns have defaults."""
    rows = len(columns["gain"])
    defaults = {
        "method": "unet", "init": "masked", "structure": "cfos", "seen": True, "metric": "dice",
        "budget": "all", "specimens": 8, "cases": 8, "seeds": 1, "scratch": 0.5,
        "pretrained": 0.6, "better": 1.0, "low": np.nan, "high": np.nan, "p": np.nan,
        "p_holm": np.nan, "note": "",
    }  # fmt: skip
    filled = {name: [value] * rows for name, value in defaults.items()} | columns
    return {"gains": pd.DataFrame(filled)}


def test_page_is_one_file_that_asks_the_network_for_nothing(html: str) -> None:
    assert not re.search(r"https?://", re.sub(r'src="data:[^"]*"', "", html))
    assert not re.search(r"<script|<link|@import|url\(", html)
    for source in re.findall(r'src="([^"]{0,40})', html):
        assert source.startswith("data:image/")


def test_page_declares_language_and_width(page: Page) -> None:
    assert page.attributes("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in (
        page.attributes("meta")
    )


def test_headings_descend_without_a_gap(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_every_image_is_described_and_every_header_cell_has_a_scope(page: Page) -> None:
    assert all(len(image["alt"]) > 10 for image in page.attributes("img"))
    assert all(cell.get("scope") in ("row", "col") for cell in page.attributes("th"))


def test_every_link_and_label_has_its_target(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = [a["href"].removeprefix("#") for a in page.attributes("a")]
    wanted += [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(wanted) <= set(ids)


def test_text_from_files_is_escaped(html: str) -> None:
    assert "&lt;ever&gt;" in html


def test_page_is_the_same_at_every_writing(tmp_path: Path) -> None:
    small = MadeUp(**SMALL)
    pages = [report_page.write(tmp_path / name, small, drawn=()).read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_reader_learns_who_won_how_sure_and_what_pretraining_gained(page: Page) -> None:
    for words in (
        "Who won? U-Net · masked is first of 5 entrants",
        "before U-Net · scratch",
        "of 100 bootstrap samples",
        "Kendall's τ between the ranking and its bootstrap samples is 0.91",
        "Did pretraining help? Yes, in",
        "the median gain over 4 comparisons is +0.0",
        "First place depends on the ranking rule: under rank-then-mean U-Net · scratch would",
    ):
        assert words in page.text


def test_each_of_several_notes_on_a_gain_is_told_with_how_often_it_holds() -> None:
    tables = ranking_tables(MadeUp(**SMALL))
    gains = tables["gains"].assign(note="no p-value: few; folds differ; cases differ")
    told = " ".join(pretraining_findings.how_sure(tables | {"gains": gains}, DISPLAY))
    number = len(pretraining_findings.comparisons({"gains": gains}))
    assert f"In {number} of {number} comparisons: folds differ." in told
    assert f"In {number} of {number} comparisons: cases differ." in told


def test_caveats_of_caller_edition_and_tables_are_all_there(page: Page) -> None:
    for words in (
        report_page.HELD_OUT,
        "synthetic",
        "Microglia, clDice: in 5 of 24 cases the edition's definition and the robust one",
        "would stand elsewhere: U-Net · masked (1 → 5)",
    ):
        assert words in page.text


def test_figures_files_and_provenance_are_listed(page: Page) -> None:
    for words in (
        "Figure 1. Overview.",
        "Effect of pretraining, with intervals and tests",
        "per-type/pretraining-gains.svg",
        "tables/gains.tsv",
        "0123abc",
        "python: '3.11'",
    ):
        assert words in page.text


def test_finished_report_is_not_called_partial(page: Page) -> None:
    assert "PARTIAL" not in page.text


def test_partial_report_lists_what_is_missing(tmp_path: Path) -> None:
    path = report_page.write(
        tmp_path, MadeUp(**SMALL, unpredicted=2), drawn=(), missing=["unet: cfos, seed 1"]
    )
    text = Page(path.read_text()).text
    assert "PARTIAL: this run is not finished." in text
    assert "unet: cfos, seed 1" in text
    assert "2 × no prediction (unet on cfos)" in text


def test_report_before_any_score_says_that_there_is_nothing(tmp_path: Path) -> None:
    path = report_page.write(tmp_path, drawn=(), tracks={"per-type": empty_tables()})
    text = Page(path.read_text()).text
    assert "Nobody: nothing has been ranked." in text
    assert "Not answered" in text
    assert "nothing has been scored yet" in text


def test_missing_figure_is_refused_by_name(tmp_path: Path) -> None:
    lost = ShownFigure("overview", "", tmp_path / "lost.svg", "", "Ranking")
    with pytest.raises(InputError, match=r"lost.svg: expected a figure"):
        report_page.write(tmp_path, MadeUp(**SMALL), drawn=(), figures=[lost])


def test_with_few_specimens_nothing_is_called_significant(tmp_path: Path) -> None:
    path = report_page.write(tmp_path, MadeUp(**SMALL, specimens=3), drawn=())
    text = Page(path.read_text()).text
    assert "Not testable: pretraining was better in" in text
    assert "a direction, not a finding" in text
    assert "there are only 3 specimens" in text
    assert "places have no intervals" in text
    assert "could not be tested" in text
    assert "p = " not in text


def test_with_unknown_specimens_independence_is_not_claimed(tmp_path: Path) -> None:
    path = report_page.write(tmp_path, MadeUp(**SMALL, known=False), drawn=())
    text = Page(path.read_text()).text
    assert "cannot be checked" in text
    assert "the specimens are unknown, and cases of one animal are not independent" in text


@pytest.mark.parametrize(
    ("gains", "p", "answer"),
    [
        ([0.1, 0.1], [0.01, 0.6], "Yes, in 1 of 2 tested comparisons"),
        ([-0.1, 0.1], [0.01, 0.6], "No: significantly worse in 1 of 2"),
        ([-0.1, 0.1], [0.01, 0.01], "It depends: significantly better in 1"),
        (
            [0.1, -0.1],
            [0.3, 0.6],
            "No gain could be shown: pretraining was better in 1 of 2 comparisons",
        ),
        (
            [0.0, 0.0],
            [1.0, 1.0],
            "No gain could be shown: pretraining was better in 0 of 2 comparisons",
        ),
        ([0.1, 0.1], [np.nan, np.nan], "Not testable: pretraining was better in 2 of 2"),
        ([np.nan], [np.nan], "Not answered"),
    ],
)
def test_headline_is_what_the_tests_allow(gains: list, p: list, answer: str) -> None:
    tables = tables_with_gains(gain=gains, p_holm=p)
    assert pretraining_findings.headline(tables).startswith(answer)


def test_less_error_counts_as_gain() -> None:
    tables = tables_with_gains(gain=[-5.0], p_holm=[0.01], metric=["betti0_error"])
    assert pretraining_findings.headline(tables).startswith("Yes")


def test_longer_training_from_scratch_is_a_control_and_not_pretraining() -> None:
    tables = tables_with_gains(gain=[0.1], p_holm=[0.01], init=["scratch-long"])
    assert pretraining_findings.headline(tables).startswith("Not answered")
    both = tables_with_gains(gain=[0.1, 0.07], p_holm=[0.01, 0.01], init=["masked", "scratch-long"])
    sentences = pretraining_findings.details(both, DISPLAY)
    assert any("(scratch-long) changed Dice by +0.070" in sentence for sentence in sentences)


def test_gains_with_few_labels_alone_do_not_decide() -> None:
    tables = tables_with_gains(gain=[0.1], p_holm=[0.01], budget=["2"])
    assert pretraining_findings.headline(tables).startswith("Not answered")
    (sentence,) = pretraining_findings.details(tables, DISPLAY)
    assert "budgets 2" in sentence


def test_where_it_helped_and_where_it_cost_are_both_named() -> None:
    tables = tables_with_gains(
        gain=[0.1, -0.2], p_holm=[0.01, 0.01], structure=["cfos", "microglia"], seen=[True, False]
    )
    said = " ".join(pretraining_findings.details(tables, DISPLAY))
    assert "most for U-Net · masked on c-Fos+ cells" in said
    assert "It cost most for U-Net · masked on Microglia" in said
    assert "seen in training the median gain in Dice is +0.100, on unseen ones −0.200" in said


def test_shared_first_place_has_no_single_winner() -> None:
    tables = ranking_tables(MadeUp(**SMALL))
    tables["leaderboard"]["place"] = [1, 1, 3, 4, 5]
    said = ranking_findings.who_won(tables, DISPLAY)
    assert said.startswith("U-Net · masked and U-Net · scratch share first place among 5 entrants")


def test_lone_entrant_is_no_winner() -> None:
    tables = ranking_tables(MadeUp(("unet",), ("scratch",), (), ("cfos",)))
    assert "only entrant" in ranking_findings.who_won(tables, DISPLAY)


def test_all_tied_is_no_winner() -> None:
    tables = ranking_tables(MadeUp(**SMALL, values="constant"))
    assert ranking_findings.who_won(tables, DISPLAY).startswith("All 5 entrants share first place")


def test_notes_of_the_leaderboard_are_said_once_with_their_entrants() -> None:
    leaderboard = ranking_tables(MadeUp(**SMALL))["leaderboard"]
    leaderboard["note"] = ["a; cfos: b", *["cfos: b"] * 4]
    assert ranking_findings.gaps_in_data(leaderboard, DISPLAY) == [
        "U-Net · masked: a.",
        "All entrants: c-Fos+ cells: b.",
    ]


@pytest.mark.parametrize(("share", "text"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.0, "0 %")])
def test_shares_read_all_or_nothing_only_where_they_are(share: float, text: str) -> None:
    assert ranking_findings._percent(share) == text
