"""Scores: every prediction of a method on a structure, checked and compared with the truth."""


rule check:
    """Check what a method's own rule has written as soon as it is there: masks of all cases."""
    input:
        cases=cases_of,
        predictions="<results>/predictions/{method}/{structure}/{run}.h5",
    output:
        checked="<results>/checks/{method}/{structure}/{run}.tsv",
    log:
        "<logs>/check/{method}/{structure}/{run}.log",
    benchmark:
        "<benchmarks>/check/{method}/{structure}/{run}.tsv"
    wildcard_constraints:
        run=rf"default|{TRAINED_RUN}(?:-one)?",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        complete=lambda wildcards: not METHODS[wildcards.method].is_foreign,
    script:
        "../scripts/check.py"


rule score:
    """Score all runs of a method on a structure; a truth is prepared once for all of them."""
    input:
        cases=cases_of,
        predictions=predictions_of,
        checked=checks_of,
    output:
        scores="<scored_root>/scores/{method}/{structure}.tsv",
        faults="<scored_root>/checks/{method}/{structure}.tsv",
    log:
        "<logs>/score/{method}/{structure}.log",
    benchmark:
        "<benchmarks>/score/{method}/{structure}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        edition=config["edition"],
        phase=config["phase"],
        profile=CHALLENGE.edition["metric_profile"],
        structure=lambda wildcards: CHALLENGE.structures[
            wildcards.structure
        ].description,
        tracks=config["tracks"],
        complete=lambda wildcards: not METHODS[wildcards.method].is_foreign,
        partial=config["partial"],
    script:
        "../scripts/score.py"


rule metrics_json:
    """A run's scores on a structure in the form of the organisers' metrics.json."""
    input:
        scores="<scored_root>/scores/{method}/{structure}.tsv",
    output:
        metrics="<scored_root>/metrics/{method}/{structure}/{run}.json",
    log:
        "<logs>/metrics_json/{method}/{structure}/{run}.log",
    benchmark:
        "<benchmarks>/metrics_json/{method}/{structure}/{run}.tsv"
    wildcard_constraints:
        run=rf"default|(?:{TRAINED_RUN}|{ENSEMBLE_RUN})(?:-one)?",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        profile=CHALLENGE.edition["metric_profile"],
    script:
        "../scripts/metrics_json.py"
