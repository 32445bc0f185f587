"""The report says who won, how sure that is and what pretraining gained, and does not flatter."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import report_page
from ranking_tables import DISPLAY, MadeUp, empty_tables, ranking_tables
from selma3d.challenge.checking import load_yaml
from selma3d.challenge.disclosure import Disclosure
from selma3d.challenge.edition import Edition
from selma3d.ranking.tables import COLUMNS
from selma3d.report import pretraining_findings, ranking_findings
from selma3d.report.account import Account
from selma3d.report.cost_findings import what_it_cost
from selma3d.report.page_contents import ShownFigure
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
        if not {"style", "script"} & set(self._open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    small = SMALL | {"seeds": 3}
    two = (MadeUp(**small), MadeUp(**small, gain=0.0))
    return report_page.write(folder, *two).read_text()


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def tables_with_verdict(**columns: object) -> dict[str, pd.DataFrame]:
    """The verdicts of a made-up challenge of three trainings, changed in its primary endpoint."""
    tables = ranking_tables(MadeUp(**SMALL | {"seeds": 3}))
    verdicts = tables["verdicts"].copy()
    for name, value in columns.items():
        verdicts.loc[0, name] = value
    return tables | {"verdicts": verdicts}


def test_page_is_one_file_that_asks_the_network_for_nothing(html: str) -> None:
    outside = re.sub(r'src="data:[^"]*"', "", html)
    assert not re.search(r"https?://|<script[^>]+src|<link|@import|url\(", outside)
    assert "default-src 'none'; img-src data:;" in html
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
    links = [a["href"] for a in page.attributes("a")]
    wanted = [link.removeprefix("#") for link in links if link.startswith("#")]
    wanted += [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(wanted) <= set(ids)
    files = {link.partition("#")[0] for link in links if not link.startswith("#")}
    drawn = {f"{t}/{n}.svg" for t in report_page.TRACKS for n in ("overview", "forest")}
    tables = {"tables/gains.tsv", "ranking/leaderboard.tsv"}
    opened = {
        "export/per-type/cfos/b%3C.ome.zarr",
        "export/volumes/cfos/sample1.ome.zarr",
        "segmentations/unet/cfos/export/sample1.ome.zarr",
    }
    assert files == drawn | tables | opened | {"gallery.html"}


def test_each_image_has_a_line_that_opens_it_in_napari(page: Page) -> None:
    volume = "export/volumes/cfos/sample1.ome.zarr segmentations/unet/cfos/export/sample1.ome.zarr"
    for files in ("'export/per-type/cfos/b<.ome.zarr'", volume):
        assert f"napari --plugin napari-ome-zarr {files}" in page.text


def test_first_screen_answers_each_question_in_a_sentence_and_shows_a_case(page: Page) -> None:
    summary = page.text.partition("Who won?")[2].partition("What was learnt from what ")[0]
    for words in (
        "It ranks first in 6 of 6 pairs of structure and metric",
        "How sure is that? U-Net · masked is first in",
        "Did pretraining help? Yes: ",
        "What did it cost? Not known: no job has been measured.",
        "a median case (b<): U-Net · masked has Dice 0.500",
        "Where they differ",
    ):
        assert words in summary
    assert "depends on the ranking rule" not in summary


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (0.0, "In all 3.01 h of CPU and no GPU; most by U-Net · masked (3.00 h of CPU), least by "
              "Otsu threshold (36.0 s)."),
        (0.5, "In all 3.01 h of CPU and 30.0 min of GPU; most by U-Net · masked (30.0 min of GPU), "
              "least by Otsu threshold (0 min)."),
    ],
)  # fmt: skip
def test_cost_is_told_in_total_and_by_who_took_most_and_least(gpu: float, said: str) -> None:
    jobs = {
        "method": ["unet", "unet", "threshold"],
        "init": ["masked", "masked", "default"],
        "cpu_hours": [1.0, 2.0, 0.01],
        "gpu_hours": [0.0, gpu, 0.0],
    }
    assert what_it_cost({"cost": pd.DataFrame(jobs)}, DISPLAY) == said


def test_steps_tell_what_was_learnt_from_what_in_numbers(page: Page) -> None:
    for words in ("4 unannotated images", "2 encoders", "1 model fine-tuned", "32 test cases"):
        assert words in page.text


def test_each_score_links_to_its_cases_and_each_shown_case_to_its_images(page: Page) -> None:
    links = [a["href"] for a in page.attributes("a")]
    assert links.count("#rows-per-type-cfos") >= 2 * 5
    assert [a for tag, a in page.tags if a.get("id") == "rows-per-type-cfos"]
    assert links.count("#case-1") >= 2


def test_what_the_viewer_shows_is_data_that_no_name_breaks_out_of(html: str) -> None:
    text = html.partition('id="stacks">')[2].partition("</script>")[0]
    case, _ = json.loads(text)["cases"]
    assert case["masks"][0]["title"] == "U-Net · masked"
    assert case["case"] == "b<"
    assert "<" not in text


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
        "Did pretraining help? Yes: +0.0",
        "Exploratory, all pretexts: in 4 comparisons with every patch the gain in Dice was from",
        "This design detects 0.0",
        "First place depends on the ranking rule: under rank-then-mean U-Net · scratch would",
    ):
        assert words in page.text


def test_caveats_of_caller_edition_and_tables_are_all_there(page: Page) -> None:
    for words in (
        report_page.HELD_OUT,
        "synthetic",
        "Microglia, clDice: in 5 of 24 cases the edition's definition and the robust one",
        "would stand elsewhere: U-Net · masked (1 → 5)",
    ):
        assert words in page.text


def test_where_no_published_scores_stand_beside_real_images_the_report_says_whom_to_ask(
    tmp_path: Path, page: Page, repository: Path
) -> None:
    file = repository / "config/editions/selma2024-open.yaml"
    written = report_page.write(tmp_path, edition=Edition.read(load_yaml(file)))
    words = "config/reported/selma2024-open.tsv holds none. Ask those who have them"
    assert words in Page(written.read_text()).text
    assert "No published scores" not in page.text, "none can stand beside synthetic images"


def test_figures_files_and_provenance_are_listed(page: Page) -> None:
    for words in (
        "Figure 1. Scores and ranks at a glance.",
        "Effect of pretraining, with intervals",
        "per-type/forest.svg",
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
    assert "No winner: nothing has been ranked." in text
    assert "Not answered" in text
    assert "nothing has been scored yet" in text


def test_a_failed_control_is_told_where_no_cost_is_known(tmp_path: Path) -> None:
    tables = ranking_tables(MadeUp(**SMALL))
    control = (
        tables["verdicts"]
        .iloc[:1]
        .assign(control="positive", expected="gain", found="no gain", passed=False)
    )
    tables["controls"] = control[list(COLUMNS["controls"])]
    tables["cost"] = tables["cost"].head(0)
    text = Page(report_page.write(tmp_path, drawn=(), tracks={"per-type": tables}).read_text()).text
    assert "No: 1 control of 1 failed" in text
    assert "FAILED" in text


def test_missing_figure_is_refused_by_name(tmp_path: Path) -> None:
    lost = ShownFigure("overview", "Overview", "", tmp_path / "lost.svg", "", "Ranking")
    with pytest.raises(InputError, match=r"lost.svg: expected a figure"):
        report_page.write(tmp_path, MadeUp(**SMALL), drawn=(), figures=[lost])


def test_with_few_specimens_nothing_is_called_significant(tmp_path: Path) -> None:
    path = report_page.write(tmp_path, MadeUp(**SMALL, specimens=3), drawn=())
    text = Page(path.read_text()).text
    assert "places have no intervals" in text
    assert "could not be tested" in text
    assert "significantly better" not in text


def test_with_unknown_specimens_independence_is_not_claimed(tmp_path: Path) -> None:
    path = report_page.write(tmp_path, MadeUp(**SMALL, known=False), drawn=())
    text = Page(path.read_text()).text
    assert "cannot be checked" in text
    assert "over trainings only, on these very images" in text


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        ("gain", "Yes: as stated (Dice; U-Net · masked on c-Fos+ cells, every patch)."),
        ("harm", "No, it did harm: as stated"),
        ("no relevant gain", "No: as stated"),
        ("inconclusive", "Not decided: as stated"),
        ("not answerable", "Not answered: as stated"),
    ],
)
def test_headline_is_the_verdict_on_the_primary_endpoint(verdict: str, answer: str) -> None:
    tables = tables_with_verdict(verdict=verdict, statement=f"{verdict}: as stated")
    assert pretraining_findings.headline(tables, DISPLAY).startswith(answer)


def test_readers_are_told_what_is_owed_to_them_and_what_nobody_stated(tmp_path: Path) -> None:
    account = Account(
        disclosure=Disclosure(annotators="two biologists, each case twice", test_looks=2),
        training_patches={"vessel": 24},
        recipes={"unet": "unet, windows of 8×8×8 voxels"},
        hashes={"vessel": "sha256:0123456789ab"},
    )
    page = report_page.write(tmp_path, MadeUp(**SMALL), account=account).read_text()
    owed = page.partition('id="account"')[2].partition("</section>")[0]
    for stated in ("two biologists, each case twice", "sha256:0123456789ab", "8×8×8", "24"):
        assert stated in owed
    for slot in ("disclosure.tuning", "disclosure.failed_runs", "disclosure.conflicts"):
        assert f"not stated ({slot})" in owed
    assert "disclosure.annotators" not in owed


def test_without_a_declaration_there_is_no_verdict() -> None:
    tables = tables_with_verdict()
    undeclared = tables | {"verdicts": tables["verdicts"].head(0)}
    assert pretraining_findings.headline(undeclared, DISPLAY).startswith("Not asked")
    assert pretraining_findings.how_sure(undeclared) == []
    assert pretraining_findings.ranges(undeclared, DISPLAY), "gains are shown all the same"
    without_pairs = undeclared | {"gains": undeclared["gains"].head(0)}
    assert pretraining_findings.headline(without_pairs, DISPLAY).startswith("Not answered")


def test_every_endpoint_is_told_in_its_order() -> None:
    said = pretraining_findings.further_endpoints(tables_with_verdict(), DISPLAY)
    assert [sentence.split(":")[0] for sentence in said] == [
        "On structures or acquisitions that were never learnt from",
        "With the fewest labels",
    ]


def test_the_worst_gain_is_told_beside_the_best_and_the_control_apart() -> None:
    tables = tables_with_verdict()
    gains = tables["gains"].query("metric == 'dice' and budget == 'all'").head(3)
    gains = gains.assign(
        gain=[0.1, -0.2, 0.07],
        low=[0.05, -0.3, np.nan],
        high=[0.15, -0.1, np.nan],
        structure=["cfos", "microglia", "cfos"],
        init=["masked", "masked", "scratch-long"],
        method="unet",
    )
    pretexts, control = pretraining_findings.ranges(tables | {"gains": gains}, DISPLAY)
    assert "from −0.200 (U-Net · masked on Microglia; −0.300 to −0.100)" in pretexts
    assert "to +0.100 (U-Net · masked on c-Fos+ cells; +0.050 to +0.150)" in pretexts
    assert "scratch-long" in control
    assert "+0.070 (U-Net · scratch-long on c-Fos+ cells)" in control


def test_fewer_errors_are_told_as_a_gain() -> None:
    tables = tables_with_verdict(metric="betti0_error")
    gains = tables["gains"].query("metric == 'betti0_error' and budget == 'all'").head(1)
    gains = gains.assign(gain=-5.0, low=-6.0, high=-4.0)
    (sentence,) = pretraining_findings.ranges(tables | {"gains": gains}, DISPLAY)
    assert "was +5.00 (U-Net · masked on c-Fos+ cells; +4.00 to +6.00)" in sentence


def test_design_spreads_and_what_a_gain_takes_are_told() -> None:
    tables = tables_with_verdict(
        specimens=6, trainings=5, specimen_sd=0.009, training_sd=0.009, rest_sd=0.008,
        detectable=0.018, margin=0.02, imputed=2, unpaired=1,
    )  # fmt: skip
    said = " ".join(pretraining_findings.how_sure(tables))
    for words in (
        "6 specimens a structure and 5 trainings an arm",
        "specimens 0.009, trainings 0.009 and the rest 0.008",
        "This design detects 0.018 at 80 %, less than the margin of 0.02",
        "declared in the configuration (sha256:",
        "the least that it can reach here is 0.0078",
        "Pairs of scores in which a worst value stands in for a missing one: 2.",
        "Runs without a partner, left out: 1.",
    ):
        assert words in said


def test_what_a_gain_of_the_margin_takes_is_told_where_it_could_not_be_seen() -> None:
    spreads = {"specimen_sd": 0.016, "training_sd": 0.004, "rest_sd": 0.023}
    tables = tables_with_verdict(trainings=5, detectable=0.028, margin=0.02, **spreads)
    assert pretraining_findings.what_it_takes(tables) == [
        "This design detects 0.028 at 80 %; what would change the answer: a gain of 0.02 takes 11 "
        "specimens × 5 trainings or 9 specimens × 10 trainings or 8 specimens × 20 trainings."
    ]


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


def test_leaderboards_that_order_others_than_the_first_stand_on_the_page(tmp_path: Path) -> None:
    plain = report_page.EDITION.plain()
    plain["ranking"]["leaderboards"] = {
        "with": {"title": "With self-supervision", "self_supervised": True},
        "without": {"title": "Without self-supervision", "self_supervised": False},
        "every": {"title": "Every entrant"},
    }
    made_up = MadeUp(**SMALL)
    page = report_page.write(tmp_path, made_up, edition=Edition.read(plain)).read_text()
    assert re.search(r"With self-supervision: .* · masked is first of 2 entrants", page)
    assert "Without self-supervision: no entrant." in page
    assert "Every entrant: the same places as above." in page
    caption = re.search(r'<caption id="leaderboard-with-per-type">(.*?)</table>', page, re.DOTALL)[
        1
    ]
    assert "U-Net · masked" in caption
    assert "scratch" not in caption
    assert 'id="leaderboard-every-per-type"' not in page


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
