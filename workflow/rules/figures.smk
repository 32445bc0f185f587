"""Figures, tables and the report: what the paper shows."""


# Seconds each: on a cluster they run beside Snakemake instead of waiting in a queue.
localrules:
    figure,
    panel,
    histories,
    table,
    gallery,
    report,


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


rule gallery:
    """A card for each method: its idea, its scores and costs, what it got right and wrong."""
    input:
        standings=expand(
            "<judged>/tables/{track}/standings.tsv", track=config["tracks"]
        ),
        scores=expand("<judged>/ranking/{track}/cases.tsv", track=config["tracks"]),
        cases=[
            f"<results>/data/{CHALLENGE.structures[name].cases_of}/cases.h5"
            for name in CHALLENGE.scored
        ],
        predictions=[predictions for *_, predictions in works_shown()],
    output:
        gallery="<judged>/gallery.html",
    log:
        "<logs>/gallery.log",
    benchmark:
        "<benchmarks>/gallery.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        edition=CHALLENGE.edition,
        methods={name: method.settings for name, method in METHODS.items()},
        works=works_shown(),
        left_out=NOT_TAKING_PART,
        shown=SHOWN,
    script:
        "../scripts/gallery.py"


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
        faults=[f"<judged>/checks/{table}.tsv" for table in scored_tables()],
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
        left_out=NOT_TAKING_PART,
        shown=SHOWN,
    script:
        "../scripts/report.py"
