"""Rule tables: a track's ranking tables -> all its tables, for reading and for printing."""

from pathlib import Path

from job import running
from selma3d.challenge.display import Display
from selma3d.ranking.tables import read_tables
from selma3d.report.table_formats import write_printed

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        tables = read_tables(snakemake.input.tables)
        output = snakemake.output
        for tsv, tex, md in zip(output.tsv, output.tex, output.md, strict=True):
            write_printed(Path(tsv).stem, tables, display, {"tsv": tsv, "tex": tex, "md": md})
