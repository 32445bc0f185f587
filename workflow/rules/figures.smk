"""Figures, tables and the report: what the paper shows."""

from selma3d.figures import FIGURES
from selma3d.tables import TABLES

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
FORMS = ["svg", "pdf", "png"]


def shown_runs(wildcards):
    """One run an entrant for the qualitative panel: all patches, first fold and seed."""
    runs = {}
    for method in METHODS:
        if wildcards.structure in CHALLENGE.structures_of(method):
            for run in CHALLENGE.runs(method, wildcards.structure):
                first = (run.budget, run.fold, run.seed) == (
                    "all",
                    0,
                    config["seeds"][0],
                )
                default = run.init == "default"
                if default or (first and run.track == wildcards.track):
                    path = f"{config['results']}/predictions/{method}/{wildcards.structure}/{run.name}.h5"
                    if not config["partial"] or os.path.exists(path):
                        runs[wording.entrant(STYLES, method, run.init)] = path
    return runs


def histories_of(kind):
    """Training histories by label: of encoders, or of models trained on all patches."""
    paths = {}
    if kind == "pretraining":
        for method, group, pretext, seed in encoders_of(CHALLENGE):
            label = f"{wording.entrant(STYLES, method, pretext)} ({group})"
            path = (
                f"{config['results']}/encoders/{method}/{group}/{pretext}-s{seed}.tsv"
            )
            paths.setdefault(label, []).append(path)
    else:
        for method in CHALLENGE.recipes:
            for target in TARGETS.values():
                for structure in target.segments[:1]:
                    for run in CHALLENGE.runs(method, structure):
                        if run.track == target.track and run.budget == "all":
                            label = f"{wording.entrant(STYLES, method, run.init)} ({target.name})"
                            path = f"{config['results']}/models/{method}/{target.name}/{run.model}.tsv"
                            paths.setdefault(label, []).append(path)
    if config["partial"]:
        paths = {
            label: [p for p in some if os.path.exists(p)]
            for label, some in paths.items()
        }
    return {label: some for label, some in paths.items() if some}


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


rule figure:
    """One figure of a track, from its ranking tables alone."""
    input:
        tables=RANKED,
        reported=REPORTED,
    output:
        svg=report(
            "<judged>/figures/{track}/{figure}.svg",
            caption="../report/figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].category,
            labels={"track": "{track}", "figure": "{figure}"},
        ),
        pdf="<judged>/figures/{track}/{figure}.pdf",
        png="<judged>/figures/{track}/{figure}.png",
    log:
        "<logs>/figure/{track}/{figure}.log",
    benchmark:
        "<benchmarks>/figure/{track}/{figure}.tsv"
    wildcard_constraints:
        figure=any_of(FIGURES),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        name="{figure}",
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        shown=SHOWN,
    script:
        "../scripts/figure.py"


rule panel:
    """Image, truth and predictions of the best, the median and the worst case."""
    input:
        cases=cases_of,
        scores="<judged>/ranking/{track}/cases.tsv",
        predictions=lambda wildcards: list(shown_runs(wildcards).values()),
    output:
        svg=report(
            "<judged>/figures/{track}/panel-{structure}.svg",
            caption="../report/panel.rst",
            category="Images",
            labels={"track": "{track}", "figure": "{structure}"},
        ),
        pdf="<judged>/figures/{track}/panel-{structure}.pdf",
        png="<judged>/figures/{track}/panel-{structure}.png",
    log:
        "<logs>/panel/{track}/{structure}.log",
    benchmark:
        "<benchmarks>/panel/{track}/{structure}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        labels=lambda wildcards: list(shown_runs(wildcards)),
        channel=lambda wildcards: CHALLENGE.structures[wildcards.structure].channel,
        shown=SHOWN,
    script:
        "../scripts/panel.py"


rule histories:
    """How losses and validation scores went during training."""
    input:
        histories=lambda wildcards: sum(histories_of(wildcards.kind).values(), []),
    output:
        svg=report(
            "<judged>/figures/training/{kind}.svg",
            caption="../report/histories.rst",
            category="Training",
            labels={"figure": "{kind}"},
        ),
        pdf="<judged>/figures/training/{kind}.pdf",
        png="<judged>/figures/training/{kind}.png",
    log:
        "<logs>/histories/{kind}.log",
    benchmark:
        "<benchmarks>/histories/{kind}.tsv"
    wildcard_constraints:
        kind="pretraining|finetuning",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=lambda wildcards: histories_of(wildcards.kind),
        shown=SHOWN,
    script:
        "../scripts/histories.py"


rule table:
    """One table of a track, for reading, for LaTeX, for Markdown."""
    input:
        tables=[*RANKED, "<judged>/ranking/{track}/cost.tsv"],
    output:
        tsv=report(
            "<judged>/tables/{track}/{table}.tsv",
            caption="../report/table.rst",
            category="Tables",
            labels={"track": "{track}", "table": "{table}"},
        ),
        tex="<judged>/tables/{track}/{table}.tex",
        md="<judged>/tables/{track}/{table}.md",
    log:
        "<logs>/table/{track}/{table}.log",
    benchmark:
        "<benchmarks>/table/{track}/{table}.tsv"
    wildcard_constraints:
        table=any_of(TABLES),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        name="{table}",
        caption=lambda wildcards: TABLES[wildcards.table].caption,
        shown=SHOWN,
    script:
        "../scripts/table.py"


rule report:
    """One page that reads like a results section."""
    input:
        tables=expand(
            "<judged>/ranking/{track}/{table}.tsv",
            track=config["tracks"],
            table=["leaderboard", *RANKING_TABLES],
        ),
        figures=figure_files("svg"),
        overviews=[
            f"<results>/figures/data/{name}-patches.svg"
            for name in CHALLENGE.structures_with_patches
        ],
        shown=expand(
            "<judged>/tables/{track}/{table}.tsv", track=config["tracks"], table=TABLES
        ),
        splits=[
            f"<results>/splits/{name}.tsv"
            for name in CHALLENGE.structures_with_patches
        ],
    output:
        report="<judged>/report.html",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        edition=CHALLENGE.edition,
        config=config,
        unscored=CHALLENGE.unscored,
        shown=SHOWN,
    script:
        "../scripts/report.py"
