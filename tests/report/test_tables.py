"""Printed tables say what the ranking tables say, in forms that LaTeX and Markdown accept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ranking_tables import DISPLAY, TITLES, MadeUp, empty_tables, ranking_tables
from selma3d.challenge.display import Display
from selma3d.challenge.run import is_pretrained
from selma3d.ranking.cost import MeasuredJob, cost_table
from selma3d.report import labels
from selma3d.report.table_formats import LONG, Printed, escape_latex, latex, markdown, write_printed
from selma3d.report.tables import TABLES, tsv_rows
from selma3d.system.errors import InputError
from selma3d.system.job_state import JobReport

SMALL = {"methods": ("unet",), "structures": ("cfos", "microglia"), "cases": 2, "seeds": 1}


@pytest.fixture(scope="module")
def ranking() -> dict[str, pd.DataFrame]:
    return ranking_tables(MadeUp(**SMALL))


@pytest.fixture(scope="module")
def few() -> dict[str, pd.DataFrame]:
    return ranking_tables(MadeUp(**SMALL, specimens=3))


def printed(name: str, source: pd.DataFrame) -> Printed:
    return TABLES[name].printed(tsv_rows(name, {TABLES[name].SOURCES[0]: source}), DISPLAY)


def written(
    name: str, ranking: dict[str, pd.DataFrame], folder: Path, display: Display = DISPLAY
) -> dict[str, str]:
    outputs = {form: folder / f"{name}.{form}" for form in ("tsv", "tex", "md")}
    write_printed(name, ranking, display, outputs)
    return {form: path.read_text() for form, path in outputs.items()}


def rows_of(latex_table: str) -> list[str]:
    """Lines with cells, the head among them."""
    return [line for line in latex_table.splitlines() if line.endswith(r"\\") and "&" in line]


SHOWN = ["leaderboard", "structures", "budgets", "gains", "verdicts", "described", "agreement"]
OF_CASES = ["references", "weights"]


@pytest.mark.parametrize("name", [*SHOWN, *OF_CASES])
def test_every_latex_row_has_as_many_cells_as_columns(
    name: str, ranking: dict, tmp_path: Path
) -> None:
    text = written(name, ranking, tmp_path)["tex"]
    columns = len(re.search(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", text)[1])
    assert rows_of(text)
    for row in rows_of(text):
        assert len(re.findall(r"(?<!\\)&", row)) == columns - 1


@pytest.mark.parametrize("name", [*SHOWN, *OF_CASES])
def test_every_markdown_row_has_as_many_cells_as_the_head(
    name: str, ranking: dict, tmp_path: Path
) -> None:
    lines = written(name, ranking, tmp_path)["md"].splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.parametrize("name", SHOWN)
def test_tsv_holds_the_unrounded_numbers_behind_the_title(
    name: str, ranking: dict, tmp_path: Path
) -> None:
    written(name, ranking, tmp_path)
    read = pd.read_csv(tmp_path / f"{name}.tsv", sep="\t", keep_default_na=False)
    source = tsv_rows(name, ranking)
    assert list(read.columns) == ["entrant", *source.columns]
    assert read["entrant"].tolist() == [
        DISPLAY.entrant(m, i) for m, i in zip(source["method"], source["init"], strict=True)
    ]
    for column in source.select_dtypes(float):
        values = pd.to_numeric(read[column], errors="coerce")
        np.testing.assert_allclose(values, source[column], rtol=1e-9)


@pytest.mark.parametrize("name", TABLES.names)
def test_table_without_rows_says_so(name: str, tmp_path: Path) -> None:
    nothing = empty_tables() | {"cost": cost_table([])}
    text = written(name, nothing, tmp_path)
    assert "no rows" in text["md"]
    of_entrants = {"method", "init"} <= set(nothing[TABLES[name].SOURCES[0]])
    assert text["tsv"].startswith("entrant\t") == of_entrants


def test_best_score_of_a_structure_is_bold(ranking: dict, tmp_path: Path) -> None:
    shown = printed("structures", ranking["by_metric"])
    cfos = shown.texts["Structure"] == TITLES["cfos"]
    winner = ranking["by_metric"].query("structure == 'cfos' and metric == 'dice'")
    title = DISPLAY.entrant(*winner.loc[winner["mean"].idxmax(), ["method", "init"]])
    assert shown.texts.loc[cfos & shown.bold["Dice ↑"], "Entrant"].tolist() == [title]
    assert r"\textbf{0." in written("structures", ranking, tmp_path)["tex"]


def test_the_empty_mask_s_value_is_marked_and_never_bold(ranking: dict) -> None:
    means = ranking["by_metric"].query("structure == 'microglia' and metric == 'betti0_error'")
    rest = ranking["by_metric"].drop(means.index)
    for as_empty, mark in ((means["cases"], "∅"), (1, f"∅ 1/{means['cases'].iloc[0]}")):
        shown = printed("structures", pd.concat([rest, means.assign(as_empty=as_empty)]))
        own = shown.texts["Structure"] == TITLES["microglia"]
        column = next(name for name in shown.texts if name.startswith("Betti-0"))
        assert shown.texts.loc[own, column].str.endswith(mark).all()
        assert shown.bold.loc[own, column].any() == (mark != "∅")


def test_further_metrics_are_printed_with_pooled_scores_and_nothing_is_bold(ranking: dict) -> None:
    shown = printed("described", ranking["described"])
    assert shown.bold is None
    first = ranking["described"].iloc[0]
    assert shown.texts["Dice, pooled"].iloc[0] == f"{first['pooled']:.3f}"
    assert "Centroid F1 ↑" in shown.texts


def test_cases_with_doubtful_labels_say_so_beside_their_scores(ranking: dict) -> None:
    shown = printed("references", ranking["references"]).texts
    doubtful = shown["Labels"] == "labels doubtful"
    assert shown.loc[doubtful, "Case"].str.contains("s1c0").all()
    assert doubtful.sum() == 2


def test_weights_of_a_structure_s_metrics_add_up(ranking: dict) -> None:
    shown = printed("weights", ranking["weights"]).texts.set_index("Structure")
    assert shown.loc[TITLES["cfos"], ["Dice", "Together"]].tolist() == ["25 %", "50 %"]
    assert shown.loc[TITLES["microglia"], "clDice"] == "12.5 %"


def test_metric_that_a_structure_lacks_is_a_dash(ranking: dict) -> None:
    shown = printed("structures", ranking["by_metric"]).texts
    assert set(shown.loc[shown["Structure"] == TITLES["cfos"], "clDice ↑"]) == {"–"}


def test_intervals_are_printed_only_where_there_are_enough_specimens(
    ranking: dict, few: dict, tmp_path: Path
) -> None:
    body = {}
    for kind, source in (("enough", ranking), ("few", few)):
        text = written("structures", source, tmp_path)["md"]
        body[kind] = [line for line in text.splitlines() if line.startswith("|")]
    assert any(" to " in line for line in body["enough"])
    assert not any(" to " in line for line in body["few"])


def test_gain_of_one_training_has_no_interval(ranking: dict) -> None:
    shown = printed("gains", ranking["gains"]).texts
    assert set(shown["Trainings"]) == {"1"}
    assert not shown["Gain"].str.contains("\\[").any()
    replicated = ranking_tables(MadeUp(**SMALL | {"seeds": 3}))["gains"]
    assert printed("gains", replicated).texts["Gain"].str.contains("\\[").all()


def test_unknown_specimens_are_called_unknown() -> None:
    gains = ranking_tables(MadeUp(**SMALL, known=False))["gains"]
    assert set(printed("gains", gains).texts["Specimens"]) == {"unknown"}


def test_budgets_are_columns_in_order_of_size(ranking: dict) -> None:
    shown = printed("budgets", ranking["curves"]).texts
    assert list(shown.columns[3:]) == ["n = 2", "n = 8", "all"]


def test_captions_say_what_is_missing_and_what_to_know(ranking: dict, tmp_path: Path) -> None:
    display = replace(DISPLAY, partial=("unet_on_cfos",), note="Held-out split.")
    text = written("leaderboard", ranking, tmp_path, display)
    assert "PARTIAL, missing: unet_on_cfos." in text["md"]
    assert r"PARTIAL, missing: unet\_on\_cfos." in text["tex"]
    assert "Held-out split." in text["tex"]


def test_unknown_table_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"table 'leaderbord': expected one of .*leaderboard"):
        write_printed("leaderbord", {}, DISPLAY, {})


def test_table_without_its_source_is_refused() -> None:
    with pytest.raises(InputError, match=r"table 'cost': expected the table 'cost'"):
        write_printed("cost", {}, DISPLAY, {})


def test_latex_has_no_character_that_it_would_misread(ranking: dict, tmp_path: Path) -> None:
    for name in ("leaderboard", "structures", "budgets", "gains", "verdicts"):
        text = written(name, ranking, tmp_path)["tex"]
        assert text.isascii(), sorted({c for c in text if not c.isascii()})


def test_latex_escapes_what_it_would_obey() -> None:
    assert escape_latex(r"50 % & $x_1$ {#} ~^ \a") == (
        r"50 \% \& \$x\_1\$ \{\#\} \textasciitilde{}\textasciicircum{} \textbackslash{}a"
    )


def test_markdown_escapes_what_would_break_a_cell() -> None:
    text = markdown(Printed(pd.DataFrame({"a|b": ["*x* | _y_\nz"]})), "caption")
    assert r"| a\|b |" in text
    assert r"| \*x\* \| \_y\_ z |" in text


def test_long_table_breaks_over_pages() -> None:
    rows = pd.DataFrame({"a": ["x"] * (LONG + 1), "b": ["1"] * (LONG + 1)})
    assert r"\begin{longtable}{lr}" in latex(Printed(rows), "caption", "label")
    assert r"\begin{tabular}{lr}" in latex(Printed(rows.head(LONG)), "caption", "label")


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [(0.12345, "dice", "0.123"), (1234.5, "betti0_error", "1234"), (12.34, "betti0_error", "12.3"),
     (0.01234, None, "0.012"), (0.0, "betti0_error", "0"), (-0.5, "dice", "−0.500"),
     (-0.0001, "dice", "0.000"), (float("nan"), "dice", "–")],
)  # fmt: skip
def test_numbers_are_printed_to_what_they_are_worth(
    value: float, metric: str | None, text: str
) -> None:
    assert labels.number(value, metric) == text


def test_gains_have_a_sign_unless_they_round_to_nothing() -> None:
    assert labels.number(0.05, "dice", sign=True) == "+0.050"
    assert labels.number(-0.05, "dice", sign=True) == "−0.050"
    assert labels.number(0.0001, "dice", sign=True) == "0.000"


def test_controls_are_not_pretraining() -> None:
    pretrained = [
        init for init in ("scratch", "scratch-long", "default", "masked", "byol")
        if is_pretrained(init)
    ]  # fmt: skip
    assert pretrained == ["masked", "byol"]


def test_left_out_twin_says_what_it_is() -> None:
    assert DISPLAY.structure("cfos-unseen") == "c-Fos+ cells (left out of training)"
    assert DISPLAY.structure("cfos") == "c-Fos+ cells"
    assert Display().structure("axon") == "axon"


def benchmark(path: Path, seconds: float, memory: str) -> Path:
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t-\t{memory}\n")
    return path


def test_cost_sums_time_and_takes_the_highest_memory(tmp_path: Path) -> None:
    history = tmp_path / "history.tsv"
    history.write_text("step\tseconds\tname\tvalue\n1\t9000\tloss\t1\n")
    jobs = [
        MeasuredJob("unet", "masked", "finetune", 1, benchmark(tmp_path / "a", 3600, "2048")),
        MeasuredJob("unet", "masked", "finetune", 1, benchmark(tmp_path / "b", 1800, "1024")),
        MeasuredJob("unet", "masked", "pretrain", 2, benchmark(tmp_path / "c", 3600, "-"), history),
    ]
    cost = cost_table(jobs, {"unet": 5_000_000}).set_index("stage")
    assert cost.loc["finetune", ["jobs", "hours", "gpu_hours"]].tolist() == [2, 1.5, 1.5]
    assert cost.loc["finetune", "peak_memory_gb"] == 2
    assert cost.loc["pretrain", "hours"] == 2.5  # the history counts all attempts
    assert cost.loc["pretrain", "gpu_hours"] == 5
    assert np.isnan(cost.loc["pretrain", "peak_memory_gb"])
    shown = printed("cost", cost.reset_index()).texts
    assert shown.iloc[0]["Total (GPU h)"] == "6.50"
    assert shown.iloc[0]["Parameters (M)"] == "5.00"


def test_cpu_time_is_the_jobs_own_where_it_tells_it_and_else_the_benchmarks(tmp_path: Path) -> None:
    path, told = tmp_path / "job.tsv", tmp_path / "job.log.json"
    path.write_text("s\tmax_rss\tcpu_time\n7200\t100\t360\n")
    report = JobReport(told)
    report.begin()
    report.finish("finished", cpu_seconds=720)
    jobs = [
        MeasuredJob("exact", "scratch", "predict", 0, path, state=told),
        MeasuredJob("sampled", "scratch", "predict", 0, path, state=tmp_path / "none.log.json"),
        MeasuredJob("unknown", "scratch", "predict", 0, benchmark(tmp_path / "b", 3600, "2048")),
    ]
    cpu = cost_table(jobs).set_index("method")["cpu_hours"]
    assert cpu["exact"] == pytest.approx(0.2)
    assert cpu["sampled"] == pytest.approx(0.1)
    assert np.isnan(cpu["unknown"])


def test_standings_put_place_dice_and_all_that_an_entrant_cost_side_by_side(ranking: dict) -> None:
    spent = {"jobs": 1, "hours": 1.0, "cpu_hours": 0.5, "gpu_hours": 0.0, "parameters": 2_000_000}
    leaderboard = ranking["leaderboard"]
    cost = pd.DataFrame(
        [
            {"method": m, "init": i, "stage": stage, "peak_memory_gb": memory, **spent}
            for m, i in leaderboard[["method", "init"]].to_numpy()[1:]
            for stage, memory in (("finetune", 3.0), ("predict", 2.0))
        ]
    )
    joined = TABLES["standings"].rows(leaderboard, ranking["by_metric"], cost)
    assert joined["place"].tolist() == leaderboard["place"].tolist()
    assert joined["cpu_hours"].isna().tolist() == [True] + [False] * (len(leaderboard) - 1)
    shown = TABLES["standings"].printed(joined, DISPLAY)
    assert shown.texts["CPU (min)"].tolist() == ["–"] + ["60.0"] * (len(leaderboard) - 1)
    assert set(shown.texts["Peak memory (GB)"]) == {"–", "3.00"}
    dice = f"Dice, {TITLES['cfos']}"
    means = ranking["by_metric"].query("structure == 'cfos' and metric == 'dice'")
    assert shown.texts.loc[shown.bold[dice], dice].tolist() == [f"{means['mean'].max():.3f}"]


def test_an_entrant_shows_no_score_where_it_segmented_nothing(ranking: dict) -> None:
    means = ranking["by_metric"].copy()
    method, init = means.loc[0, ["method", "init"]]
    absent = (means["method"] == method) & (means["init"] == init) & (means["structure"] == "cfos")
    means.loc[absent, "missing"] = means.loc[absent, "cases"]
    joined = TABLES["standings"].rows(ranking["leaderboard"], means, cost_table([]))
    joined = joined.set_index(["method", "init"])
    assert np.isnan(joined.loc[(method, init), "dice cfos"])
    assert joined["dice cfos"].isna().sum() == 1
    shown = printed("structures", means).texts.set_index(["Structure", "Entrant"])
    row = shown.loc[(TITLES["cfos"], DISPLAY.entrant(method, init))]
    assert set(row) == {"–"}


def test_benchmark_without_seconds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.tsv"
    path.write_text("hours\tmax_rss\n1\t2\n")
    with pytest.raises(InputError, match=r"benchmark.tsv: column 's'"):
        cost_table([MeasuredJob("unet", "scratch", "predict", 0, path)])
