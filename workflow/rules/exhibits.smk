"""What is shown of the challenge, and the files that it is made from."""

from selma3d.report.figures import FIGURES
from selma3d.report.tables import TABLES

RANKED = expand(
    "<judged>/ranking/{{track}}/{table}.tsv", table=["leaderboard", *RANKING_TABLES]
)
REPORTED = f"{workflow.basedir}/config/reported/{config['edition']}.tsv"
# Published scores are compared where a user has filled them in.
SHOWN_FIGURES = [
    name
    for name in FIGURES
    if name != "reported" or len(Path(REPORTED).read_text().splitlines()) > 1
]


def history_of_encoder(method, group, pretext, seed):
    return f"{config['results']}/encoders/{method}/{group}/{pretext}-s{seed}.tsv"


def history_of_model(method, target, run):
    return f"{config['results']}/models/{method}/{target.name}/{run.model}.tsv"


def shown(path):
    """Whether a file belongs to what is shown: of a partial challenge, only what exists."""
    return not config["partial"] or os.path.exists(path)


def init_of_rule(method):
    """The init that the costs of a method's own rules are listed under."""
    settings = METHODS[method].settings
    has_one_run = settings.get("runs", "grid") == "default"
    return "default" if has_one_run else settings.get("inits", ["scratch"])[0]


def finished_jobs(wildcards):
    """(method, init, stage, benchmark, history) of the jobs behind a track's scores.

    An encoder counts for the entrant that starts from it, a model also for the ensemble that it is
    in; a method's own rules write their benchmarks below its name.
    """
    jobs = [
        (method, init_of_rule(method), "segment", f"{method}/**/*.tsv", None)
        for method in OWN_RULES
    ]
    groups = {t.group for t in TARGETS.values() if t.track == wildcards.track}
    for method, group, pretext, seed in encoders_of(CHALLENGE):
        history = history_of_encoder(method, group, pretext, seed)
        if group in groups and shown(history):
            benchmark = f"pretrain/{method}/{group}/{pretext}-s{seed}.tsv"
            for init in counted_for(pretext):
                jobs.append((method, init, "pretrain", benchmark, history))
    for method, target, run in models_of(CHALLENGE):
        history = history_of_model(method, target, run)
        if target.track == wildcards.track and shown(history):
            name = f"{method}/{target.name}/{run.model}.tsv"
            for init in counted_for(run.init):
                jobs.append((method, init, "finetune", f"finetune/{name}", history))
            jobs.append((method, run.init, "predict", f"predict/{name}", None))
    for method, target, run in ensembles_of(CHALLENGE):
        name = f"predict/{method}/{target.name}/{run.model}.tsv"
        if target.track == wildcards.track and shown(
            f"{config['results']}/benchmarks/{name}"
        ):
            jobs.append((method, run.init, "predict", name, None))
    return jobs


def counted_for(init):
    """The inits that a training of an init counts for."""
    return [init, init + ENSEMBLE] if config["predict"]["ensemble"] else [init]


def one_model_each(wildcards):
    """A model file of each recipe, to count its parameters."""
    models = {}
    for method, target, run in models_of(CHALLENGE):
        path = history_of_model(method, target, run).removesuffix("tsv") + "pt"
        if target.track == wildcards.track and shown(path):
            models.setdefault(method, path)
    return models


def shown_predictions(structure, track):
    """(method, init, path) of a run an entrant: all patches, first fold and seed, or ensemble."""
    for method in METHODS:
        if structure not in CHALLENGE.structures_of(method):
            continue
        for run in CHALLENGE.runs(method, structure):
            first = (run.budget, run.fold, run.seed) == ("all", 0, config["seeds"][0])
            path = f"{config['results']}/predictions/{method}/{structure}/{run.name}.h5"
            ensemble = run.is_ensemble and run.budget == "all"
            own_track = run.init == "default" or (
                (first or ensemble) and run.track == track
            )
            if own_track and shown(path):
                yield method, run.init, path


def shown_runs(wildcards):
    """Predictions of one run an entrant by label."""
    entrants = shown_predictions(wildcards.structure, wildcards.track)
    return {
        display.entrant(STYLES, method, init): path for method, init, path in entrants
    }


def works_shown():
    """(entrant, structure, cases, channel, predictions) that a method's card may show."""
    return [
        (
            (method, init),
            structure,
            f"{config['results']}/data/{CHALLENGE.structures[structure].cases_of}/cases.h5",
            CHALLENGE.structures[structure].channel,
            path,
        )
        for structure in CHALLENGE.scored
        if not CHALLENGE.structures[structure].left_out
        for method, init, path in shown_predictions(structure, config["tracks"][0])
    ]


def histories_of(kind):
    """Training histories by label: of encoders, or of models trained on all patches."""
    paths = {}
    if kind == "pretraining":
        for method, group, pretext, seed in encoders_of(CHALLENGE):
            label = f"{display.entrant(STYLES, method, pretext)} ({group})"
            paths.setdefault(label, []).append(
                history_of_encoder(method, group, pretext, seed)
            )
    else:
        for method, target, run in models_of(CHALLENGE):
            if run.budget == "all":
                label = f"{display.entrant(STYLES, method, run.init)} ({target.name})"
                paths.setdefault(label, []).append(
                    history_of_model(method, target, run)
                )
    finished = {label: [p for p in some if shown(p)] for label, some in paths.items()}
    return {label: some for label, some in finished.items() if some}


def figure_files(extension):
    """Every figure of the challenge in one form."""
    tracks = expand(
        f"<judged>/figures/{{track}}/{{figure}}.{extension}",
        track=config["tracks"],
        figure=SHOWN_FIGURES,
    )
    panels = [
        f"<judged>/figures/{track}/panel-{structure}.{extension}"
        for track in config["tracks"]
        for structure in CHALLENGE.scored
        if structure in EXPECTED[EXPECTED["track"] == track]["structure"].values
    ]
    histories = [
        f"<judged>/figures/training/{kind}.{extension}"
        for kind in ("pretraining", "finetuning")
        if histories_of(kind)
    ]
    return [*tracks, *panels, *histories]
