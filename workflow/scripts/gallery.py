"""Rule gallery: method files, standings, predictions -> a page with a card for each method."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from job import running
from selma3d.report import display
from selma3d.report.figures.card import Work, draw_card
from selma3d.report.gallery import write_gallery

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    shown = snakemake.params.shown
    standings = {
        Path(path).parent.name: pd.read_csv(path, sep="\t").drop(columns="entrant")
        for path in snakemake.input.standings
    }
    with tempfile.TemporaryDirectory() as folder:
        write_gallery(
            snakemake.output.gallery,
            edition=snakemake.params.edition,
            methods=snakemake.params.methods,
            standings=standings,
            pictures=pictures(standings, Path(folder)),
            left_out=snakemake.params.left_out,
            partial=shown["partial"] or [],
            note=shown["note"],
            styles=shown["styles"],
        )


def pictures(standings: dict[str, pd.DataFrame], folder: Path) -> dict[str, tuple[str, Path]]:
    """What each method's best entrant of the first track did, drawn."""
    shown, (track, table) = snakemake.params.shown, next(iter(standings.items()))
    cases = next(path for path in snakemake.input.scores if Path(path).parent.name == track)
    scores = pd.read_csv(cases, sep="\t", dtype={"case": str})
    drawn = {}
    for method, rows in table.sort_values("place", kind="stable").groupby("method", sort=False):
        init = rows["init"].iloc[0]
        works = [
            Work(structure, Path(cases_h5), channel, Path(predictions))
            for entrant, structure, cases_h5, channel, predictions in snakemake.params.works
            if tuple(entrant) == (method, init)
        ]
        path = folder / f"{method}.png"
        draw_card(works, (method, init), scores, {"png": path}, titles=shown["titles"])
        drawn[method] = (display.entrant(shown["styles"], method, init), path)
    return drawn


if __name__ == "__main__":
    with running(snakemake):
        main()
