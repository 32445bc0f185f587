"""Splits of annotated patches into training, validation and test: the same for every method."""


rule split:
    """Divide a structure's patches by specimen, once for all folds that are possible."""
    input:
        index=LAYOUT.patches_index(),
    output:
        split=LAYOUT.split(),
    log:
        LAYOUT.log("split", "{structure}"),
    benchmark:
        LAYOUT.benchmark("split", "{structure}")
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_patches),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        structure="{structure}",
        roles=lambda wildcards: {
            row.sample: row.role
            for row in CHALLENGE.samples_of(wildcards.structure, "patch")
            if row.role
        },
        shares=CONFIG.split.plain(),
        cases_given=CONFIG.test_cases == "archive",
    script:
        "../scripts/split.py"
