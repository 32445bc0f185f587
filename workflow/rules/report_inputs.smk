"""The files that figures, tables and the report are made from, and their captions."""

from tempfile import TemporaryDirectory

from selma3d.ranking.tables import RANKING_TABLES
from selma3d.report.catalogue import write_caption
from selma3d.report.figures import FIGURES
from selma3d.report.inputs import (
    FORMS,
    ReportInputs,
    panel_files,
    stack_files,
    training_files,
    volume_images,
    volume_stack_files,
)
from selma3d.report.tables import TABLES

REPORT_INPUTS = ReportInputs(CHALLENGE, LAYOUT, DISPLAY)
REPORTED = f"{workflow.basedir}/config/reported/{CONFIG.edition}.tsv"
RANKED = [LAYOUT.ranking(table) for table in RANKING_TABLES]
SHOWN_FIGURES = REPORT_INPUTS.figures(Path(REPORTED))
SHOWN_TABLES = REPORT_INPUTS.tables()
REPORTED_TABLES = [
    LAYOUT.ranking(table, track)
    for track in CONFIG.tracks
    for table in [*RANKING_TABLES, "cost"]
]
PANELS = REPORT_INPUTS.panels()
HISTORIES = REPORT_INPUTS.histories()
with faults_in_short():
    BRAIN_METHODS = () if CONFIG.partial else CHALLENGE.brain_methods
    WHOLE_VOLUMES = REPORT_INPUTS.volumes()
    VOLUME_EXPORTS = REPORT_INPUTS.exported(WHOLE_VOLUMES)

# Snakemake's own report reads each caption from a file: here, the docstring of what draws it.
CAPTIONS = TemporaryDirectory(prefix="selma3d-captions-")
FIGURE_CAPTIONS = FIGURES.write_captions(CAPTIONS.name)
TABLE_CAPTIONS = TABLES.write_captions(CAPTIONS.name)
PAPER_PARTS = ("manuscript", "numbers", "figures", "tables")
LIBRARY = Path(SCRIPTS, "selma3d", "report")
PANEL_CAPTION = write_caption(LIBRARY / "cases" / "panels.py", CAPTIONS.name)
HISTORY_CAPTION = write_caption(LIBRARY / "histories.py", CAPTIONS.name)

RECIPES_IN_SHORT = {name: METHODS[name].recipe.in_short for name in CHALLENGE.recipes}


def table_files(form):
    """Every table of the challenge in one form."""
    return [
        LAYOUT.table(name, track, form)
        for track in CONFIG.tracks
        for name in SHOWN_TABLES
    ]


def figure_files(form):
    """Every figure of the challenge in one form."""
    return [
        *(
            LAYOUT.figure(name, t, form)
            for t in CONFIG.tracks
            for name in SHOWN_FIGURES
        ),
        *panel_files(LAYOUT, PANELS, form),
        *training_files(LAYOUT, HISTORIES, form),
    ]
