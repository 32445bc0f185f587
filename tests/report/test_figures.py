"""Figures draw from whatever a ranking holds, look alike, and claim no more than their tables."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Text

from ranking_tables import DISPLAY, MadeUp, empty_tables, ranking_tables
from selma3d.challenge.display import Display
from selma3d.report import labels, ranking_rows
from selma3d.report.drawing import canvas
from selma3d.report.drawing.entrants import EntrantStyles
from selma3d.report.drawing.figure import draw_figure
from selma3d.report.figures import FIGURES, significance
from selma3d.report.figures.overview import COLUMNS
from selma3d.report.histories import draw_histories
from selma3d.report.ranking_rows import case_ranks, ranked_cases
from selma3d.report.shown import Trainings
from selma3d.system.errors import InputError

SMALL = {"methods": ("unet", "swin"), "structures": ("cfos",), "cases": 2, "seeds": 1}
NOTED = replace(DISPLAY, note="a note")
KINDS = {
    "normal": MadeUp(("unet", "swin"), structures=("cfos", "microglia"), cases=2, seeds=1),
    "replicated": MadeUp(("unet",), structures=("cfos", "microglia"), cases=1, seeds=3),
    "tied": MadeUp(**SMALL, values="tied"),
    "constant": MadeUp(**SMALL, values="constant"),
    "few specimens": MadeUp(**SMALL, specimens=2),
    "unknown specimens": MadeUp(**SMALL, known=False),
    "single case": MadeUp(**SMALL | {"cases": 1}, specimens=1),
    "single method": MadeUp(("unet",), ("scratch",), (), ("cfos",), 2, 1, 1),
    "many entrants": MadeUp(
        ("a", "b", "c"), ("scratch", "scratch-long", "masked", "byol"), (), ("cfos",), 6, 1, 1
    ),
}


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, pd.DataFrame]]:
    return {kind: ranking_tables(made_up) for kind, made_up in KINDS.items()}


def drawn(name: str, tables: dict[str, pd.DataFrame]) -> mpl.figure.Figure:
    with canvas.drawing():
        return FIGURES[name].draw(tables, EntrantStyles.of_tables(DISPLAY, tables))


def texts(figure: mpl.figure.Figure) -> Iterator[str]:
    return (text.get_text() for text in figure.findobj(Text) if text.get_text())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FIGURES.names)
def test_figure_draws_from(name: str, kind: str, tables: dict, tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    draw_figure(name, tables[kind], DISPLAY, {"svg": path})
    assert path.read_text().rstrip().endswith("</svg>")


def test_each_side_of_the_gap_is_named_with_its_structures() -> None:
    told = " ".join(" ".join(texts(drawn("seen-unseen", ranking_tables()))).split())
    assert "seen in training: Blood vessels (n = 24)" in told
    assert "unseen: Microglia (n = 24)" in told


@pytest.mark.parametrize("name", FIGURES.names)
def test_figure_without_data_says_why(name: str) -> None:
    figure = drawn(name, empty_tables())
    assert not figure.axes
    assert re.search(r"\bno\b|nothing|nobody|not |only one", " ".join(texts(figure)).lower())


def test_a_sentence_that_replaces_a_figure_is_in_its_files(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    draw_figure("gain-curves", empty_tables(), DISPLAY, {"svg": path})
    assert canvas.sentence_of(path) == ranking_rows.NO_GAINS


def test_places_that_no_definition_changes_are_a_sentence(tables: dict) -> None:
    same = tables["normal"]["profile_places"].assign(place_profile=1.0, place_robust=1.0)
    figure = drawn("metric-profiles", tables["normal"] | {"profile_places": same})
    assert not figure.axes
    assert "keep their places" in figure.get_label()


def test_lengths_bear_the_unit_of_their_structure() -> None:
    name = "average_surface_distance"
    assert labels.metric_name(name).endswith("(µm or voxels)")
    assert labels.metric_name(name, lengths_in="µm").endswith("(µm)")
    assert labels.metric_name(name, lengths_in="voxels").endswith("(voxels)")


@pytest.mark.parametrize("name", FIGURES.names)
def test_figure_works_from_tables_read_back_from_tsv(
    name: str, tables: dict, tmp_path: Path
) -> None:
    for stem, table in tables["tied"].items():
        table.to_csv(tmp_path / f"{stem}.tsv", sep="\t", index=False, na_rep="NaN")
    read = {path.stem: pd.read_csv(path, sep="\t") for path in tmp_path.glob("*.tsv")}
    draw_figure(name, read, DISPLAY, {"svg": tmp_path / "figure.svg"})


def test_the_overview_has_a_dash_where_nothing_was_segmented(tables: dict) -> None:
    means = tables["normal"]["by_metric"].copy()
    absent = (means["method"] == "swin") & (means["structure"] == "microglia")
    means.loc[absent, "missing"] = means.loc[absent, "cases"]
    dashes = [
        sum(text == "–" for text in texts(drawn("overview", tables["normal"] | {"by_metric": one})))
        for one in (tables["normal"]["by_metric"], means)
    ]
    assert dashes == [0, absent.sum()]


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_drawing_twice_gives_the_same_bytes(form: str, tables: dict, tmp_path: Path) -> None:
    for path in (tmp_path / f"first.{form}", tmp_path / f"second.{form}"):
        draw_figure("forest", tables["tied"], NOTED, {form: path})
    assert (tmp_path / f"first.{form}").read_bytes() == (tmp_path / f"second.{form}").read_bytes()


def test_figures_ignore_the_users_matplotlib_settings(tables: dict, tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    draw_figure("ranking-rules", tables["tied"], DISPLAY, {"svg": first})
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.fonttype": "path"}):
        draw_figure("ranking-rules", tables["tied"], DISPLAY, {"svg": second})
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("text", ["$_{$", "$$", r"$\frac$", "^{", "a$b", "%s {0}"])
def test_a_title_is_text_whatever_is_in_it(text: str, tmp_path: Path) -> None:
    with canvas.drawing():
        figure = canvas.statement(text)
        for form in ("svg", "pdf", "png"):
            figure.savefig(tmp_path / f"a.{form}")
    assert escape(text) in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", FIGURES.names)
def test_figure_fits_a_journal_in_width_and_type(name: str, tables: dict) -> None:
    figure = drawn(name, tables["tied"])
    assert round(figure.get_figwidth() * 25.4) in (89, 183)
    assert {text.get_fontsize() for text in figure.findobj(Text)} <= {7.0, 8.0}


def test_partial_figure_says_what_is_missing_and_note_is_shown(
    tables: dict, tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    missing = tuple(f"unet on cfos {n}" for n in range(6))
    display = replace(DISPLAY, partial=missing, note="held-out split")
    draw_figure("overview", tables["tied"], display, {"svg": path})
    svg = path.read_text()
    assert "PARTIAL: 6 missing: unet on cfos 0" in svg
    assert "and 2 more" in svg
    assert "held-out split" in svg


def test_marks_do_not_shrink_the_drawing(tables: dict) -> None:
    plain, marked = (drawn("overview", tables["tied"]) for _ in range(2))
    before = marked.get_figheight()
    with canvas.drawing():
        canvas.mark(plain, DISPLAY)
        canvas.mark(marked, replace(NOTED, partial=("all of it",)))
        heights = []
        for figure in (plain, marked):
            figure.draw_without_rendering()
            heights.append(figure.axes[0].get_window_extent().height)
    assert marked.get_figheight() > before
    assert heights[1] == pytest.approx(heights[0], rel=0.02)


def test_unknown_figure_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"figure 'scorse': expected one of .*scores"):
        draw_figure("scorse", {}, DISPLAY, {})


def test_captions_explain_their_uncertainty() -> None:
    for name in ("scores", "forest", "gain-curves", "learning-curves", "bootstrap-places"):
        assert "95 %" in FIGURES.caption(name)


@pytest.mark.parametrize("kind", ["normal", "replicated"])
def test_forest_names_verdicts_and_nothing_is_starred(kind: str, tables: dict) -> None:
    shown = list(texts(drawn("forest", tables[kind])))
    assert set(tables[kind]["verdicts"]["verdict"]) <= set(shown)
    assert not {"*", "**", "***", "ns"} & set(shown)


def test_one_training_an_arm_has_no_interval(tables: dict) -> None:
    shown = list(texts(drawn("forest", tables["normal"])))
    assert "not answerable" in shown
    lines = {
        kind: sum(
            len(lines.get_segments())
            for lines in drawn("forest", tables[kind]).findobj(LineCollection)
        )
        for kind in ("normal", "replicated")
    }
    assert lines["normal"] == 0 < lines["replicated"]


def test_a_forest_of_many_structures_fits_a_page_and_leaves_none_out(tables: dict) -> None:
    gains = tables["normal"]["gains"]
    many = [gains.assign(structure=f"{name} {n}") for n in range(5) for name in ("a", "b")]
    figure = drawn("forest", tables["normal"] | {"gains": pd.concat(many)})
    assert figure.get_figheight() / canvas.MM < 230
    shown = list(texts(figure))
    assert all(shown.count(f"{name} {n}") == 1 for n in range(5) for name in ("a", "b"))


@pytest.mark.parametrize("name", ["forest", "gain-curves"])
def test_gains_are_drawn_such_that_more_is_better(name: str, tables: dict) -> None:
    """Fewer errors are a gain; zero is in sight."""
    gains = tables["replicated"]["gains"]
    errors = gains[gains["metric"] == "betti0_error"].assign(gain=-3.0, low=-4.0, high=-2.0)
    figure = drawn(name, empty_tables() | {"gains": errors})
    for axes in figure.axes:
        if axes.get_xlim() != (0, 1):
            low, high = axes.get_xlim() if name == "forest" else axes.get_ylim()
            assert low <= 0 < 4 <= high


def test_metric_labels_say_their_direction_and_unit(tables: dict) -> None:
    shown = set(texts(drawn("scores", tables["normal"])))
    assert "Dice ↑" in shown
    assert "Betti-0 error ↓\n(components)" in shown


def test_unknown_specimens_are_called_unknown(tables: dict) -> None:
    shown = " ".join(texts(drawn("pretraining-paired", tables["unknown specimens"])))
    assert "specimens unknown" in shown


def test_imputed_cases_are_marked(tables: dict) -> None:
    cases = tables["tied"]["cases"]
    for imputed in (0, 1):
        shown = texts(drawn("scores", tables["tied"] | {"cases": cases.assign(imputed=imputed)}))
        assert ("worst value stands in" in list(shown)) == bool(imputed)


def test_entrant_without_scores_on_a_structure_is_named_so(tables: dict) -> None:
    cases = tables["normal"]["cases"]
    lost = (cases["method"] == "swin") & (cases["structure"] == "cfos")
    shown = texts(drawn("scores", tables["normal"] | {"cases": cases[~lost]}))
    assert "no score" in list(shown)


def test_only_the_editions_own_metrics_are_drawn(tables: dict) -> None:
    cases = tables["tied"]["cases"]
    others = [
        cases.assign(metric_profile=profile, value=99.0) for profile in ("robust", "describe")
    ]
    mixed = pd.concat([*others, cases])
    assert ranked_cases({"cases": mixed})["value"].max() < 99


def test_colour_tells_the_method_and_symbol_the_init() -> None:
    entrants = [(m, i) for m in ("unet", "swin") for i in ("scratch", "byol", "masked")]
    styles = EntrantStyles(DISPLAY, entrants)
    assert {styles["unet", init].colour for _, init in entrants} == {"#0072B2"}
    for init in ("scratch", "byol", "masked"):
        assert styles["unet", init].marker == styles["swin", init].marker
        assert styles["unet", init].line == styles["swin", init].line
    symbols = {(styles["unet", i].marker, styles["unet", i].filled) for _, i in entrants}
    assert len(symbols) == 3
    assert not styles["unet", "scratch"].filled


def test_methods_without_a_colour_get_different_ones() -> None:
    styles = EntrantStyles(Display(), [(f"team{n}", "default") for n in range(10)])
    assert len({styles[f"team{n}", "default"].colour for n in range(10)}) == 10


def test_method_files_have_different_colours(repository: Path) -> None:
    files = sorted((repository / "config" / "methods").glob("*.yaml"))
    colours = [yaml.safe_load(file.read_text())["colour"].lower() for file in files]
    assert len(set(colours)) == len(colours)


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_error_colours_are_told_apart_in_every_colour_deficiency(deficiency: str) -> None:
    from skimage.color import deltaE_ciede2000, rgb2lab

    names = [canvas.TRUE_POSITIVE, canvas.FALSE_POSITIVE, canvas.FALSE_NEGATIVE]
    linear = np.array([mpl.colors.to_rgb(name) for name in names]) ** 2.2
    seen = np.clip(linear @ np.asarray(DEFICIENCIES[deficiency]).T, 0, 1) ** (1 / 2.2)
    lab = rgb2lab(seen)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert deltaE_ciede2000(lab[a], lab[b]) > 20


def test_ranks_of_a_case_share_the_lowest_place() -> None:
    cases = pd.DataFrame(
        {
            "structure": "cfos",
            "case": "a",
            "metric": ["dice"] * 4 + ["betti0_error"] * 4,
            "value": [0.9, 0.5, 0.5, 0.1, 0.0, 3.0, 3.0, 8.0],
        }
    )
    assert case_ranks(cases).tolist() == [1, 2, 2, 4, 1, 2, 2, 4]


def test_significance_knows_the_direction_of_the_metric() -> None:
    entrants = [("a", "x"), ("b", "x"), ("c", "x")]
    pairs = pd.DataFrame(
        [("a", "x", "b", "x", -5.0, 0.01), ("a", "x", "c", "x", -5.0, np.nan),
         ("b", "x", "c", "x", 5.0, 0.2)],
        columns=["method_a", "init_a", "method_b", "init_b", "difference", "p_holm"],
    )  # fmt: skip
    as_error = significance.verdicts(pairs, entrants, "betti0_error")
    assert as_error[0, 1] == 1
    assert as_error[1, 0] == -1
    assert np.isnan(as_error[0, 2])
    assert as_error[1, 2] == 0
    assert significance.verdicts(pairs, entrants, "dice")[0, 1] == -1


def test_no_grey_map_where_nothing_could_be_significant(tables: dict) -> None:
    pairs = tables["replicated"]["pairwise"]
    assert drawn("significance", tables["replicated"]).axes, "3 pairs of 8 specimens"
    crowded = pairs.assign(specimens=6)  # 3 pairs: p is 0.09 at least
    figure = drawn("significance", tables["replicated"] | {"pairwise": crowded})
    assert not figure.axes
    assert "could be significant" in " ".join(texts(figure)).replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "table"), [("learning-curves", "curves"), ("gain-curves", "gains")]
)
def test_one_budget_is_a_sentence_and_no_curve_of_single_points(name, table, tables: dict) -> None:
    rows = tables["normal"][table]
    assert rows["budget"].nunique() > 1
    figure = drawn(name, tables["normal"] | {table: rows[rows["budget"].astype(str) == "all"]})
    assert "no curve over label budgets" in " ".join(texts(figure)).replace("\n", " ")


def test_reported_scores_stand_beside_ours(tables: dict) -> None:
    reported = pd.DataFrame(
        [("Team A", "cfos", "dice", 0.7, "a paper")],
        columns=["team", "structure", "metric", "value", "source"],
    )
    shown = list(texts(drawn("reported", tables["normal"] | {"reported": reported})))
    assert "Team A (published)" in shown
    assert "U-Net · masked" in shown


def test_histories_show_losses_validation_and_failures(tmp_path: Path) -> None:
    rows = [(s, 0.0, "loss", 1 / s) for s in (10, 20, 30)] + [(30, 0.0, "validation_dice", 0.4)]
    path = tmp_path / "history.tsv"
    columns = ["step", "seconds", "name", "value"]
    pd.DataFrame([*rows, (31, 0.0, "diverged", 1.0)], columns=columns).to_csv(
        path, sep="\t", index=False
    )
    output = tmp_path / "histories.svg"
    trainings = [
        Trainings(("unet", "masked"), "spot-like", (str(path),)),
        Trainings(("unet", "scratch"), "spot-like", (str(path), str(path))),
    ]
    draw_histories(trainings, DISPLAY, {"svg": output})
    svg = output.read_text()
    colour = DISPLAY.colours["unet"].lower()
    assert f"stroke: {colour}" in svg.lower()  # that of the method, as in every figure
    for words in ("training loss", "validation Dice ↑", "U-Net · masked", "n = 2 an entrant"):
        assert words in svg
    assert "not finite, or nothing learnt" in svg, "the cross is in the key"


def test_history_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.tsv"
    path.write_text("epoch\tloss\n1\t2\n")
    with pytest.raises(InputError, match=r"history.tsv: column 'step': expected, found only epoch"):
        draw_histories([Trainings(("unet", "masked"), "cfos", (str(path),))], DISPLAY, {})


def test_figures_tables_and_report_never_import_torch(repository: Path) -> None:
    code = (
        "import sys, selma3d.report.drawing.figure, selma3d.report.table_formats, selma3d.ranking;"
        "import selma3d.report.inputs, selma3d.report.histories, selma3d.report.gallery;"
        "sys.exit('torch' in sys.modules)"
    )
    path = str(repository / "workflow" / "scripts")
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


def test_cost_against_quality_shows_entrants_without_a_gpu_left_of_all_others() -> None:
    tables = ranking_tables(KINDS["normal"])
    entrants = tables["leaderboard"][["method", "init"]]
    spent = entrants.assign(cpu_hours=1.0, gpu_hours=[0.0, *range(1, len(entrants))])
    figure = drawn("cost-against-quality", tables | {"cost": spent})
    assert [axes.get_xlabel() for axes in figure.axes] == ["GPU time, all jobs"] * 2
    for axes in figure.axes:
        points = [c for c in axes.collections if isinstance(c, PathCollection)]
        places = sorted(x for c in points for x, _ in c.get_offsets())
        assert len(places) == len(entrants)
        ticks = dict(
            zip(axes.get_xticks(), map(Text.get_text, axes.get_xticklabels()), strict=True)
        )
        assert ticks[places[0]] == "none"
        assert "1 h" in ticks.values()


def test_an_overview_of_many_structures_stands_in_blocks_of_cells_with_room(
    tables: dict,
) -> None:
    means = tables["normal"]["by_metric"]
    many = [means.assign(structure=means["structure"] + f" {n}") for n in range(4)]
    figure = drawn("overview", tables["normal"] | {"by_metric": pd.concat(many)})
    shown = [round(axes.get_xlim()[1] + 0.5) for axes in figure.axes]
    assert len(shown) == 2
    assert len(set(shown)) == 1, "cells are as wide in every block"
    assert max(shown) <= COLUMNS
    columns = sum(len(axes.get_xticks()) for axes in figure.axes)
    assert columns == 4 * len(means[["structure", "metric"]].drop_duplicates())
