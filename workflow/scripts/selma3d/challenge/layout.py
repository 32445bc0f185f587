"""The results tree: every path in it, as a pattern for rules or filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .encoder import EVERY_ENCODER, Encoder
from .samples import Sample

if TYPE_CHECKING:
    from .run import Run
    from .structure import Structure
    from .target import Target


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

    # -- images -------------------------------------------------------------------------------

    @property
    def archives(self) -> str:
        """The folder of all archives, one each below it."""
        return f"{self.results}/archive"

    def archive(self, archive: str = "{archive}") -> str:
        """The folder of an archive's files, as published."""
        return f"{self.archives}/{archive}"

    def receipt(self, archive: str = "{archive}") -> str:
        """The table of an archive's verified files."""
        return f"{self.archive(archive)}/receipt.tsv"

    def listed_files(self, archive: str = "{archive}") -> str:
        """The manifest that a run made of an archive's own list of files."""
        return f"{self.archives}/{archive}.manifest.tsv"

    def phantom(self, archive: str = "{archive}") -> str:
        """The folder of a synthetic archive."""
        return f"{self.results}/phantom/{archive}"

    def phantom_manifest(self, archive: str = "{archive}") -> str:
        """The table of a synthetic archive's files."""
        return f"{self.phantom(archive)}/manifest.tsv"

    def images(self, structure: Structure | str = "{structure}", kind: str = "{kind}") -> str:
        """Annotated images of a structure as HDF5; kind is patches or cases."""
        return f"{self.results}/data/{_name(structure)}/{kind}.h5"

    def patches(self, structure: Structure | str = "{structure}") -> str:
        """Annotated patches of a structure."""
        return self.images(structure, "patches")

    def patches_index(self, structure: Structure | str = "{structure}") -> str:
        """The small table of a structure's patches, with hashes of their content."""
        return f"{self.results}/data/{_name(structure)}/patches.tsv"

    def cases(self, structure: Structure | str = "{structure}") -> str:
        """The test cases of a structure."""
        return self.images(structure, "cases")

    def cases_index(self, structure: Structure | str = "{structure}") -> str:
        """The small table of a structure's test cases."""
        return f"{self.results}/data/{_name(structure)}/cases.tsv"

    def volume(self, structure: Structure | str = "{structure}", sample: str = "{sample}") -> str:
        """An unannotated volume."""
        return f"{self.results}/data/{_name(structure)}/volumes/{sample}.h5"

    def volume_index(
        self, structure: Structure | str = "{structure}", sample: str = "{sample}"
    ) -> str:
        """The small table of a volume, with the hash of its content."""
        return f"{self.results}/data/{_name(structure)}/volumes/{sample}.tsv"

    def collection(
        self, structure: Structure | str = "{structure}", sample: str = "{sample}"
    ) -> str:
        """A collection of unannotated patches."""
        return f"{self.results}/data/{_name(structure)}/collections/{sample}.h5"

    def collection_index(
        self, structure: Structure | str = "{structure}", sample: str = "{sample}"
    ) -> str:
        """The small table of a collection, a row a source volume."""
        return f"{self.results}/data/{_name(structure)}/collections/{sample}.tsv"

    def unannotated(self, row: Sample) -> str:
        """The file of a volume or a collection."""
        path = self.collection if row.kind == "collection" else self.volume
        return path(row.structure, row.sample)

    def unannotated_index(self, row: Sample) -> str:
        """The small table of a volume or a collection."""
        path = self.collection_index if row.kind == "collection" else self.volume_index
        return path(row.structure, row.sample)

    def split(self, structure: Structure | str = "{structure}") -> str:
        """The roles of a structure's patches."""
        return f"{self.results}/splits/{_name(structure)}.tsv"

    # -- trained networks and masks -----------------------------------------------------------

    def encoder(self, encoder: Encoder = EVERY_ENCODER) -> str:
        """A pretrained encoder."""
        return f"{self.results}/encoders/{of_encoder(encoder)}.pt"

    def encoder_history(self, encoder: Encoder = EVERY_ENCODER) -> str:
        """The history of an encoder's training."""
        return f"{self.results}/encoders/{of_encoder(encoder)}.tsv"

    def pack(self, encoder: Encoder = EVERY_ENCODER) -> str:
        """An encoder packed for others."""
        return f"{self.results}/packs/{of_encoder(encoder)}.zip"

    def model(
        self,
        method: str = "{method}",
        target: Target | str = "{target}",
        run: Run | str = "{run}",
        suffix: str = ".pt",
    ) -> str:
        """A fine-tuned model; a method's own rules may write it with a suffix of their own."""
        return f"{self.results}/models/{of_model(method, target, run)}{suffix}"

    def model_history(
        self,
        method: str = "{method}",
        target: Target | str = "{target}",
        run: Run | str = "{run}",
    ) -> str:
        """The history of a model's training."""
        return f"{self.results}/models/{of_model(method, target, run)}.tsv"

    def prediction(
        self,
        method: str = "{method}",
        structure: Structure | str = "{structure}",
        run: Run | str = "{run}",
    ) -> str:
        """The masks of a structure's test cases by one run."""
        return f"{self.results}/predictions/{of_run(method, structure, run)}.h5"

    def agreement(
        self,
        method: str = "{method}",
        structure: Structure | str = "{structure}",
        run: Run | str = "{run}",
    ) -> str:
        """The table of the agreement between an ensemble's members, case by case."""
        return f"{self.results}/predictions/{of_run(method, structure, run)}.tsv"

    def check(
        self,
        method: str = "{method}",
        structure: Structure | str = "{structure}",
        run: Run | str = "{run}",
    ) -> str:
        """What was checked of a run's predictions."""
        return f"{self.results}/checks/{of_run(method, structure, run)}.tsv"

    def ways(self, extension: str = "tsv") -> str:
        """The table of ways to fine-tune, on validation patches."""
        return f"{self.results}/tables/ways.{extension}"

    # -- whole volumes ------------------------------------------------------------------------

    def segmented(
        self,
        method: str = "{method}",
        structure: Structure | str = "{structure}",
        sample: str = "{sample}",
        suffix: str = ".h5",
    ) -> str:
        """The mask of a volume, or with another suffix what is made from it."""
        return f"{self.results}/segmentations/{method}/{_name(structure)}/{sample}{suffix}"

    def slab(self, slab: int | str = "{slab}") -> str:
        """The mask of one slab of a volume."""
        return self.segmented(suffix=f".slabs/{slab}.h5")

    def brains(self, method: str = "{method}", suffix: str = ".html") -> str:
        """The table over all volumes that a method segments, as a page or a table."""
        return f"{self.results}/segmentations/{method}/brains{suffix}"

    def exported(self, suffix: str = "{suffix}") -> str:
        """The mask of a volume for other programs."""
        return f"{self.results}/segmentations/{{method}}/{{structure}}/export/{{sample}}{suffix}"

    def container(self, method: str = "{method}", structure: str = "{structure}") -> str:
        """The folder that a model's container is built from."""
        return f"{self.results}/containers/{method}/{structure}"

    def references(self, structure: Structure | str = "{structure}") -> str:
        """The table of what scores the labels of each test case of a structure allow."""
        return f"{self.results}/references/{_name(structure)}.tsv"

    # -- what is shown ------------------------------------------------------------------------

    def scores(self, method: str = "{method}", structure: Structure | str = "{structure}") -> str:
        """The scores of all runs of a method on a structure."""
        return f"{self.scored_root}/scores/{method}/{_name(structure)}.tsv"

    def faults(self, method: str = "{method}", structure: Structure | str = "{structure}") -> str:
        """What was wrong with a method's predictions of a structure."""
        return f"{self.scored_root}/checks/{method}/{_name(structure)}.tsv"

    def metrics_json(
        self,
        method: str = "{method}",
        structure: Structure | str = "{structure}",
        run: Run | str = "{run}",
    ) -> str:
        """A run's scores in the form of the organisers."""
        return f"{self.scored_root}/metrics/{of_run(method, structure, run)}.json"

    def ranking(self, table: str = "{table}", track: str = "{track}") -> str:
        """A table of a track's ranking."""
        return f"{self.scored_root}/ranking/{track}/{table}.tsv"

    def figure(
        self, figure: str = "{figure}", track: str = "{track}", extension: str = "svg"
    ) -> str:
        """A figure of a track, or of `training`."""
        return f"{self.scored_root}/figures/{track}/{figure}.{extension}"

    def table(self, table: str = "{table}", track: str = "{track}", extension: str = "tsv") -> str:
        """A table of a track, for reading."""
        return f"{self.scored_root}/tables/{track}/{table}.{extension}"

    def overview(
        self,
        structure: Structure | str = "{structure}",
        kind: str = "{kind}",
        extension: str = "svg",
    ) -> str:
        """The overview figure of a structure's patches or cases."""
        return f"{self.results}/figures/data/{_name(structure)}-{kind}.{extension}"

    def overview_table(
        self, structure: Structure | str = "{structure}", kind: str = "{kind}"
    ) -> str:
        """The overview table of a structure's patches or cases."""
        return f"{self.results}/tables/data/{_name(structure)}-{kind}.tsv"

    @property
    def gallery(self) -> str:
        """The page with a card for each method."""
        return f"{self.scored_root}/gallery.html"

    @property
    def report(self) -> str:
        """The page that reads like a results section."""
        return f"{self.scored_root}/report.html"

    def paper(self, part: str = "{part}") -> str:
        """A file of the manuscript: manuscript, numbers, figures or tables."""
        return f"{self.scored_root}/paper/{part}.tex"

    # -- jobs ---------------------------------------------------------------------------------

    @property
    def logs(self) -> str:
        """The folder of all logs."""
        return f"{self.results}/logs"

    @property
    def benchmarks(self) -> str:
        """The folder of the jobs' time and memory; its files are named as their logs."""
        return f"{self.results}/benchmarks"

    def log(self, stage: str, job: str) -> str:
        """The log of a job."""
        return f"{self.logs}/{stage}/{job}.log"

    def program_log(self, stage: str, job: str) -> str:
        """The log of another program that a job runs."""
        return f"{self.logs}/{stage}/{job}.program.log"

    def benchmark(self, stage: str, job: str) -> str:
        """A job's time and memory, as Snakemake measures them."""
        return f"{self.benchmarks}/{stage}/{job}.tsv"

    def work(self, stage: str, job: str) -> str:
        """The folder from which a job is resumed; never a declared output."""
        return f"{self.results}/work/{stage}/{job}"

    def owner(self, beside: bool = False) -> str:
        """The folder that names the run that owns the results, or that ranks `beside` it."""
        return f"{self.results}/work/{'run-beside' if beside else 'run'}"

    def throughput(self, method: str = "{method}", section: str = "{pretext}") -> str:
        """Steps a second of a pretext, or of `finetune`, on this machine."""
        return f"{self.results}/throughput/{method}/{section}.tsv"


def of_encoder(encoder: Encoder = EVERY_ENCODER) -> str:
    """The name of an encoder's job, and of its files below `encoders/`."""
    return f"{encoder.method}/{encoder.group}/{encoder.name}"


def of_model(
    method: str = "{method}", target: Target | str = "{target}", run: Run | str = "{run}"
) -> str:
    """The name of a model's jobs, and of its files below `models/`."""
    model = run if isinstance(run, str) else run.model
    return f"{method}/{_name(target)}/{model}"


def of_run(
    method: str = "{method}",
    structure: Structure | str = "{structure}",
    run: Run | str = "{run}",
) -> str:
    """The name of a run's files below `predictions/`."""
    return f"{method}/{_name(structure)}/{_name(run)}"


def _name(named: Structure | Target | Run | str) -> str:
    return named if isinstance(named, str) else named.name
