"""Rule paper: ranking tables, figures and tables -> a manuscript that LaTeX compiles."""

from job import running
from selma3d.challenge.display import Display
from selma3d.challenge.edition import Edition
from selma3d.ranking.tables import read_tracks
from selma3d.report.page_contents import shown_figures, shown_tables
from selma3d.report.paper.manuscript import Manuscript, write_manuscript

if __name__ == "__main__":
    with running(snakemake):
        params, inputs = snakemake.params, snakemake.input
        display = Display.read(params.display)
        made_of = Manuscript(
            edition=Edition.read(params.edition),
            display=display,
            tracks=read_tracks(inputs.ranking),
            figures=shown_figures(inputs.figures, display),
            tables=shown_tables(inputs.tables),
        )
        write_manuscript(dict(snakemake.output.items()), made_of)
