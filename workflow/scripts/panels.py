"""Rule panels: cases, predictions, scores -> a figure and the viewer's stacks a structure."""

from pathlib import Path

from job import running
from selma3d.challenge.display import Display
from selma3d.ranking.tables import read_tracks
from selma3d.report.cases.panels import draw_panel
from selma3d.report.cases.stacks import write_stacks
from selma3d.report.shown import ShownCases

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        tables = read_tracks([*snakemake.input.scores, *snakemake.input.leaderboards])
        panels = [ShownCases.read(plain) for plain in snakemake.params.panels]
        output = snakemake.output
        for shown, svg, pdf, png, stacks in zip(
            panels, output.svg, output.pdf, output.png, output.stacks, strict=True
        ):
            own = tables[Path(svg).parent.name]
            draw_panel(shown, own, display, {"svg": svg, "pdf": pdf, "png": png})
            write_stacks(shown, own, stacks)
