"""The challenge that the configuration asks for, and the inputs that follow from it."""

import os
import sys

SCRIPTS = os.path.join(workflow.basedir, "workflow", "scripts")
sys.path.insert(0, SCRIPTS)
sys.path.append(os.path.join(workflow.basedir, "workflow"))

from dataclasses import replace
from pathlib import Path

from snakemake.exceptions import WorkflowError

import upstream_fixes
from method_rules import share_library
from selma3d.challenge import Challenge, Run
from selma3d.challenge.asked import encoders_of, expected_runs
from selma3d.challenge.display import Display
from selma3d.challenge.layout import Layout
from selma3d.challenge.plan import ONE_MODEL
from selma3d.challenge.run import (
    CONTROLS,
    ENSEMBLE_RUN,
    PACKED,
    TRAINED_RUN,
)
from selma3d.system.errors import InputError

if workflow.is_main_process:
    upstream_fixes.apply()

try:
    CHALLENGE = Challenge(config, Path(workflow.basedir))
    METHODS = CHALLENGE.methods
    TARGETS = CHALLENGE.targets
    CHALLENGE.structures
except InputError as error:
    raise WorkflowError(str(error)) from None

# What is ranked: everything that is asked for, or with `partial: true` what is finished so far.
LAYOUT = Layout(config["results"], config["partial"])

if config["method_folders"]:
    share_library(SCRIPTS)


wildcard_constraints:
    structure="|".join(CHALLENGE.structures),
    group="[a-z0-9-]+",
    method="[a-z0-9-]+",
    sample="[A-Za-z0-9_.-]+",
    track="|".join(config["tracks"]),
    seed=r"\d+",


def any_of(names):
    """A wildcard constraint that admits these names only; nothing if there are none."""
    return "|".join(names) or "(?!)"


def receipts(sources):
    """Receipts of the archives that hold these sources."""
    names = sorted({source["archive"] for source in sources if source})
    return [f"<results>/archive/{name}/receipt.tsv" for name in names]


def environment_of(method):
    """The folder of a method's environment: built here, or made by the user."""
    built = os.path.join(config["environments"]["folder"], method)
    return os.path.expanduser(config["environments"]["existing"].get(method, built))


def installed_for(method):
    """The table of what is installed for a method; while it is absent, nothing can be run."""
    return os.path.join(config["environments"]["folder"], f"{method}.tsv")


def ensemble_members(wildcards):
    """Predictions of the members that segment a structure, of the ensemble's run."""
    run = Run.parse(wildcards.run)
    paths = []
    for member in METHODS["ensemble"].settings["settings"]["members"]:
        name = member["method"]
        if name not in METHODS or name == "ensemble":
            raise WorkflowError(
                f"method ensemble: members: expected methods that take part, found {name!r} "
                f"(taking part: {', '.join(METHODS)}; see NOT TAKING PART above)"
            )
        if wildcards.structure not in CHALLENGE.structures_of(name):
            continue
        asked = CHALLENGE.runs(name, wildcards.structure)
        chosen = replace(run, init=member["init"]) if "init" in member else Run()
        if chosen not in asked:
            raise WorkflowError(
                f"method ensemble: members: {name}: expected a run that the config asks for, "
                f"found {chosen.name!r} (known: {', '.join(r.name for r in asked)})"
            )
        paths.append(
            f"<results>/predictions/{name}/{wildcards.structure}/{chosen.name}.h5"
        )
    return paths


def volume_paths(rows, suffix):
    """The volumes in rows of the samples table, or their index tables."""
    return [
        f"<results>/data/{row['structure']}/volumes/{row['sample']}{suffix}"
        for row in rows
    ]


def volumes_of(group, suffix):
    """The unannotated volumes of a pretraining group, or their index tables."""
    return volume_paths(CHALLENGE.volumes(group), suffix)


def channels_of(group):
    """The channel that networks see of each volume of a pretraining group."""
    return [CHALLENGE.channel(row) for row in CHALLENGE.volumes(group)]


def volumes_to_learn_from(wildcards):
    """The rows of the volumes that an encoder is pretrained on."""
    return CHALLENGE.volumes_to_learn_from(
        wildcards.method, wildcards.group, wildcards.pretext, int(wildcards.seed)
    )


def unlabelled_volumes(wildcards, suffix):
    """What a recipe that learns from unannotated volumes in fine-tuning reads; else nothing."""
    recipe = METHODS[wildcards.method].finetuning_recipe()
    if recipe["finetune"].get("collaboration") is None:
        return []
    return volumes_of(TARGETS[wildcards.target].group, suffix)


def pack_of(wildcards):
    """The pack that an encoder comes from."""
    try:
        return str(CHALLENGE.pack(wildcards.method, wildcards.pretext, wildcards.group))
    except InputError as error:
        raise WorkflowError(str(error)) from None


def splits_of(group):
    """The splits of a pretraining group's structures: whose specimens are held out."""
    return [
        f"<results>/splits/{name}.tsv"
        for name in CHALLENGE.structures_with_patches
        if group in (CHALLENGE.structures[name].group, ONE_MODEL)
    ]


def given_cases_of(group):
    """Indexes of the given test cases of a pretraining group's structures."""
    return [
        f"<results>/data/{name}/cases.tsv"
        for name in CHALLENGE.structures_with_given_cases
        if group in (CHALLENGE.structures[name].group, ONE_MODEL)
    ]


def specimens_checked(group):
    """The check that a pretraining group's volumes show no specimen that is held out."""
    return f"<results>/checks/specimens/{group}.tsv"


