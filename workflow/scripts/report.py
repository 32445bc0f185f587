"""Rule report: figures, tables and what was run -> one page that reads like a results section."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from job import running
from selma3d.challenge.disclosure import Disclosure
from selma3d.challenge.display import Display
from selma3d.challenge.edition import Edition
from selma3d.images.splits import read_split, training_set_sizes
from selma3d.ranking.tables import read_tracks
from selma3d.report.account import Account, index_hashes
from selma3d.report.page import ReportContent, write_report
from selma3d.report.page_contents import shown_figures, shown_overview, shown_tables
from selma3d.report.shown import Requested
from selma3d.report.viewer import Exports, Stacks, read_volume
from selma3d.system.tables import read_tsv

PACKAGES = ("snakemake", "torch", "monai", "numpy", "scikit-image", "connected-components-3d")


def main() -> None:
    params, inputs = snakemake.params, snakemake.input
    display = Display.read(params.display)
    results = ReportContent(
        edition=Edition.read(params.edition),
        display=display,
        tracks=read_tracks(inputs.ranking),
        figures=shown_figures(inputs.figures, display),
        tables=shown_tables(inputs.tables),
        overviews=[shown_overview(path, display) for path in inputs.overviews],
        missing=[*display.partial, *faults()],
        left_out=params.left_out,
        caveats=caveats(display.note),
        provenance={
            "commit": commit(),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            **{package: version(package) for package in PACKAGES},
            "configuration": params.config,
        },
        brains={Path(path).parent.name: Path(path) for path in inputs.brains},
        account=Account(
            disclosure=Disclosure.read(params.disclosure),
            training_patches=training_set_sizes(map(read_split, inputs.splits)),
            recipes=params.recipes,
            hashes=index_hashes(inputs.cases),
            released=committed(),
        ),
        requested=Requested.read(params.requested),
        stacks=[Stacks.read(path) for path in inputs.stacks],
        volumes=[read_volume(path) for path in inputs.volumes],
        exports=Exports(
            cases={
                (Path(folder).parent.name, Path(folder).name): Path(folder)
                for folder in inputs.exports
            },
            volumes=tuple(map(Path, inputs.masks)),
        ),
        gallery=Path(params.gallery),
        rows={(path.parent.name, path.stem): path for path in map(Path, inputs.ranking)},
    )
    write_report(snakemake.output.report, results)


def faults() -> list[str]:
    """Runs that a partial challenge could not score, and why."""
    tables = [read_tsv(path, dtype=str) for path in snakemake.input.faults]
    return [
        f"{row.method}, {row.structure}: {row.run} not scored: {row.fault}"
        for table in tables
        for row in table.itertuples()
    ]


def caveats(note: str | None) -> list[str]:
    """What the score tables cannot say of themselves."""
    said = [note] if note else []
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
            f"the specimens of {', '.join(blind)} are not published: it cannot be checked that no "
            "animal is in both training and test; patches were split by contiguous blocks"
        )
    return [f"{text[0].upper()}{text[1:]}." for text in said]


def commit() -> str:
    """The commit of this workflow, marked where files differ from it; unknown without git."""
    return git("describe", "--always", "--dirty", "--abbrev=12") or "unknown"


def committed() -> str:
    """The day of that commit; "" without git."""
    return git("show", "-s", "--format=%cs", "HEAD")


def git(*arguments: str) -> str:
    """What git says of this workflow; "" where there is none."""
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    with running(snakemake):
        main()
