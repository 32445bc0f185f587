"""The results tree: every path in it, as a pattern for rules or filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature
from string import Formatter
from typing import TYPE_CHECKING

from .encoder import EVERY_ENCODER, Encoder

if TYPE_CHECKING:
    from .run import Run
    from .samples import Sample
    from .structure import Structure
    from .target import Target


class Pattern:
    """A text with gaps, `{method}/{structure}`; called, it takes what stands in them, in order.

    A gap takes a text or number, or an object of the spine, which is printed by its name. A gap
    that is left out of a call stays, as a Snakemake wildcard of its name, or has its default.
    order: of the gaps, where it is not that of the text.
    """

    def __init__(self, text: str, order: str = "", **defaults: str) -> None:
        self._text = text
        gaps = order.split() or [name for _, name, _, _ in Formatter().parse(text) if name]
        self._signature = Signature(
            Parameter(gap, Parameter.POSITIONAL_OR_KEYWORD, default=defaults.get(gap, f"{{{gap}}}"))
            for gap in gaps
        )

    def __call__(self, *values: object, **named: object) -> str:
        given = self._signature.bind(*values, **named)
        given.apply_defaults()
        return self._text.format(**{gap: _print(gap, v) for gap, v in given.arguments.items()})

    def below(self, root: str) -> Callable[..., str] | str:
        """The pattern below a folder; a text where it has no gaps."""
        if not self._signature.parameters:
            return f"{root}/{self._text}"
        return lambda *values, **named: f"{root}/{self(*values, **named)}"


class Below(Pattern):
    """A pattern below the root of the layout that it belongs to."""

    def __get__(self, layout: Layout, _: type) -> Callable[..., str] | str:
        return self.below(layout.results)


class BelowScored(Pattern):
    """A pattern below the root of what is scored, ranked and shown."""

    def __get__(self, layout: Layout, _: type) -> Callable[..., str] | str:
        return self.below(layout.scored_root)


of_model = Pattern("{method}/{target}/{model}", model="{run}")  # name of a model's jobs and files
of_run = Pattern("{method}/{structure}/{run}")  # name of a run's jobs and files


def of_encoder(encoder: Encoder = EVERY_ENCODER) -> str:
    """The name of an encoder's job, and of its files below `encoders/`."""
    return f"{encoder.method}/{encoder.group}/{encoder.name}"


