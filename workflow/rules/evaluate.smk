"""Scores: every prediction of a method on a structure, against the truth."""


rule score:
    """Score all runs of a method on a structure; a truth is prepared once for all of them."""
    input:
        cases=cases_of,
        predictions=predictions_of,
    output:
        scores="<judged>/scores/{method}/{structure}.tsv",
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
    script:
        "../scripts/score.py"


rule metrics_json:
    """A run's scores on a structure in the form of the organisers' metrics.json."""
    input:
        scores="<judged>/scores/{method}/{structure}.tsv",
    output:
        metrics="<judged>/metrics/{method}/{structure}/{run}.json",
    log:
        "<logs>/metrics_json/{method}/{structure}/{run}.log",
    benchmark:
        "<benchmarks>/metrics_json/{method}/{structure}/{run}.tsv"
    wildcard_constraints:
        run=rf"default|{TRAINED_RUN}(?:-one)?",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        profile=CHALLENGE.edition["metric_profile"],
    script:
        "../scripts/metrics_json.py"
