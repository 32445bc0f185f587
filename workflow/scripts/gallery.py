"""Rule gallery: method files, standings, predictions -> a page with a card for each method."""

import tempfile
from pathlib import Path

from job import running
from selma3d.challenge.display import Display
from selma3d.challenge.edition import Edition
from selma3d.challenge.method_file import KINDS
from selma3d.report.gallery import draw_pictures, write_gallery
from selma3d.report.shown import ShownCases
from selma3d.system.tables import read_tsv

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        methods = {
            name: KINDS[plain["kind"]].read(plain)
            for name, plain in snakemake.params.methods.items()
        }
        structures = [ShownCases.read(plain) for plain in snakemake.params.structures]
        standings = {
            Path(path).parent.name: read_tsv(path, columns=["entrant"]).drop(columns="entrant")
            for path in snakemake.input.standings
        }
        first_track = next(iter(standings.values()))
        scores = read_tsv(snakemake.input.scores, dtype={"case": str})
        with tempfile.TemporaryDirectory() as folder:
            write_gallery(
                snakemake.output.gallery,
                edition=Edition.read(snakemake.params.edition),
                methods=methods,
                standings=standings,
                pictures=draw_pictures(first_track, structures, scores, display, Path(folder)),
                recipes=snakemake.params.recipes,
                left_out=snakemake.params.left_out,
                display=display,
            )
