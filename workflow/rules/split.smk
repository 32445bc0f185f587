"""Who trains, who validates, who tests: by specimen, the same for every method."""


rule split:
    """Divide a structure's patches, and draw the order in which label budgets take them."""
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
        folds=config["folds"],
        seeds=config["seeds"],
        cases_given=config["test_cases"] == "archive",
    script:
        "../scripts/split.py"
