"""Results of a challenge are read as tidy tables, and the notebook answers its questions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ranking_tables import DISPLAY, MadeUp, ranking_tables
from selma3d.challenge.layout import Layout
from selma3d.report.table_formats import write_printed
from selma3d.results import Results, read
from selma3d.scoring.score_tables import SCORE_COLUMNS
from selma3d.system.errors import InputError

TINY = MadeUp(("unet",), structures=("cfos", "microglia"), cases=2, seeds=1)
READ = ("scores", "leaderboard", "gains", "verdicts", "costs")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the tables of a made-up ranking, written as the rules write them."""
    layout = Layout(str(tmp_path_factory.mktemp("results") / "mine"))
    cost = dict.fromkeys(("hours", "cpu_hours", "gpu_hours", "peak_memory_gb", "parameters"), 1.0)
    cost = pd.DataFrame([{"method": "unet", "init": "masked", "stage": "finetune", **cost}])
    tables = ranking_tables(TINY) | {"cost": cost.assign(jobs=1)}
    for name, table in tables.items():
        write(table, layout.ranking(name, "per-type"))
    for name in ("leaderboard", "gains", "verdicts", "cost"):
        write_printed(name, tables, DISPLAY, {"tsv": layout.table(name, "per-type")})
    for (method, structure), rows in tables["cases"].groupby(["method", "structure"]):
        rest = {"edition": "mine", "phase": "final", "track": "per-type", "fold": 0, "seed": 0}
        write(rows.assign(**rest)[list(SCORE_COLUMNS)], layout.scores(method, structure))
    return Path(layout.results)


def write(table: pd.DataFrame, path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False)


def test_results_are_tidy_tables(root: Path) -> None:
    results = read(root)
    assert all(len(getattr(results, name)) for name in ("scores", "leaderboard", "gains"))
    assert list(results.leaderboard["place"]) == sorted(results.leaderboard["place"])
    assert results.entrants()["unet", "masked"] == "U-Net · masked"
    assert set(results.scores["track"]) == {"per-type"}
    assert len(results.ranking("bootstrap"))


def test_what_cannot_be_read_is_said_with_what_may_help(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder that holds report\.html"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"one-model/leaderboard\.tsv.*tracks there: per-type"):
        read(root, "one-model")
    (tmp_path / "partial" / "tables").mkdir(parents=True)
    with pytest.raises(InputError, match="partial=True"):
        read(tmp_path)
    with pytest.raises(InputError, match="expected one of leaderboard"):
        read(root).ranking("bootstraps")


def test_every_column_that_is_read_is_explained(root: Path, repository: Path) -> None:
    results, page = read(root), (repository / "docs" / "results.md").read_text()
    for name in READ:
        for column in getattr(results, name).columns:
            shown = "rank <group>" if column.startswith("rank ") else column
            assert f"`{shown}`" in page, f"{name}: {column}"


def test_the_notebook_runs_from_top_to_bottom(root: Path, repository: Path) -> None:
    notebook = json.loads((repository / "docs" / "results.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]  # results are those of the reader
            source = "".join(cell["source"]).replace('"../results/demo"', repr(str(root)))
            exec(compile(source, "docs/results.ipynb", "exec"), names)
    assert isinstance(names["results"], Results)
    for shown in ("leaderboard", "first", "verdicts", "gains", "worst", "cost_and_quality"):
        assert len(names[shown]), shown