def encoder_checked(wildcards):
    """The check of what a run's encoder has seen; none for the controls."""
    run = Run.parse(wildcards.run)
    if run.init in CONTROLS:
        return []
    group = TARGETS[wildcards.target].group
    if run.init.startswith(PACKED):
        encoder = f"{wildcards.method}/{group}/{run.init}-s{run.seed}"
        return f"<results>/checks/packs/{encoder}.tsv"
    return specimens_checked(CHALLENGE.learnt_from(wildcards.method, group, run.init))


def cases_of(wildcards):
    """The test cases that a structure is scored on."""
    return (
        f"<results>/data/{CHALLENGE.structures[wildcards.structure].cases_of}/cases.h5"
    )


def cases_of_others(wildcards):
    """Indexes of the other structures' cases: one predictions.json may hold masks of them all."""
    own = CHALLENGE.structures[wildcards.structure].cases_of
    cases = {CHALLENGE.structures[name].cases_of for name in CHALLENGE.scored}
    return [f"<results>/data/{name}/cases.tsv" for name in sorted(cases - {own})]


def foreign_masks(wildcards):
    """The files that hold a foreign method's masks of a structure."""
    # Every job reads this file, and the image formats take long to import.
    from selma3d.methods.foreign import sources

    predictions = CHALLENGE.foreign_predictions(wildcards.method)
    try:
        return [str(path) for path in sources(predictions, wildcards.structure)]
    except InputError:
        return []  # the job finds the same fault and fails by itself; others go on


def container_slugs(structure):
    """Folders below /input and /output of a container for a structure."""
    try:
        return CHALLENGE.container_slugs(structure)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def predictions_of(wildcards):
    """Every prediction of a method for a structure that is asked for, or that exists so far."""
    runs = CHALLENGE.runs(wildcards.method, wildcards.structure)
    paths = [
        f"predictions/{wildcards.method}/{wildcards.structure}/{run.name}.h5"
        for run in runs
    ]
    if config["partial"]:
        return [
            f"<results>/{path}"
            for path in paths
            if os.path.exists(f"{config['results']}/{path}")
        ]
    return [f"<results>/{path}" for path in paths]


def checks_of(wildcards):
    """The checks of what a method's own rule writes; the generic rules write what they should."""
    if config["partial"] or not METHODS[wildcards.method].rules:
        return []
    runs = CHALLENGE.runs(wildcards.method, wildcards.structure)
    folder = f"<results>/checks/{wildcards.method}/{wildcards.structure}"
    return [f"{folder}/{run.name}.tsv" for run in runs]


def score_tables(wildcards):
    """Score tables of all methods; of a partial challenge, those with any prediction yet."""
    return [f"<scored_root>/scores/{table}.tsv" for table in scored_tables()]


def scored_tables():
    """<method>/<structure> of everything that is scored."""
    pairs = EXPECTED.drop_duplicates(["method", "structure"])
    return [
        f"{method}/{structure}"
        for method, structure in zip(pairs["method"], pairs["structure"])
        if not config["partial"] or finished_runs(method, structure)
    ]


def finished_runs(method, structure):
    """Names of the runs whose predictions exist."""
    return [
        run.name
        for run in CHALLENGE.runs(method, structure)
        if os.path.exists(
            f"{config['results']}/predictions/{method}/{structure}/{run.name}.h5"
        )
    ]


def missing_runs():
    """What a partial challenge lacks, a line a method and structure."""
    lines = []
    for (method, structure), rows in EXPECTED.groupby(
        ["method", "structure"], sort=False
    ):
        expected, finished = set(rows["run"]), finished_runs(method, structure)
        if len(finished) < len(expected):
            lines.append(
                f"{method}, {structure}: {len(finished)} of {len(expected)} runs finished"
            )
    return lines


def training_memory(wildcards, attempt):
    """MB of memory: more for each attempt, since the last one may have ended for want of it.

    At most fourfold: most new attempts only continue a training whose time was up, and a job that
    asks for more than any node has would wait for ever.
    """
    return config["resources"]["training_mem_mb"] * min(attempt, 4)


RANKING_TABLES = [
    "by_metric",
    "cases",
    "bootstrap",
    "pairwise",
    "rules",
    "stability",
    "gains",
    "gains_by_specimen",
    "curves",
    "gap",
    "profiles",
    "profile_places",
    "missing",
]


def volume_row(wildcards):
    """The samples-table row of a volume."""
    rows = CHALLENGE.rows(wildcards.structure, "volume")
    return next((row for row in rows if row["sample"] == wildcards.sample), None)


def encoder_of(wildcards):
    """The encoder that a run starts from; none for the controls."""
    run = Run.parse(wildcards.run)
    if run.init in CONTROLS:
        return []
    group = TARGETS[wildcards.target].group
    return f"<results>/encoders/{wildcards.method}/{group}/{run.init}-s{run.seed}.pt"


def members_of(wildcards, target):
    """The models that an ensemble joins."""
    members = CHALLENGE.members(Run.parse(wildcards.run))
    return [
        f"<results>/models/{wildcards.method}/{target}/{run.model}.pt"
        for run in members
    ]


def segmenting_model(wildcards):
    """The model that segments whole volumes of a structure."""
    try:
        run = CHALLENGE.segmenting_run(wildcards.method)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    target = CHALLENGE.segmenting_target(wildcards.structure)
    return f"<results>/models/{wildcards.method}/{target.name}/{run.model}.pt"
