"""The manuscript includes what exists, types no number by hand, and compiles where LaTeX is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ranking_tables import DISPLAY, MadeUp, ranking_tables
from selma3d.challenge.edition import Edition
from selma3d.challenge.layout import Layout
from selma3d.report.drawing.figure import draw_figure
from selma3d.report.page_contents import shown_figures, shown_tables
from selma3d.report.paper import compile as latex
from selma3d.report.paper.manuscript import Manuscript, write_manuscript
from selma3d.report.paper.numbers import macro_name
from selma3d.report.table_formats import write_printed
from selma3d.system.errors import InputError

TITLES = replace(
    DISPLAY, methods=DISPLAY.methods | {"unet": r"50 % \input{x} of_a & #1 {τ}"}, note="a note ~ $"
)
FIGURES, TABLES = ("scores", "gain-curves"), ("leaderboard", "verdicts")
PARTS = ("manuscript", "numbers", "figures", "tables")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    made_up = MadeUp(("unet",), structures=("cfos", "microglia"), cases=2, seeds=1)
    cost = {"method": "unet", "init": "masked", "stage": "finetune", "jobs": 1, "hours": 1.5}
    cost |= {"cpu_hours": 1.25, "gpu_hours": 0.5, "peak_memory_gb": 1.0, "parameters": 1e6}
    tables = ranking_tables(made_up) | {"cost": pd.DataFrame([cost])}
    gains = tables["gains"]  # one budget: its curve is a sentence
    return tables | {"gains": gains[gains["budget"].astype(str) == "all"]}


@pytest.fixture(scope="module")
def paper(tables: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a manuscript of a made-up ranking, whose titles LaTeX would stumble over."""
    layout = Layout(str(tmp_path_factory.mktemp("results") / "mine"))
    for name in FIGURES:
        forms = {form: layout.figure(name, "per-type", form) for form in ("svg", "pdf")}
        Path(forms["svg"]).parent.mkdir(parents=True, exist_ok=True)
        draw_figure(name, tables, TITLES, forms)
    for name in TABLES:
        forms = {form: layout.table(name, "per-type", form) for form in ("tsv", "tex")}
        Path(forms["tsv"]).parent.mkdir(parents=True, exist_ok=True)
        write_printed(name, tables, TITLES, forms)
    edition = {"title": "Images & more", "archives": {}, "structures": {}}
    edition["structures"] = {name: {"scored_as": "spot-like"} for name in ("cfos", "microglia")}
    made_of = Manuscript(
        Edition.model_validate(edition),
        TITLES,
        {"per-type": tables},
        shown_figures([layout.figure(name, "per-type") for name in FIGURES], TITLES),
        shown_tables([layout.table(name, "per-type") for name in TABLES]),
    )
    folder = Path(layout.paper("manuscript")).parent
    folder.mkdir(parents=True)
    write_manuscript({part: layout.paper(part) for part in PARTS}, made_of)
    return folder


def test_every_file_that_is_included_exists(paper: Path) -> None:
    text = "".join((paper / f"{part}.tex").read_text() for part in PARTS)
    included = re.findall(r"\\(?:input|includegraphics|atsize)\{([^}#]+)\}", text)
    assert len(included) == 3 + len(TABLES) + 1
    for name in included:
        path = paper / name
        assert path.is_file() or path.with_suffix(".tex").is_file(), name


def test_every_macro_is_defined_and_no_number_is_typed(paper: Path) -> None:
    text = (paper / "manuscript.tex").read_text()
    defined = re.findall(r"\\newcommand\{\\(The\w+)\}", (paper / "numbers.tex").read_text())
    used = set(re.findall(r"\\(The[A-Za-z]+)", text))
    assert len(defined) == len(set(defined))
    assert used and used <= set(defined)
    results = text[text.index(r"\section*{Results}") : text.index(r"\section*{Data and code}")]
    assert re.findall(r"\d+", results.replace(r"95\,\%", "")) == []


def test_macros_are_the_numbers_of_the_tables(paper: Path, tables: dict) -> None:
    text = (paper / "numbers.tex").read_text()
    dice = tables["by_metric"].query("metric == 'dice' and init == 'masked'").iloc[0]
    name = macro_name("per-type", "dice", "unet", "masked", dice["structure"])
    assert rf"\newcommand{{\{name}}}{{{dice['mean']:.3f}}}" in text
    assert r"\newcommand{\ThePerTypeAllGpuHours}{0.500}" in text
    assert macro_name("betti0_error", "x-2") == "TheBettiZeroErrorXTwo"


def test_a_figure_that_would_be_empty_is_its_sentence(paper: Path) -> None:
    figures = (paper / "figures.tex").read_text()
    assert "gain-curves" not in figures
    assert "there is no curve over label budgets" in figures


@pytest.mark.skipif(latex.compiler() is None, reason="no LaTeX is installed")
def test_the_manuscript_compiles(paper: Path) -> None:
    assert latex.compiled(paper / "manuscript.tex").read_bytes().startswith(b"%PDF")


def test_without_latex_and_where_it_fails_one_line_says_so(
    paper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pdflatex"
    program.write_text("#!/bin/sh\necho '! Undefined control sequence.'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(latex.shutil, "which", lambda name: name == "pdflatex" or None)
    with pytest.raises(InputError, match="pdflatex: ! Undefined control sequence"):
        latex.compiled(paper / "manuscript.tex")
    monkeypatch.setattr(latex.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no LaTeX is installed: expected latexmk"):
        latex.compiled(paper / "manuscript.tex")
