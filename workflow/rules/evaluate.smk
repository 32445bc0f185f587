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
