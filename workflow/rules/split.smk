"""Splits of annotated patches into training, validation and test: the same for every method."""


rule split:
    """Divide a structure's patches by specimen, once for every fold that can be had."""
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
        mem_mb=500,
        runtime=10,
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


rule check_specimens:
    """Check, before a group's encoders are pretrained, that its volumes show no held-out specimen."""
    input:
        splits=lambda wildcards: splits_of(wildcards.group),
        cases=lambda wildcards: given_cases_of(wildcards.group),
        volumes=lambda wildcards: volume_indexes(CHALLENGE.volumes(wildcards.group)),
    output:
        checked=LAYOUT.specimens_check(),
    log:
        LAYOUT.log("check_specimens", "{group}"),
    benchmark:
        LAYOUT.benchmark("check_specimens", "{group}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        folds=CONFIG.folds,
    script:
        "../scripts/check_specimens.py"


rule check_pack:
    """Check that an encoder made elsewhere has seen no specimen that is held out here."""
    input:
        splits=lambda wildcards: splits_of(wildcards.group),
        cases=lambda wildcards: given_cases_of(wildcards.group),
        encoder=LAYOUT.encoder(),
    output:
        checked=LAYOUT.pack_check(),
    log:
        LAYOUT.log("check_pack", of_encoder()),
    benchmark:
        LAYOUT.benchmark("check_pack", of_encoder())
    wildcard_constraints:
        pretext=rf"{PACKED}[a-z0-9-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        folds=CONFIG.folds,
    script:
        "../scripts/check_pack.py"