@dataclass(frozen=True)
class Layout:
    """Paths below one results root, as text.

    What is left out of a call stands in the path as a Snakemake wildcard of the same name:
    `layout.split()` is `results/splits/{structure}.tsv`, `layout.split("cfos")` one file.

    results: the root. partial: scores and all that follows lie below `partial/`, since they are of
    what is finished so far.
    """

    results: str
    partial: bool = False

    @property
    def scored_root(self) -> str:
        """The root of scores, ranking, figures, tables and report."""
        return f"{self.results}/partial" if self.partial else self.results

    # Images: as published, as HDF5 with a small index (on which trainings depend), and split.
    archive = Below("archive/{archive}")
    receipt = Below("archive/{archive}/receipt.tsv")  # the verified files
    listed_files = Below("archive/{archive}.manifest.tsv")  # the archive's own list, as a manifest
    phantom = Below("phantom/{archive}")  # a synthetic archive
    phantom_manifest = Below("phantom/{archive}/manifest.tsv")
    images = Below("data/{structure}/{kind}.h5")  # kind: patches or cases
    patches = Below("data/{structure}/patches.h5")
    patches_index = Below("data/{structure}/patches.tsv")
    cases = Below("data/{structure}/cases.h5")
    cases_index = Below("data/{structure}/cases.tsv")
    volume = Below("data/{structure}/volumes/{sample}.h5")
    volume_index = Below("data/{structure}/volumes/{sample}.tsv")
    collection = Below("data/{structure}/collections/{sample}.h5")
    collection_index = Below("data/{structure}/collections/{sample}.tsv")
    split = Below("splits/{structure}.tsv")  # the roles of a structure's patches

    def unannotated(self, row: Sample) -> str:
        """The file of a volume or a collection."""
        path = self.collection if row.kind == "collection" else self.volume
        return path(row.structure, row.sample)

    def unannotated_index(self, row: Sample) -> str:
        """The small table of a volume or a collection."""
        path = self.collection_index if row.kind == "collection" else self.volume_index
        return path(row.structure, row.sample)

    # Trained networks and their masks of test cases. A method's own rules may write models with a
    # suffix of their own.
    encoder = Below("encoders/{encoder}.pt", encoder=of_encoder())
    encoder_history = Below("encoders/{encoder}.tsv", encoder=of_encoder())
    pack = Below("packs/{encoder}.zip", encoder=of_encoder())  # an encoder packed for others
    model = Below("models/{method}/{target}/{model}{suffix}", model="{run}", suffix=".pt")
    model_history = Below("models/{method}/{target}/{model}.tsv", model="{run}")
    prediction = Below("predictions/{method}/{structure}/{run}.h5")
    agreement = Below("predictions/{method}/{structure}/{run}.tsv")  # of an ensemble's members
    check = Below("checks/{method}/{structure}/{run}.tsv")  # what was checked of a prediction
    ways = Below("tables/ways.{extension}", extension="tsv")  # to fine-tune, on validation patches
    references = Below("references/{structure}.tsv")  # what scores the labels of cases allow

    # Whole volumes: the mask, or with another suffix what is made from it.
    segmented = Below("segmentations/{method}/{structure}/{sample}{suffix}", suffix=".h5")
    slab = Below(
        "segmentations/{method}/{structure}/{sample}.slabs/{slab}.h5",
        "slab method structure sample",
    )
    brains = Below("segmentations/{method}/brains{suffix}", suffix=".html")  # all, side by side
    exported = Below(
        "segmentations/{method}/{structure}/export/{sample}{suffix}",
        "suffix method structure sample",
    )
    container = Below("containers/{method}/{structure}")  # the folder that it is built from
    registered = Below(
        "registrations/{structure}/{sample}/{file}", "file structure sample"
    )  # what the registration of a volume to an atlas gives
    atlas_regions = Below("registrations/{atlas}.csv")  # the names of an atlas's regions

    # What is shown.
    scores = BelowScored("scores/{method}/{structure}.tsv")
    faults = BelowScored("checks/{method}/{structure}.tsv")  # of a method's predictions
    metrics_json = BelowScored("metrics/{method}/{structure}/{run}.json")  # the organisers' form
    ranking = BelowScored("ranking/{track}/{table}.tsv", "table track")
    figure = BelowScored(
        "figures/{track}/{figure}.{extension}", "figure track extension", extension="svg"
    )
    volume_stack = BelowScored("figures/volumes/{structure}.json")  # reduced, for the viewer
    exported_cases = BelowScored("export/{track}/{structure}", "structure track")  # as OME-Zarr
    exported_volume = BelowScored("export/volumes/{structure}/{sample}.ome.zarr")  # reduced
    table = BelowScored(
        "tables/{track}/{table}.{extension}", "table track extension", extension="tsv"
    )
    overview = Below("figures/data/{structure}-{kind}.{extension}", extension="svg")
    overview_table = Below("tables/data/{structure}-{kind}.tsv")
    paper = BelowScored("paper/{part}.tex")  # manuscript, numbers, figures or tables

    gallery = BelowScored("gallery.html")  # a card for each method
    report = BelowScored("report.html")  # reads like a results section

    # Runs, and jobs by stage: log, time and memory, and the folder that one is resumed from.
    run_log = BelowScored("logs/snakemake.log")
    submit_log = Below("logs/submit.log")  # of a run that is a job of a cluster
    log = Below("logs/{stage}/{job}.log")
    program_log = Below("logs/{stage}/{job}.program.log")  # of another program that a job runs
    benchmark = Below("benchmarks/{stage}/{job}.tsv")
    work = Below("work/{stage}/{job}")  # never a declared output
    throughput = Below("throughput/{method}/{section}.tsv", section="{pretext}")  # or `finetune`

    # Folders of all archives, of all logs, and of the jobs' time and memory, named as their logs.
    archives = Below("archive")
    logs = Below("logs")
    benchmarks = Below("benchmarks")

    def owner(self, beside: bool = False) -> str:
        """The folder that names the run that owns the results, or that ranks `beside` it."""
        return f"{self.results}/work/{'run-beside' if beside else 'run'}"


def _print(gap: str, value: Encoder | Run | Structure | Target | str | int) -> str:
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Encoder):
        return of_encoder(value)
    return value.model if gap == "model" else value.name
