"""Rule case_exports: the report's cases, masks, scores -> OME-Zarr for other viewers."""

from pathlib import Path

from job import running
from selma3d.challenge.display import Display
from selma3d.export.chosen_cases import export_chosen_cases
from selma3d.ranking.tables import read_tracks
from selma3d.report.shown import ShownCases

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        tables = read_tracks([*snakemake.input.scores, *snakemake.input.leaderboards])
        panels = [ShownCases.read(plain) for plain in snakemake.params.panels]
        for shown, folder in zip(panels, snakemake.output.folders, strict=True):
            export_chosen_cases(shown, tables[Path(folder).parent.name], display, Path(folder))
