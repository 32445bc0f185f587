"""Splits of annotated patches into training, validation and test: the same for every method."""


rule split:
    """Divide a structure's patches by specimen, once for every fold that can be had."""
    input:
        index="<results>/data/{structure}/patches.tsv",
    output:
        split="<results>/splits/{structure}.tsv",
    log:
        "<logs>/split/{structure}.log",
    benchmark:
        "<benchmarks>/split/{structure}.tsv"
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_patches),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        structure="{structure}",
        roles=lambda wildcards: {
            row["sample"]: row["role"]
            for row in CHALLENGE.rows(wildcards.structure, "patch")
            if row["role"]
        },
        shares=config["split"],
        cases_given=config["test_cases"] == "archive",
    script:
        "../scripts/split.py"


rule check_specimens:
    """Check, before a group's encoders are pretrained, that its volumes show no held-out specimen."""
    input:
        splits=lambda wildcards: splits_of(wildcards.group),
        cases=lambda wildcards: given_cases_of(wildcards.group),
        volumes=lambda wildcards: volumes_of(wildcards.group, ".tsv"),
    output:
        checked="<results>/checks/specimens/{group}.tsv",
    log:
        "<logs>/check_specimens/{group}.log",
    benchmark:
        "<benchmarks>/check_specimens/{group}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        folds=config["folds"],
    script:
        "../scripts/check_specimens.py"


rule check_pack:
    """Check that an encoder made elsewhere has seen no specimen that is held out here."""
    input:
        splits=lambda wildcards: splits_of(wildcards.group),
        cases=lambda wildcards: given_cases_of(wildcards.group),
        encoder="<results>/encoders/{method}/{group}/{pretext}-s{seed}.pt",
    output:
        checked="<results>/checks/packs/{method}/{group}/{pretext}-s{seed}.tsv",
    log:
        "<logs>/check_pack/{method}/{group}/{pretext}-s{seed}.log",
    benchmark:
        "<benchmarks>/check_pack/{method}/{group}/{pretext}-s{seed}.tsv"
    wildcard_constraints:
        pretext=rf"{PACKED}[a-z0-9-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        folds=config["folds"],
    script:
        "../scripts/check_pack.py"
