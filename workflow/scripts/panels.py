"""Rule panels: test cases, predictions, ranking tables -> a figure of images for each structure."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.challenge.display import Display
from selma3d.report.cases.panels import draw_panel
from selma3d.report.cases.shown_cases import ShownCases
from selma3d.system.tables import read_tsv

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    display = Display.read(snakemake.params.display)
    tables = {}
    for path in [*snakemake.input.scores, *snakemake.input.leaderboards]:
        own = tables.setdefault(Path(path).parent.name, {})
        own[Path(path).stem] = read_tsv(path, dtype={"case": str})
    panels = [ShownCases.read(plain) for plain in snakemake.params.panels]
    output = snakemake.output
    for shown, svg, pdf, png in zip(panels, output.svg, output.pdf, output.png, strict=True):
        forms = {"svg": svg, "pdf": pdf, "png": png}
        draw_panel(shown, tables[Path(svg).parent.name], display, forms)


if __name__ == "__main__":
    with running(snakemake):
        main()
