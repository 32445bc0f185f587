"""Rule report: figures, tables and what was run -> one page that reads like a results section."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from job import running
from selma3d.images.splits import read_split
from selma3d.report import write_report
from selma3d.report.figures import FIGURES
from selma3d.report.tables import TABLES

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake

PACKAGES = ("snakemake", "torch", "monai", "numpy", "scikit-image", "connected-components-3d")


def main() -> None:
    params, ranking = snakemake.params, {}
    for path in map(Path, snakemake.input.tables):
        ranking.setdefault(path.parent.name, {})[path.stem] = pd.read_csv(path, sep="\t")
    write_report(
        snakemake.output.report,
        edition=params.edition,
        tables_by_track=ranking,
        figures=[described(Path(path)) for path in snakemake.input.figures],
        table_files=[
            {
                "name": path.stem,
                "track": path.parent.name,
                "caption": TABLES[path.stem].caption,
                "paths": {form: path.with_suffix(f".{form}") for form in ("tsv", "tex", "md")},
            }
            for path in map(Path, snakemake.input.shown)
        ],
        overview_figures=[
            {
                "name": Path(path).stem,
                "track": "",
                "path": path,
                "caption": f"Annotated patches: {Path(path).stem.removesuffix('-patches')}.",
                "category": "Data",
            }
            for path in snakemake.input.overviews
        ],
        provenance={
            "commit": commit(),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            **{package: version(package) for package in PACKAGES},
            "configuration": params.config,
        },
        partial=[*(params.shown["partial"] or []), *faults()],
        left_out=params.left_out,
        caveats=caveats(),
        styles=params.shown["styles"],
    )


def described(path: Path) -> dict[str, Any]:
    """A figure's caption and category, by its file's name."""
    track, name = path.parent.name, path.stem
    if track == "training":
        caption, category = f"Training histories: {name}; a line a seed.", "Training"
    elif name.startswith("panel-"):
        caption = (
            "Best, median and worst case by the entrants' mean score: image, truth, and each "
            "entrant's true positives, false positives and false negatives."
        )
        category = "Images"
    else:
        caption, category = FIGURES[name].caption, FIGURES[name].category
    track = "" if track == "training" else track
    return {"name": name, "track": track, "path": path, "caption": caption, "category": category}


def faults() -> list[str]:
    """Runs that a partial challenge could not score, and why."""
    tables = [pd.read_csv(path, sep="\t", dtype=str) for path in snakemake.input.faults]
    return [
        f"{row.method}, {row.structure}: {row.run} not scored: {row.fault}"
        for table in tables
        for row in table.itertuples()
    ]


def caveats() -> list[str]:
    """What the score tables cannot say of themselves."""
    said = [snakemake.params.shown["note"]] if snakemake.params.shown["note"] else []
    if snakemake.params.unscored:
        names = ", ".join(snakemake.params.unscored)
        said.append(f"no test cases are available for {names}: not scored")
    blind = [
        Path(path).stem
        for path in snakemake.input.splits
        if (read_split(path)["specimen"] == "").any()
    ]
    if blind:
        said.append(
            f"the specimens of {', '.join(blind)} are not published: that no animal is in both "
            "training and test is not checkable; patches were split by contiguous blocks"
        )
    return [f"{text[0].upper()}{text[1:]}." for text in said]


def commit() -> str:
    """The commit of this workflow, marked where files differ from it; unknown without git."""
    here = Path(__file__).resolve().parent
    asked = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        ran = subprocess.run(asked, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return ran.stdout.strip() or "unknown"


if __name__ == "__main__":
    with running(snakemake):
        main()
