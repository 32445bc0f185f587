"""A figure or a table is one module, its docstring the caption: nothing else lists it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ranking_tables import DISPLAY
from selma3d.report.catalogue import Catalogue
from selma3d.report.figures import FIGURES
from selma3d.report.page_contents import shown_figures, shown_tables
from selma3d.report.tables import TABLES
from selma3d.system.errors import InputError

MODULE = '"""A new figure. It has\n*two* lines.\n"""\n\nPLACE = {place}\n'


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    folder = tmp_path / "made_up_figures"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "first_of_all.py").write_text(MODULE.format(place=2))
    monkeypatch.syspath_prepend(tmp_path)
    return Catalogue("figure", folder.name, folder)


def test_a_new_module_is_a_new_figure(catalogue: Catalogue) -> None:
    assert catalogue.names == ("first-of-all",)
    (catalogue.folder / "second.py").write_text(MODULE.format(place=1))
    assert catalogue.names == ("first-of-all", "second")
    assert [catalogue[name].PLACE for name in catalogue.names] == [2, 1]


def test_the_docstring_is_the_caption(catalogue: Catalogue, tmp_path: Path) -> None:
    assert catalogue.caption("first-of-all") == "A new figure. It has *two* lines."
    written = Path(catalogue.write_captions(tmp_path)["first-of-all"]).read_text()
    assert written.startswith(r"A new figure. It has \*two\* lines.")
    assert "display.note" in written


def test_an_unknown_name_is_refused_with_those_that_are_known(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match=r"figure 'last': expected one of first-of-all"):
        catalogue.caption("last")


@pytest.mark.parametrize("catalogue_in_use", [FIGURES, TABLES], ids=["figures", "tables"])
def test_every_module_has_a_caption_a_place_of_its_own_and_a_title(
    catalogue_in_use: Catalogue,
) -> None:
    modules = {name: catalogue_in_use[name] for name in catalogue_in_use.names}
    assert all(catalogue_in_use.caption(name) for name in modules)
    assert len({module.PLACE for module in modules.values()}) == len(modules)
    assert all(module.IN_A_PAPER for module in modules.values())


def test_names_and_captions_are_read_without_matplotlib(repository: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from selma3d.report.inputs import FIGURES;"
        f"FIGURES.write_captions({str(tmp_path)!r}); sys.exit('matplotlib' in sys.modules)"
    )
    path = str(repository / "workflow" / "scripts")
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


def test_the_report_shows_rankings_first_then_panels_then_trainings() -> None:
    folder = Path("figures")
    files = ["training/finetuning", "per-type/panel-cfos", "per-type/scores", "per-type/overview"]
    shown = shown_figures((folder / f"{file}.svg" for file in files), DISPLAY)
    assert [figure.name for figure in shown] == ["overview", "scores", "panel-cfos", "finetuning"]
    assert [figure.track for figure in shown] == ["per-type", "per-type", "per-type", ""]
    assert all(figure.caption for figure in shown)
    assert [figure.title for figure in shown] == [
        *("Scores and ranks at a glance", "Scores of every case"),
        *("c-Fos+ cells in images", "Fine-tuning of models"),
    ]


def test_the_report_names_every_form_of_a_table() -> None:
    files = [Path("tables/per-type/gains.tsv"), Path("tables/per-type/leaderboard.tsv")]
    first, second = shown_tables(files)
    assert (first.name, second.name) == ("leaderboard", "gains")
    assert [path.suffix for path in first.paths] == [".tsv", ".tex", ".md"]
