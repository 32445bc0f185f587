"""Rule figures: a track's ranking tables -> all its figures."""

from pathlib import Path

from job import running
from selma3d.challenge.display import Display
from selma3d.ranking.tables import read_tables
from selma3d.report.drawing.figure import draw_figure
from selma3d.system.tables import read_tsv

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        tables = read_tables(snakemake.input.tables)
        if reported := snakemake.input.get("reported"):
            tables["reported"] = read_tsv(reported)
        output = snakemake.output
        for svg, pdf, png in zip(output.svg, output.pdf, output.png, strict=True):
            forms = {"svg": svg, "pdf": pdf, "png": png}
            draw_figure(Path(svg).stem, tables, display, forms)
